#include "kernel/sync/completion.h"

namespace cairn::sync {

WakeReason Completion::wait(SleepKind kind, Nanoseconds deadline) {
    DEBUG_ASSERT(sleep_allowed());
    Parking parking;
    Waiter waiter(&WaitQueue::leave_and_notify, parking);
    {
        SpinLockGuard guard(lock_);
        if (done_ != 0) {
            done_ -= done_ == kForEver ? 0 : 1;
            return WakeReason::Condition;
        }
        waiters_.push_back(waiter);
    }
    WakeReason reason = parking.sleep(kind, deadline);
    // The lock also keeps us here until complete() is through with this object.
    SpinLockGuard guard(lock_);
    if (waiter.node.linked()) {
        waiter.node.unlink();
        return reason;
    }
    return WakeReason::Condition;
}

void Completion::complete() {
    SpinLockGuard guard(lock_);
    if (Waiter* first = waiters_.front()) {
        static_cast<void>(first->callback(*first));
    } else if (done_ < kForEver - 1) {
        ++done_;
    }
}

void Completion::complete_all() {
    SpinLockGuard guard(lock_);
    done_ = kForEver;
    while (Waiter* first = waiters_.front()) {
        static_cast<void>(first->callback(*first));
    }
}

bool Completion::done() {
    SpinLockGuard guard(lock_);
    return done_ != 0;
}

}  // namespace cairn::sync
