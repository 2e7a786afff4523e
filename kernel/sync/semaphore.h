#pragma once
/// Semaphore: a number of permits, handed out first come, first served. For one permit use a
/// Mutex, which knows its owner.

#include "kernel/sync/wait_queue.h"

namespace cairn::sync {

class Semaphore {
public:
    explicit Semaphore(u32 permits) : permits_(permits) {}

    /// Takes a permit, sleeping until there is one. Anything but Condition means: none taken.
    WakeReason acquire(SleepKind kind = SleepKind::Uninterruptible, Nanoseconds deadline = Nanoseconds::never());
    /// Takes a permit if one is free and nobody waits. Any context.
    [[nodiscard]] bool try_acquire();
    /// Gives a permit back, to the longest waiter if there is one. Any context.
    void release();

private:
    SpinLock<LockRank::WaitQueue> lock_;
    List<Waiter, &Waiter::node> waiters_ GUARDED_BY(lock_);
    u32 permits_ GUARDED_BY(lock_);  // zero while anybody waits
};

}  // namespace cairn::sync
