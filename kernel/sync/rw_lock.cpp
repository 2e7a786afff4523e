#include "kernel/sync/rw_lock.h"

namespace cairn::sync {

bool RwLockWord::try_lock_shared() {
    u64 seen = word_.load(Order::relaxed);
    while ((seen & (kWaiters | kWriter)) == 0) {
        if (word_.compare_exchange(seen, seen + kReader, Order::acquire, Order::relaxed)) {
            return true;
        }
    }
    return false;
}

bool RwLockWord::try_lock_exclusive() {
    u64 expected = 0;
    return word_.compare_exchange(expected, kWriter, Order::acquire, Order::relaxed);
}

bool RwLockWord::lock_shared(SleepKind kind) {
    return try_lock_shared() || lock_contended(Access::Shared, kind);
}

bool RwLockWord::lock_exclusive(SleepKind kind) {
    return try_lock_exclusive() || lock_contended(Access::Exclusive, kind);
}

void RwLockWord::unlock_shared() {
    u64 before = word_.fetch_sub(kReader, Order::release);
    ASSERT(before >= kReader);
    if (before == (kReader | kWaiters)) {
        SpinLockGuard guard(lock_);
        hand_over();
    }
}

void RwLockWord::unlock_exclusive() {
    u64 before = word_.fetch_and(~kWriter, Order::release);
    ASSERT((before & kWriter) != 0);
    if ((before & kWaiters) != 0) {
        SpinLockGuard guard(lock_);
        hand_over();
    }
}

bool RwLockWord::lock_contended(Access access, SleepKind kind) {
    RwWaiter waiter{{}, access, {}};
    {
        SpinLockGuard guard(lock_);
        waiters_.push_back(waiter);
        word_.fetch_or(kWaiters, Order::relaxed);
        // Who released before it could see kWaiters has left that to us.
        hand_over();
    }
    if (waiter.parking.sleep(kind, Nanoseconds::never()) == WakeReason::Condition) {
        return true;
    }
    SpinLockGuard guard(lock_);
    if (waiter.parking.notified()) {
        return true;  // handed over at the last moment
    }
    waiter.node.unlink();
    hand_over();  // a writer that gives up may have held up readers
    return false;
}

/// Gives the lock to the first waiter, or to the readers at the head of the queue, as far as those
/// who hold it allow. With kWaiters set nobody else takes it, and readers only become fewer.
void RwLockWord::hand_over() {
    for (RwWaiter* first = waiters_.front(); first != nullptr; first = waiters_.front()) {
        u64 holders = word_.load(Order::acquire) & ~kWaiters;
        bool exclusive = first->access == Access::Exclusive;
        if (exclusive ? holders != 0 : (holders & kWriter) != 0) {
            return;
        }
        word_.fetch_add(exclusive ? kWriter : kReader, Order::acquire);
        first->node.unlink();
        first->parking.notify();  // it may be gone now
    }
    word_.fetch_and(~kWaiters, Order::relaxed);
}

}  // namespace cairn::sync
