#pragma once
/// Mutex<Rank>: mutual exclusion between threads; a contender sleeps, after a short spin while the
/// owner runs on another CPU and is likely to be done soon.
///
///     MutexGuard guard(mutex_);
///     if (!mutex_.lock_killable()) { return fail(Errno::eintr); }
///
/// Fairness: unlock() wakes the first waiter without giving it the mutex, so that a running thread
/// may take it meanwhile, which keeps the mutex busy instead of idle for the length of a wake-up.
/// A first waiter that lost this race once asks for a hand-over, and the next unlock() makes it the
/// owner. So waiting is bounded, and the order is first come, first served but for that one chance.
///
/// Word: the owner's Thread*, or zero; bit 0: there are waiters; bit 1: hand over at unlock.

#include "kernel/base/list.h"
#include "kernel/sync/parking.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::sync {

/// What does not depend on the rank.
class MutexWord {
public:
    void lock();
    /// False when the thread was killed while it waited.
    [[nodiscard]] bool lock_killable();
    [[nodiscard]] bool try_lock();
    void unlock();
    bool held_by_current_thread() const;

private:
    struct QueuedWaiter {
        ListNode node;
        Parking parking;
    };
    static constexpr uptr kWaiters = 1;
    static constexpr uptr kHandOver = 2;
    static constexpr uptr kFlags = kWaiters | kHandOver;

    bool lock_contended(SleepKind kind);
    bool spin_while_owner_runs();
    bool try_take();
    bool take_as_first_waiter() REQUIRES(lock_);
    void leave_queue(QueuedWaiter& waiter) REQUIRES(lock_);
    void unlock_contended();

    Atomic<uptr> word_{0};
    SpinLock<LockRank::WaitQueue> lock_;
    List<QueuedWaiter, &QueuedWaiter::node> waiters_ GUARDED_BY(lock_);
};

/// Rank bookkeeping of sleeping locks in the current thread's list (checked builds).
void note_sleeping_lock_acquired(const void* lock, LockRank rank, RankUse use);
void note_sleeping_lock_released(const void* lock);

template <LockRank kRank>
class CAPABILITY("mutex") Mutex {
public:
    static_assert(kRank < LockRank::FirstSpinLock, "this rank belongs to a spinlock");
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    /// Thread context; may sleep.
    void lock(RankUse use = RankUse::Strict) ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
        DEBUG_ASSERT(sleep_allowed());
        note_acquired(use);
        word_.lock();
    }
    /// As lock(), but a killed thread gives up: false, and the mutex is not held.
    [[nodiscard]] bool lock_killable() TRY_ACQUIRE(true) NO_THREAD_SAFETY_ANALYSIS {
        DEBUG_ASSERT(sleep_allowed());
        note_acquired(RankUse::Strict);
        bool locked = word_.lock_killable();
        if (!locked) {
            note_released();
        }
        return locked;
    }
    /// Never sleeps; still only in thread context, since the owner is a thread.
    [[nodiscard]] bool try_lock() TRY_ACQUIRE(true) NO_THREAD_SAFETY_ANALYSIS {
        if (!word_.try_lock()) {
            return false;
        }
        note_acquired(RankUse::Strict);
        return true;
    }
    /// By the thread that locked it.
    void unlock() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
        note_released();
        word_.unlock();
    }
    void assert_held() const ASSERT_CAPABILITY(this) { DEBUG_ASSERT(word_.held_by_current_thread()); }

private:
    void note_acquired([[maybe_unused]] RankUse use) {
#if CAIRN_CHECKS
        note_sleeping_lock_acquired(this, kRank, use);
#endif
    }
    void note_released() {
#if CAIRN_CHECKS
        note_sleeping_lock_released(this);
#endif
    }
    MutexWord word_;
};

/// Holds a mutex for a scope.
template <LockRank kRank>
class SCOPED_CAPABILITY MutexGuard {
public:
    explicit MutexGuard(Mutex<kRank>& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexGuard() RELEASE() { mutex_.unlock(); }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;

private:
    Mutex<kRank>& mutex_;
};

/// Holds two different mutexes of one rank for a scope; taken in the order of their addresses.
template <LockRank kRank>
class SCOPED_CAPABILITY MutexPairGuard {
public:
    MutexPairGuard(Mutex<kRank>& a, Mutex<kRank>& b) ACQUIRE(a, b) NO_THREAD_SAFETY_ANALYSIS : lower_(&a < &b ? a : b),
                                                                                               upper_(&a < &b ? b : a) {
        ASSERT(&a != &b);
        lower_.lock();
        upper_.lock(RankUse::SecondOfPair);
    }
    ~MutexPairGuard() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
        upper_.unlock();
        lower_.unlock();
    }
    MutexPairGuard(const MutexPairGuard&) = delete;
    MutexPairGuard& operator=(const MutexPairGuard&) = delete;

private:
    Mutex<kRank>& lower_;
    Mutex<kRank>& upper_;
};

/// Data inside its mutex; the counterpart of SpinLocked.
template <typename T, LockRank kRank>
class MutexProtected {
public:
    template <typename... Arguments>
    explicit MutexProtected(Arguments&&... arguments) : data_{std::forward<Arguments>(arguments)...} {}

    template <typename Body>
    auto with(Body body) {
        MutexGuard guard(mutex_);
        return body(data_);
    }

private:
    Mutex<kRank> mutex_;
    T data_ GUARDED_BY(mutex_);
};

}  // namespace cairn::sync
