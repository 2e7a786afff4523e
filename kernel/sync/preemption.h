#pragma once
/// Preemption: a CPU's preempt_state counts, in its low 31 bits, the reasons for which the running
/// thread must stay on this CPU; the top bit is clear while a reschedule is wanted. So "zero"
/// means: switch now. Interrupts that are off hold preemption off too, without being counted.

#include "arch/arch.h"
#include "arch/upcalls.h"
#include "kernel/base/assert.h"
#include "kernel/base/thread_annotations.h"

namespace cairn {

/// The capability "this thread stays on this CPU"; a name for the analysis, never an object that
/// does anything.
class CAPABILITY("preemption") PreemptionCapability {};
inline constinit PreemptionCapability preempt_off;

/// Switches threads unless something forbids it: preempt_state was zero a moment ago. Apart, so that what asks for it
/// at the end of each lock is two instructions.
[[gnu::noinline, gnu::cold]] inline void preempt_if_allowed() {
    if (arch::interrupts_enabled()) {
        arch::InterruptState state = arch::disable_interrupts();
        if (arch::preempt_state_is_zero() && arch::this_cpu().interrupt_depth == 0) {
            kernel_preempt();
        }
        arch::restore_interrupts(state);
    }
}

/// Switches threads if a reschedule is wanted and nothing forbids it. Any context.
inline void preempt_if_wanted() {
    if (arch::preempt_state_is_zero()) [[unlikely]] {
        preempt_if_allowed();
    }
}

inline void disable_preemption() ACQUIRE(preempt_off) NO_THREAD_SAFETY_ANALYSIS {
    arch::preempt_depth_increment();
}
inline void enable_preemption() RELEASE(preempt_off) NO_THREAD_SAFETY_ANALYSIS {
    if (arch::preempt_depth_decrement()) [[unlikely]] {
        preempt_if_allowed();
    }
}

/// Keeps the calling thread on its CPU for a scope. Nests.
class SCOPED_CAPABILITY PreemptionGuard {
public:
    PreemptionGuard() ACQUIRE(preempt_off) { disable_preemption(); }
    ~PreemptionGuard() RELEASE() { enable_preemption(); }
    PreemptionGuard(const PreemptionGuard&) = delete;
    PreemptionGuard& operator=(const PreemptionGuard&) = delete;
};

/// Keeps interrupts off for a scope. Nests; a wanted reschedule happens at the outermost end.
class SCOPED_CAPABILITY InterruptGuard {
public:
    InterruptGuard() ACQUIRE(preempt_off) : state_(arch::disable_interrupts()) {}
    ~InterruptGuard() RELEASE() {
        arch::restore_interrupts(state_);
        preempt_if_wanted();
    }
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

private:
    arch::InterruptState state_;
};

/// Whether the calling context may sleep.
inline bool sleep_allowed() {
    constexpr u32 kDepthMask = ~PerCpu::kNoRescheduleBit;
    return (arch::preempt_state() & kDepthMask) == 0 && arch::interrupts_enabled();
}

}  // namespace cairn
