/// What a machine calls in the kernel (arch/upcalls.h), handed on to the subsystem concerned.

#include "arch/upcalls.h"

#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/rate_limit.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/timer.h"

namespace cairn {

/// No address space has pages that come on demand yet, so no fault can be resolved.
TrapOutcome kernel_trap(arch::TrapFrame&, const arch::TrapDetails&) {
    return TrapOutcome::Unhandled;
}

void kernel_interrupt(arch::InterruptKind kind, u32 line) {
    switch (kind) {
        case arch::InterruptKind::Timer:
            return time::handle_timer_interrupt();
        case arch::InterruptKind::Reschedule:
            return sched::handle_reschedule_interrupt();
        case arch::InterruptKind::CrossCall:
            return sched::run_cross_calls();
        case arch::InterruptKind::Device:
            arch::mask_interrupt(line);
            log_warning("interrupt", "line {} has no handler and is masked", line);
            return;
    }
}

void kernel_preempt() {
    sched::preempt();
}

void kernel_syscall(arch::TrapFrame&) {
    panic("a system call, but there is no user mode");
}

}  // namespace cairn
