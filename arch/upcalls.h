#pragma once
/// The functions that a machine calls in the kernel. They are implemented in
/// kernel/upcalls.cpp and kernel/main.cpp; nothing else of the kernel is known to `arch`.

#include "arch/arch.h"

namespace cairn {

/// The boot CPU, in long mode, on the boot stack, interrupts off, with memory up to
/// arch::boot_mapped_limit() reachable through direct_map. BSS is zero.
[[noreturn]] void kernel_boot(const arch::BootHandover& handover);

/// A synchronous exception. Interrupts are as they were when it happened.
enum class TrapOutcome : u8 { Resume, Unhandled };
/// `Unhandled` from kernel mode makes the machine try its fix-up table (copies to and from user
/// memory) and then call panic.
TrapOutcome kernel_trap(arch::TrapFrame& frame, const arch::TrapDetails& details);

/// An interrupt, interrupts off, after PerCpu::interrupt_depth was raised and interrupted_user_mode was set. The
/// controller has been told that it is handled, except for level-triggered lines: for those end of interrupt follows
/// the handler, or they would arrive again at once. `line` is the GSI of a device. The handler
/// neither turns interrupts on nor switches threads. When the last nested handler returns, and nothing holds preemption
/// off, the machine calls kernel_preempt().
void kernel_interrupt(arch::InterruptKind kind, u32 line);
/// Interrupts off; may switch threads.
void kernel_preempt();

/// SYSCALL from user mode, interrupts off, as they are afterwards. `frame` is arch::user_frame of the thread; the
/// result goes into it. Need not return.
void kernel_syscall(arch::TrapFrame& frame);

/// Interrupts off, on EVERY way to user mode: after system calls, after exceptions and interrupts that
/// came from there (behind kernel_trap and kernel_preempt), and before the first entry. Whatever is
/// pending for the thread is done here: it may turn interrupts on, sleep, change the frame (signals),
/// end the thread. Returns with interrupts off, having found nothing pending after they went off.
void kernel_prepare_user_return(arch::TrapFrame& frame);

}  // namespace cairn
