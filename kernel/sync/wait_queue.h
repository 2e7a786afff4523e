#pragma once
/// WaitQueue: threads that wait for a condition which somebody else makes true.
///
///     waiter:  queue.wait_until([&] { return ready.load(Order::acquire); });
///     waker:   ready.store(true, Order::release);
///              queue.wake_all();
///
/// No wake-up is lost: the waiter joins the queue before it tests the condition, and the waker
/// changes the condition before it looks at the queue. The condition is tested without the queue's
/// lock and may itself sleep. wake_one() serves first come, first served; a waiter that it chose
/// and that leaves for another reason passes the wake-up on to the next.
///
/// The queue must live until its wakers have returned. Where the waiter destroys what it waited
/// for, use a Completion.

#include "kernel/base/list.h"
#include "kernel/sync/parking.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::sync {

/// A place in a wait queue; on the waiter's stack, or in an object that wants to be told
/// (poll: many of these share one Parking).
struct Waiter {
    /// Called under the queue's lock, interrupts off, when the queue is woken. It may unlink the
    /// waiter, and it returns whether this counts for wake_one().
    using Callback = bool (*)(Waiter& waiter);

    Waiter(Callback callback_, Parking& parking_) : callback(callback_), parking(parking_) {}

    ListNode node;
    const Callback callback;
    Parking& parking;
};

class WaitQueue {
public:
    /// Sleeps until `condition()` is true; it is tested at once, and again after each wake-up.
    /// Condition wins when it becomes true at the last moment. Thread context; may sleep.
    template <typename Condition>
    WakeReason wait_until(Condition condition, SleepKind kind = SleepKind::Uninterruptible,
                          Nanoseconds deadline = Nanoseconds::never());

    /// For a loop that looks by itself: it has just found that it has to wait, and looks again when this returns
    /// Condition, which says that the condition may be true.
    template <typename Condition>
    WakeReason wait_for_next_look(Condition condition, SleepKind kind, Nanoseconds deadline = Nanoseconds::never());

    /// Wakes the waiter that came first, or all. Returns how many were woken. Any context.
    u32 wake_one() { return wake(1); }
    u32 wake_all() { return wake(~u32{0}); }
    /// wake_one() of each: one fence does for all.
    template <typename... Queues>
    static void wake_one_of_each(Queues&... queues) {
        full_fence();
        (queues.wake_if_occupied(1), ...);
    }
    /// From a waiter's callback, hence under another queue's lock. Queues that wake one another must not form
    /// a cycle (fs/epoll sees to that).
    u32 wake_nested(u32 limit);

    /// For waits on several queues at once: join each with a Waiter of one's own, test, sleep on
    /// the common Parking, leave each. leave() returns whether the waiter was still in the queue.
    void join(Waiter& waiter);
    /// For waiters that do not count for wake_one() (their callback returns false): in front, so that wake_one() tells
    /// them all before it comes to the first that counts.
    void join_first(Waiter& waiter);
    bool leave(Waiter& waiter);

    /// What a plain waiter does when it is woken: leaves the queue and notifies its Parking.
    static bool leave_and_notify(Waiter& waiter);

private:
    u32 wake(u32 limit) {
        // Orders the caller's change of the condition before the look at the queue; pairs with the
        // fence in join().
        full_fence();
        return wake_if_occupied(limit);
    }
    u32 wake_if_occupied(u32 limit) { return occupied_.load(Order::relaxed) ? wake_waiters(limit) : 0; }
    u32 wake_waiters(u32 limit);
    u32 call_waiters(u32 limit) REQUIRES(lock_);
    void add(Waiter& waiter, bool first);
    /// A waiter leaves that slept no longer, or not at all. A wake-up that chose it all the same came after the test
    /// that this decision rests on: it is another's.
    void leave_unwoken(Waiter& waiter);

    SpinLock<LockRank::WaitQueue> lock_;
    List<Waiter, &Waiter::node> waiters_ GUARDED_BY(lock_);
    Atomic<bool> occupied_{false};  // whether waiters_ has any; written under lock_, read without
};

template <typename Condition>
WakeReason WaitQueue::wait_until(Condition condition, SleepKind kind, Nanoseconds deadline) {
    if (condition()) {
        return WakeReason::Condition;
    }
    Parking parking;
    Waiter waiter(&leave_and_notify, parking);
    for (;;) {
        parking.reset();
        join(waiter);
        bool satisfied = condition();
        WakeReason reason = satisfied ? WakeReason::Condition : parking.sleep(kind, deadline);
        if (!satisfied && reason == WakeReason::Condition) {
            if (condition()) {
                return WakeReason::Condition;
            }
            continue;  // somebody was faster; woken means no longer in the queue
        }
        leave_unwoken(waiter);
        return satisfied || condition() ? WakeReason::Condition : reason;
    }
}

template <typename Condition>
WakeReason WaitQueue::wait_for_next_look(Condition condition, SleepKind kind, Nanoseconds deadline) {
    Parking parking;
    Waiter waiter(&leave_and_notify, parking);
    join(waiter);
    const bool satisfied = condition();
    const WakeReason reason = satisfied ? WakeReason::Condition : parking.sleep(kind, deadline);
    if (!satisfied && reason == WakeReason::Condition) {
        return WakeReason::Condition;  // woken means no longer in the queue
    }
    leave_unwoken(waiter);
    return satisfied || condition() ? WakeReason::Condition : reason;
}

}  // namespace cairn::sync
