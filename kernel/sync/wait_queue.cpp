#include "kernel/sync/wait_queue.h"

namespace cairn::sync {

void WaitQueue::join(Waiter& waiter) {
    {
        SpinLockGuard guard(lock_);
        waiters_.push_back(waiter);
        occupied_.store(true, Order::relaxed);
    }
    // Orders the entry before the caller's test of its condition; pairs with the fence in wake().
    full_fence();
}

bool WaitQueue::leave(Waiter& waiter) {
    SpinLockGuard guard(lock_);
    if (!waiter.node.linked()) {
        return false;
    }
    waiter.node.unlink();
    occupied_.store(!waiters_.empty(), Order::relaxed);
    return true;
}

bool WaitQueue::leave_and_notify(Waiter& waiter) {
    waiter.node.unlink();
    waiter.parking.notify();
    return true;
}

u32 WaitQueue::wake_waiters(u32 limit) {
    SpinLockGuard guard(lock_);
    u32 woken = 0;
    Waiter* next = nullptr;
    for (Waiter* waiter = waiters_.front(); waiter != nullptr && woken < limit; waiter = next) {
        next = waiters_.next(*waiter);
        woken += waiter->callback(*waiter) ? 1 : 0;  // the waiter may be gone afterwards
    }
    occupied_.store(!waiters_.empty(), Order::relaxed);
    return woken;
}

}  // namespace cairn::sync
