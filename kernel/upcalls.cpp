/// What a machine calls in the kernel (arch/upcalls.h), handed on to the subsystem concerned.

#include "arch/upcalls.h"

#include "drivers/interrupt_lines.h"
#include "kernel/base/panic.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/scheduler.h"
#include "kernel/sync/read_side.h"
#include "kernel/time/timer.h"

namespace cairn {

/// No address space has pages that come on demand yet, so no fault can be resolved.
TrapOutcome kernel_trap(arch::TrapFrame&, const arch::TrapDetails&) {
    return TrapOutcome::Unhandled;
}

void kernel_interrupt(arch::InterruptKind kind, u32 line) {
    sync::ReadSide::note_interrupt(arch::this_cpu());
    switch (kind) {
        case arch::InterruptKind::Timer:
            time::handle_timer_interrupt();
            break;
        case arch::InterruptKind::Reschedule:
            sched::handle_reschedule_interrupt();
            break;
        case arch::InterruptKind::CrossCall:
            sched::run_cross_calls();
            break;
        case arch::InterruptKind::Device:
            drivers::handle_interrupt_line(line);
            break;
    }
}

void kernel_preempt() {
    sched::preempt();
}

void kernel_syscall(arch::TrapFrame&) {
    panic("a system call, but there is no user mode");
}

void kernel_prepare_user_return(arch::TrapFrame&) {
    panic("a way to user mode, but there is no user mode");
}

}  // namespace cairn
