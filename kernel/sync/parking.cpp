#include "kernel/sync/parking.h"

#include "kernel/sched/dispatcher.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

namespace cairn::sync {

namespace {

constexpr sched::ThreadState state_of(SleepKind kind) {
    switch (kind) {
        case SleepKind::Uninterruptible:
            return sched::ThreadState::Uninterruptible;
        case SleepKind::Killable:
            return sched::ThreadState::Killable;
        case SleepKind::Interruptible:
            return sched::ThreadState::Interruptible;
    }
    return sched::ThreadState::Uninterruptible;
}

/// Ends a sleep at its deadline. On the sleeper's stack.
struct SleepTimer {
    explicit SleepTimer(sched::Thread& sleeper) : thread(sleeper), timer(&expire) {}
    ~SleepTimer() { static_cast<void>(timer.cancel_and_wait()); }

    static void expire(time::Timer& timer) {
        SleepTimer& self = *object_of_member<SleepTimer, time::Timer, &SleepTimer::timer>(&timer);
        self.expired.store(true, Order::relaxed);
        full_fence();  // pairs with the one in announce_sleep()
        sched::wake(self.thread);
    }

    sched::Thread& thread;
    Atomic<bool> expired{false};
    time::Timer timer;
};

/// `timer` may be null: no deadline.
WakeReason sleep_with(const Atomic<bool>& notified, sched::Thread& self, sched::ThreadState state,
                      const SleepTimer* timer) {
    for (;;) {
        // Announce first, look second; wakers do it the other way round. So either we see what
        // they did, or they see that we sleep.
        sched::Dispatcher::announce_sleep(self, state);
        bool notified_now = notified.load(Order::acquire);
        bool expired = timer != nullptr && timer->expired.load(Order::relaxed);
        bool ended = sched::Dispatcher::must_end_sleep(self, state);
        if (notified_now || expired || ended) {
            sched::Dispatcher::cancel_sleep(self);
            return notified_now ? WakeReason::Condition : (ended ? WakeReason::Interrupted : WakeReason::TimedOut);
        }
        sched::schedule();
        if (notified.load(Order::acquire)) {
            return WakeReason::Condition;
        }
    }
}

}  // namespace

Parking::Parking() : thread_(sched::current_thread()) {}

WakeReason Parking::sleep(SleepKind kind, Nanoseconds deadline) {
    sched::might_sleep();
    if (deadline == Nanoseconds::never()) {
        return sleep_with(notified_, thread_, state_of(kind), nullptr);
    }
    SleepTimer timer(thread_);
    timer.timer.arm(deadline);
    return sleep_with(notified_, thread_, state_of(kind), &timer);
}

void Parking::notify() {
    // With interrupts off we are a reader, so the thread outlives us even if it ends at once.
    sched::Thread& thread = thread_;
    notified_.store(true, Order::release);
    full_fence();  // pairs with the one in announce_sleep()
    sched::Dispatcher::wake_interrupts_off(thread, sched::kSleeping);
}

}  // namespace cairn::sync
