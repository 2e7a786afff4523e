#pragma once
/// Completion: "it is done", said once by one side and waited for by the other. Unlike a bare
/// wait queue it may live on the waiter's stack: complete() does not touch it after the waiter
/// could have returned.

#include "kernel/sync/wait_queue.h"

namespace cairn::sync {

class Completion {
public:
    /// Sleeps until complete() was called; each complete() lets one wait() pass.
    WakeReason wait(SleepKind kind = SleepKind::Uninterruptible, Nanoseconds deadline = Nanoseconds::never());

    /// Lets one waiter pass, now or later. Any context.
    void complete();
    /// Lets everybody pass, for ever. Any context.
    void complete_all();

    /// Whether a wait() would return at once.
    bool done();

private:
    static constexpr u32 kForEver = ~u32{0};

    SpinLock<LockRank::WaitQueue> lock_;
    List<Waiter, &Waiter::node> waiters_ GUARDED_BY(lock_);
    u32 done_ GUARDED_BY(lock_) = 0;  // completions that nobody has used up
};

}  // namespace cairn::sync
