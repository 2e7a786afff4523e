/// What a machine calls in the kernel (arch/upcalls.h), handed on to the subsystem concerned.

#include "arch/upcalls.h"

#include "kernel/base/panic.h"

namespace cairn {

TrapOutcome kernel_trap(arch::TrapFrame&, const arch::TrapDetails&) { return TrapOutcome::Unhandled; }

void kernel_interrupt(arch::InterruptKind, u32) {}

void kernel_preempt() {}

void kernel_syscall(arch::TrapFrame&) { panic("system call without user mode"); }

}  // namespace cairn
