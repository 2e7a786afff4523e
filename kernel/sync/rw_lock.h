#pragma once
/// RwLock<Rank>: many readers or one writer; sleeps. Fair to writers: once a writer waits, later
/// readers queue up behind it. Whoever releases hands the lock over: to the first waiter, and if
/// that is a reader, to all readers that wait directly behind it.
///
/// Word: bit 0: there are waiters; bit 1: a writer holds it; the rest counts readers.

#include "kernel/base/list.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/parking.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::sync {

/// What does not depend on the rank.
class RwLockWord {
public:
    /// False when a Killable or Interruptible wait was ended; the lock is not held then.
    bool lock_shared(SleepKind kind);
    bool lock_exclusive(SleepKind kind);
    [[nodiscard]] bool try_lock_shared();
    [[nodiscard]] bool try_lock_exclusive();
    void unlock_shared();
    void unlock_exclusive();
    bool held_exclusive() const { return (word_.load(Order::relaxed) & kWriter) != 0; }
    bool held() const { return word_.load(Order::relaxed) >= kWriter; }

private:
    enum class Access : u8 { Shared, Exclusive };
    struct RwWaiter {
        ListNode node;
        Access access;
        Parking parking;
    };
    static constexpr u64 kWaiters = 1;
    static constexpr u64 kWriter = 2;
    static constexpr u64 kReader = 4;

    bool lock_contended(Access access, SleepKind kind);
    void hand_over() REQUIRES(lock_);

    Atomic<u64> word_{0};
    SpinLock<LockRank::WaitQueue> lock_;
    List<RwWaiter, &RwWaiter::node> waiters_ GUARDED_BY(lock_);
};

template <LockRank kRank>
class CAPABILITY("rw_lock") RwLock {
public:
    static_assert(kRank < LockRank::FirstSpinLock, "this rank belongs to a spinlock");
    RwLock() = default;
    RwLock(const RwLock&) = delete;
    RwLock& operator=(const RwLock&) = delete;

    /// Thread context; may sleep.
    void lock_shared() ACQUIRE_SHARED() NO_THREAD_SAFETY_ANALYSIS {
        DEBUG_ASSERT(sleep_allowed());
        note_acquired();
        static_cast<void>(word_.lock_shared(SleepKind::Uninterruptible));
    }
    void unlock_shared() RELEASE_SHARED() NO_THREAD_SAFETY_ANALYSIS {
        note_released();
        word_.unlock_shared();
    }
    void lock_exclusive(RankUse use = RankUse::Strict) ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
        DEBUG_ASSERT(sleep_allowed());
        note_acquired(use);
        static_cast<void>(word_.lock_exclusive(SleepKind::Uninterruptible));
    }
    void unlock_exclusive() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
        note_released();
        word_.unlock_exclusive();
    }
    /// False when the thread was killed while it waited; the lock is not held then.
    [[nodiscard]] bool lock_exclusive_killable() TRY_ACQUIRE(true) NO_THREAD_SAFETY_ANALYSIS {
        DEBUG_ASSERT(sleep_allowed());
        note_acquired();
        bool locked = word_.lock_exclusive(SleepKind::Killable);
        if (!locked) {
            note_released();
        }
        return locked;
    }
    void assert_held_exclusive() const ASSERT_CAPABILITY(this) { DEBUG_ASSERT(word_.held_exclusive()); }

private:
    void note_acquired([[maybe_unused]] RankUse use = RankUse::Strict) {
#if CAIRN_CHECKS
        note_sleeping_lock_acquired(this, kRank, use);
#endif
    }
    void note_released() {
#if CAIRN_CHECKS
        note_sleeping_lock_released(this);
#endif
    }
    RwLockWord word_;
};

/// Holds an RwLock for reading, for a scope.
template <LockRank kRank>
class SCOPED_CAPABILITY SharedGuard {
public:
    explicit SharedGuard(RwLock<kRank>& lock) ACQUIRE_SHARED(lock) : lock_(lock) { lock_.lock_shared(); }
    ~SharedGuard() RELEASE_GENERIC() { lock_.unlock_shared(); }
    SharedGuard(const SharedGuard&) = delete;
    SharedGuard& operator=(const SharedGuard&) = delete;

private:
    RwLock<kRank>& lock_;
};

/// Holds an RwLock for writing, for a scope.
template <LockRank kRank>
class SCOPED_CAPABILITY ExclusiveGuard {
public:
    explicit ExclusiveGuard(RwLock<kRank>& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock_exclusive(); }
    ~ExclusiveGuard() RELEASE() { lock_.unlock_exclusive(); }
    ExclusiveGuard(const ExclusiveGuard&) = delete;
    ExclusiveGuard& operator=(const ExclusiveGuard&) = delete;

private:
    RwLock<kRank>& lock_;
};

}  // namespace cairn::sync
