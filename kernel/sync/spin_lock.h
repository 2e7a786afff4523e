#pragma once
/// SpinLock<Rank>: mutual exclusion between CPUs for a few hundred instructions. It turns
/// interrupts off, and nothing sleeps under it. Test-and-test-and-set rather than tickets: in a
/// virtual machine a ticket may belong to a virtual CPU that does not run.
///
///     SpinLockGuard guard(lock_);          // or: locked_.with([](Data& data) { … });

#include "kernel/base/atomic.h"
#include "kernel/base/panic.h"
#include "kernel/base/thread_annotations.h"
#include "kernel/sync/lock_rank.h"
#include "kernel/sync/preemption.h"

namespace cairn {

/// What does not depend on the rank.
class SpinLockWord {
public:
    /// Interrupts are off. Spins; panics on a CPU's second acquisition (checked builds).
    [[gnu::always_inline]] void acquire() {
        if (!try_acquire()) [[unlikely]] {
            acquire_slowly();
        }
    }
    [[nodiscard, gnu::always_inline]] bool try_acquire() {
#if CAIRN_CHECKS
        u32 free = 0;
        return word_.compare_exchange(free, owner_mark(), Order::acquire, Order::relaxed);
#else
        // Nobody asks for the owner. One locked instruction sets the bit and tells what it was, and needs no register.
        return (word_.fetch_or(1, Order::acquire) & 1) == 0;
#endif
    }
    void release() { word_.store(0, Order::release); }
    bool held_by_this_cpu() const { return word_.load(Order::relaxed) == owner_mark(); }

private:
    [[gnu::noinline, gnu::cold]] void acquire_slowly() {
        do {
            DEBUG_ASSERT(!held_by_this_cpu());
            while (word_.load(Order::relaxed) != 0) {
                arch::cpu_relax();
            }
        } while (!try_acquire());
    }
    static u32 owner_mark() { return arch::this_cpu().index.value + 1; }
    Atomic<u32> word_{0};  // 0 free, else the owner's CPU index + 1 (with checks) or 1
};

template <LockRank kRank>
class CAPABILITY("spinlock") SpinLock {
public:
    static_assert(kRank > LockRank::FirstSpinLock, "this rank belongs to a sleeping lock");
    constexpr SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    /// Returns what unlock() must be given: whether interrupts were on before.
    [[nodiscard]] arch::InterruptState lock(RankUse use = RankUse::Strict) ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
        arch::InterruptState state = arch::disable_interrupts();
        note_acquired(use);
        word_.acquire();
        return state;
    }
    void unlock(arch::InterruptState state) RELEASE() NO_THREAD_SAFETY_ANALYSIS {
        unlock_keep_interrupts_off();
        arch::restore_interrupts(state);
        preempt_if_wanted();
    }
    /// For callers that have turned interrupts off themselves (scheduler, interrupt handlers).
    [[gnu::always_inline]] void lock_interrupts_off(RankUse use = RankUse::Strict) ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
        DEBUG_ASSERT(!arch::interrupts_enabled());
        note_acquired(use);
        word_.acquire();
    }
    [[gnu::always_inline]] void unlock_keep_interrupts_off() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
        word_.release();
#if CAIRN_CHECKS
        note_lock_released(arch::this_cpu().held_spin_locks, this);
#endif
    }
    /// Interrupts are off. Takes the lock only if it is free.
    [[nodiscard]] bool try_lock_interrupts_off() TRY_ACQUIRE(true) NO_THREAD_SAFETY_ANALYSIS {
        if (!word_.try_acquire()) {
            return false;
        }
        note_acquired(RankUse::Strict);
        return true;
    }
    void assert_held() const ASSERT_CAPABILITY(this) { DEBUG_ASSERT(word_.held_by_this_cpu()); }

private:
    void note_acquired([[maybe_unused]] RankUse use) {
#if CAIRN_CHECKS
        note_lock_acquired(arch::this_cpu().held_spin_locks, this, kRank, use);
#endif
    }
    SpinLockWord word_;
};

/// Holds a spinlock for a scope.
template <LockRank kRank>
class SCOPED_CAPABILITY SpinLockGuard {
public:
    explicit SpinLockGuard(SpinLock<kRank>& lock) ACQUIRE(lock) : lock_(lock), state_(lock.lock()) {}
    ~SpinLockGuard() RELEASE() { lock_.unlock(state_); }
    SpinLockGuard(const SpinLockGuard&) = delete;
    SpinLockGuard& operator=(const SpinLockGuard&) = delete;

private:
    SpinLock<kRank>& lock_;
    arch::InterruptState state_;
};

/// Holds a spinlock for a scope that begins with interrupts on, which need not be found out: system calls, and what
/// else is known to be thread context without a lock.
template <LockRank kRank>
class SCOPED_CAPABILITY OutermostSpinLockGuard {
public:
    explicit OutermostSpinLockGuard(SpinLock<kRank>& lock) ACQUIRE(lock) : lock_(lock) {
        DEBUG_ASSERT(arch::interrupts_enabled());
        arch::forbid_interrupts();
        lock_.lock_interrupts_off();
    }
    ~OutermostSpinLockGuard() RELEASE() {
        lock_.unlock_keep_interrupts_off();
        arch::enable_interrupts();
        preempt_if_wanted();
    }
    OutermostSpinLockGuard(const OutermostSpinLockGuard&) = delete;
    OutermostSpinLockGuard& operator=(const OutermostSpinLockGuard&) = delete;

private:
    SpinLock<kRank>& lock_;
};

/// Holds a spinlock for a scope within that of another one, which keeps interrupts off.
template <LockRank kRank>
class SCOPED_CAPABILITY InnerSpinLockGuard {
public:
    explicit InnerSpinLockGuard(SpinLock<kRank>& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock_interrupts_off(); }
    ~InnerSpinLockGuard() RELEASE() { lock_.unlock_keep_interrupts_off(); }
    InnerSpinLockGuard(const InnerSpinLockGuard&) = delete;
    InnerSpinLockGuard& operator=(const InnerSpinLockGuard&) = delete;

private:
    SpinLock<kRank>& lock_;
};

/// Holds two different spinlocks of one rank for a scope; taken in the order of their addresses.
template <LockRank kRank>
class SCOPED_CAPABILITY SpinLockPairGuard {
public:
    SpinLockPairGuard(SpinLock<kRank>& a, SpinLock<kRank>& b) ACQUIRE(a, b) NO_THREAD_SAFETY_ANALYSIS
        : lower_(&a < &b ? a : b),
          upper_(&a < &b ? b : a),
          state_(lower_.lock()) {
        ASSERT(&a != &b);
        upper_.lock_interrupts_off(RankUse::SecondOfPair);
    }
    ~SpinLockPairGuard() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
        upper_.unlock_keep_interrupts_off();
        lower_.unlock(state_);
    }
    SpinLockPairGuard(const SpinLockPairGuard&) = delete;
    SpinLockPairGuard& operator=(const SpinLockPairGuard&) = delete;

private:
    SpinLock<kRank>& lower_;
    SpinLock<kRank>& upper_;
    arch::InterruptState state_;
};

/// Data inside its lock: nobody reaches the data without holding it. `with` callbacks return
/// values, not references to the data.
template <typename T, LockRank kRank>
class SpinLocked {
public:
    template <typename... Arguments>
    constexpr explicit SpinLocked(Arguments&&... arguments) : data_{std::forward<Arguments>(arguments)...} {}

    template <typename Body>
    auto with(Body body) {
        SpinLockGuard guard(lock_);
        return body(data_);
    }

private:
    SpinLock<kRank> lock_;
    T data_ GUARDED_BY(lock_);
};

}  // namespace cairn
