#include "kernel/sync/wait_queue.h"

namespace cairn::sync {

void WaitQueue::join(Waiter& waiter) {
    add(waiter, false);
}

void WaitQueue::join_first(Waiter& waiter) {
    add(waiter, true);
}

void WaitQueue::add(Waiter& waiter, bool first) {
    {
        SpinLockGuard guard(lock_);
        if (first) {
            waiters_.push_front(waiter);
        } else {
            waiters_.push_back(waiter);
        }
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

void WaitQueue::leave_unwoken(Waiter& waiter) {
    if (!leave(waiter)) {
        wake_one();
    }
}

bool WaitQueue::leave_and_notify(Waiter& waiter) {
    waiter.node.unlink();
    waiter.parking.notify();
    return true;
}

u32 WaitQueue::wake_waiters(u32 limit) {
    SpinLockGuard guard(lock_);
    return call_waiters(limit);
}

u32 WaitQueue::wake_nested(u32 limit) {
    full_fence();  // as in wake()
    if (!occupied_.load(Order::relaxed)) {
        return 0;
    }
    lock_.lock_interrupts_off(RankUse::SecondOfPair);
    const u32 woken = call_waiters(limit);
    lock_.unlock_keep_interrupts_off();
    return woken;
}

u32 WaitQueue::call_waiters(u32 limit) {
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
