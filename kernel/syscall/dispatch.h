#pragma once
/// From the machine's upcall to a handler and back: results, restarts, tracing, ENOSYS.

#include "arch/arch.h"

namespace cairn::syscall {

/// kernel_syscall: the calling thread's system call. Interrupts off, as they are afterwards.
void run(arch::TrapFrame& frame);

}  // namespace cairn::syscall
