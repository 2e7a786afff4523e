#include "kernel/sync/semaphore.h"

namespace cairn::sync {

bool Semaphore::try_acquire() {
    SpinLockGuard guard(lock_);
    if (permits_ == 0) {
        return false;
    }
    --permits_;
    return true;
}

WakeReason Semaphore::acquire(SleepKind kind, Nanoseconds deadline) {
    DEBUG_ASSERT(sleep_allowed());
    Parking parking;
    Waiter waiter(&WaitQueue::leave_and_notify, parking);
    {
        SpinLockGuard guard(lock_);
        if (permits_ != 0) {
            --permits_;
            return WakeReason::Condition;
        }
        waiters_.push_back(waiter);
    }
    WakeReason reason = parking.sleep(kind, deadline);
    // Also lets a release() that is still at work on this semaphore finish first.
    SpinLockGuard guard(lock_);
    if (waiter.node.linked()) {
        waiter.node.unlink();
        return reason;
    }
    return WakeReason::Condition;  // release() has given us its permit
}

void Semaphore::release() {
    SpinLockGuard guard(lock_);
    if (Waiter* first = waiters_.front()) {
        static_cast<void>(first->callback(*first));
    } else {
        ++permits_;
    }
}

}  // namespace cairn::sync
