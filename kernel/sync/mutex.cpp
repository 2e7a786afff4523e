#include "kernel/sync/mutex.h"

#include "kernel/sched/thread.h"

namespace cairn::sync {

namespace {

/// Rounds of the optimistic spin: a few microseconds, less than two switches of threads cost.
constexpr u32 kSpinRounds = 200;

uptr current_owner() {
    return reinterpret_cast<uptr>(arch::current_thread());
}

}  // namespace

void note_sleeping_lock_acquired(const void* lock, LockRank rank, RankUse use) {
    note_lock_acquired(sched::current_thread().held_mutexes, lock, rank, use);
}

void note_sleeping_lock_released(const void* lock) {
    note_lock_released(sched::current_thread().held_mutexes, lock);
}

void MutexWord::lock() {
    uptr expected = 0;
    if (!word_.compare_exchange(expected, current_owner(), Order::acquire, Order::relaxed)) [[unlikely]] {
        static_cast<void>(lock_contended(SleepKind::Uninterruptible));
    }
}

bool MutexWord::lock_killable() {
    uptr expected = 0;
    return word_.compare_exchange(expected, current_owner(), Order::acquire, Order::relaxed) ||
           lock_contended(SleepKind::Killable);
}

bool MutexWord::try_lock() {
    return try_take();
}

void MutexWord::unlock() {
    uptr expected = current_owner();
    if (!word_.compare_exchange(expected, 0, Order::release, Order::relaxed)) [[unlikely]] {
        unlock_contended();
    }
}

bool MutexWord::held_by_current_thread() const {
    return (word_.load(Order::relaxed) & ~kFlags) == current_owner();
}

/// Takes a mutex without an owner, past those who wait, unless a hand-over was asked for.
bool MutexWord::try_take() {
    uptr seen = word_.load(Order::relaxed);
    while ((seen & ~kWaiters) == 0) {
        if (word_.compare_exchange(seen, seen | current_owner(), Order::acquire, Order::relaxed)) {
            return true;
        }
    }
    return false;
}

/// While the owner runs on another CPU it is likely to be done before we could even fall asleep.
bool MutexWord::spin_while_owner_runs() {
    PreemptionGuard reader;  // the owner's Thread is not freed while we look at it
    for (u32 round = 0; round < kSpinRounds; ++round) {
        uptr seen = word_.load(Order::acquire);
        auto* owner = reinterpret_cast<sched::Thread*>(seen & ~kFlags);
        if (owner == nullptr) {
            if (try_take()) {
                return true;
            }
        } else {
            DEBUG_ASSERT(owner != arch::current_thread());
            bool wanted_elsewhere = (arch::preempt_state() & PerCpu::kNoRescheduleBit) == 0;
            if ((seen & kHandOver) != 0 || wanted_elsewhere || !owner->on_cpu()) {
                return false;
            }
        }
        arch::cpu_relax();
    }
    return false;
}

bool MutexWord::lock_contended(SleepKind kind) NO_THREAD_SAFETY_ANALYSIS {
    if (spin_while_owner_runs()) {
        return true;
    }
    QueuedWaiter waiter;
    arch::InterruptState state = lock_.lock();
    waiters_.push_back(waiter);
    word_.fetch_or(kWaiters, Order::relaxed);
    bool locked = false;
    for (;;) {
        // The owner leaves only under lock_ now that kWaiters is set.
        bool first = waiters_.front() == &waiter;
        locked = first && take_as_first_waiter();
        if (locked) {
            break;
        }
        if (first && waiter.parking.notified()) {
            word_.fetch_or(kHandOver, Order::relaxed);  // woken, and somebody was faster
        }
        waiter.parking.reset();
        lock_.unlock(state);
        WakeReason reason = waiter.parking.sleep(kind, Nanoseconds::never());
        state = lock_.lock();
        if (reason != WakeReason::Condition && !waiter.parking.notified()) {
            break;
        }
    }
    leave_queue(waiter);
    lock_.unlock(state);
    return locked;
}

/// The mutex is ours if it was handed over, or if nobody owns it.
bool MutexWord::take_as_first_waiter() {
    uptr seen = word_.load(Order::acquire);
    do {
        uptr owner = seen & ~kFlags;
        if (owner != 0) {
            return owner == current_owner();
        }
    } while (!word_.compare_exchange(seen, current_owner() | kWaiters, Order::acquire, Order::acquire));
    return true;
}

void MutexWord::leave_queue(QueuedWaiter& waiter) {
    bool was_first = waiters_.front() == &waiter;
    waiter.node.unlink();
    if (was_first) {
        word_.fetch_and(~kHandOver, Order::relaxed);  // it was this waiter's to ask for
    }
    if (waiters_.empty()) {
        word_.fetch_and(~kFlags, Order::relaxed);
    }
}

void MutexWord::unlock_contended() {
    SpinLockGuard guard(lock_);
    uptr seen = word_.load(Order::relaxed);
    ASSERT((seen & ~kFlags) == current_owner());
    QueuedWaiter* first = waiters_.front();
    if (first == nullptr) {
        word_.store(0, Order::release);
        return;
    }
    uptr successor = (seen & kHandOver) != 0 ? reinterpret_cast<uptr>(&first->parking.thread()) : 0;
    word_.store(successor | kWaiters, Order::release);
    first->parking.notify();
}

}  // namespace cairn::sync
