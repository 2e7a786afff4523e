#include "kernel/time/timer.h"

#include "kernel/base/assert.h"

namespace cairn::time {

/// Locks the CpuTimers that the timer belongs to; null if it never belonged to any.
CpuTimers* Timer::lock_home(arch::InterruptState& state) NO_THREAD_SAFETY_ANALYSIS {
    for (;;) {
        CpuTimers* home = home_.load(Order::acquire);
        if (home == nullptr) {
            return nullptr;
        }
        state = home->lock_.lock();
        if (home_.load(Order::relaxed) == home) {
            return home;
        }
        home->lock_.unlock(state);  // armed on another CPU meanwhile
    }
}

void Timer::arm(Nanoseconds deadline) NO_THREAD_SAFETY_ANALYSIS {
    if (deadline == Nanoseconds::never()) {
        static_cast<void>(cancel());
        return;
    }
    InterruptGuard guard;
    CpuTimers* here = arch::this_cpu().timers;
    for (;;) {
        CpuTimers* home = home_.load(Order::acquire);
        if (home == nullptr && !home_.compare_exchange(home, here, Order::acq_rel, Order::acquire)) {
            continue;
        }
        home = home_.load(Order::acquire);
        home->lock_.lock_interrupts_off();
        if (home_.load(Order::relaxed) == home) {
            if (node_.linked()) {
                home->timers_.remove(*this);
            }
            // While its callback runs it stays there, where cancel_and_wait() looks for it.
            if (home == here || home->running_.load(Order::relaxed) == this) {
                home->insert(*this, deadline);
                home->lock_.unlock_keep_interrupts_off();
                return;
            }
            home_.store(here, Order::release);
        }
        home->lock_.unlock_keep_interrupts_off();
    }
}

bool Timer::cancel() NO_THREAD_SAFETY_ANALYSIS {
    arch::InterruptState state;
    CpuTimers* home = lock_home(state);
    if (home == nullptr) {
        return false;
    }
    bool was_armed = node_.linked();
    if (was_armed) {
        // The hardware is left alone: one interrupt in vain costs less than programming it for
        // each of the many timeouts that never come.
        home->timers_.remove(*this);
    }
    home->lock_.unlock(state);
    return was_armed;
}

bool Timer::cancel_and_wait() NO_THREAD_SAFETY_ANALYSIS {
    bool was_armed = false;
    for (;;) {
        arch::InterruptState state;
        CpuTimers* home = lock_home(state);
        if (home == nullptr) {
            return was_armed;
        }
        if (node_.linked()) {
            home->timers_.remove(*this);
            was_armed = true;
        }
        bool running = home->running_.load(Order::relaxed) == this;
        home->lock_.unlock(state);
        if (!running) {
            return was_armed;
        }
        while (home->running_.load(Order::acquire) == this) {
            ASSERT(home != arch::this_cpu().timers || arch::interrupts_enabled());
            arch::cpu_relax();
        }
    }
}

bool Timer::is_expiring() const {
    const CpuTimers* home = home_.load(Order::acquire);
    return home != nullptr && home->running_.load(Order::acquire) == this;
}

void CpuTimers::insert(Timer& timer, Nanoseconds deadline) {
    timer.deadline_ = deadline;
    timers_.insert(timer);
    // While run_expired() is at work it programs the hardware when it is done.
    if (!expiring_ && deadline < programmed_) {
        programmed_ = deadline;
        arch::arm_timer(deadline);
    }
}

void CpuTimers::run_expired() NO_THREAD_SAFETY_ANALYSIS {
    lock_.lock_interrupts_off();
    expiring_ = true;
    Nanoseconds present = arch::monotonic_now();
    for (;;) {
        Timer* timer = timers_.first();
        if (timer == nullptr || timer->deadline_ > present) {
            // Callbacks took time: what has become due meanwhile is done in the same go.
            Nanoseconds later = arch::monotonic_now();
            if (timer == nullptr || timer->deadline_ > later) {
                break;
            }
            present = later;
            continue;
        }
        timers_.remove(*timer);
        running_.store(timer, Order::relaxed);
        Timer::Callback callback = timer->callback_;
        lock_.unlock_keep_interrupts_off();
        callback(*timer);  // may free the timer
        lock_.lock_interrupts_off();
        running_.store(nullptr, Order::release);
    }
    expiring_ = false;
    const Timer* next = timers_.first();
    programmed_ = next == nullptr ? Nanoseconds::never() : next->deadline_;
    arch::arm_timer(programmed_);
    lock_.unlock_keep_interrupts_off();
}

void handle_timer_interrupt() {
    arch::this_cpu().timers->run_expired();
}

}  // namespace cairn::time
