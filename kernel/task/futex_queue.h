#pragma once
/// What futex.cpp and futex_pi.cpp share: waiters and buckets.

#include "kernel/task/futex.h"

namespace cairn::task {

struct FutexBucket;

/// One wait, on the sleeper's stack. `node`, `key` and `bucket` change under the lock of the bucket that it is in.
struct FutexWaiter {
    explicit FutexWaiter(sync::Parking& parking_) : parking(parking_) {}
    ListNode node;
    mm::FutexKey key;
    u32 bitset = kMatchAny;
    sync::Parking& parking;
    Atomic<FutexBucket*> bucket{nullptr};  // where it waits, or waited last
    // Priority inheritance:
    bool wants_lock = false;  // waits to own the lock, not to be told of a change
    bool granted = false;     // it owns the lock now
    u32 dead_owner = 0;       // who ended where the word could not be reached: the lock is to be tried for again
    i32 tid = 0;
    LockWaiter lock_wait{current_task()};
    const mm::FutexKey* requeue_to = nullptr;  // FUTEX_WAIT_REQUEUE_PI
};

/// On a cache line of its own: neighbours have nothing to do with each other.
struct alignas(kCacheLine) FutexBucket {
    SpinLock<LockRank::FutexBucket> lock;
    List<FutexWaiter, &FutexWaiter::node> waiters;
};

constexpr u32 kFutexBuckets = 256;
extern constinit FutexBucket* futex_buckets;

FutexBucket& bucket_of(const mm::FutexKey& key);
/// EINVAL (unaligned), EFAULT.
Result<mm::FutexKey> key_of(const FutexWord& word);

/// The word under a spinlock; false: the page must be touched first.
inline bool load_word(u64 address, u32& value) {
    Result<u32> loaded = arch::user_load_u32({address});
    if (!loaded.ok()) {
        return false;
    }
    value = loaded.value();
    return true;
}
/// Brings the page in, outside all locks. EFAULT.
Result<void> touch_word(u64 address, mm::FaultAccess access);

/// Locks the two buckets of a pair of keys, which may be the same.
class BucketPairGuard {
public:
    BucketPairGuard(FutexBucket& a, FutexBucket& b) NO_THREAD_SAFETY_ANALYSIS : lower_(&a < &b ? a : b),
                                                                                upper_(&a < &b ? b : a),
                                                                                state_(lower_.lock.lock()) {
        if (&lower_ != &upper_) {
            upper_.lock.lock_interrupts_off(RankUse::SecondOfPair);
        }
    }
    ~BucketPairGuard() NO_THREAD_SAFETY_ANALYSIS {
        if (&lower_ != &upper_) {
            upper_.lock.unlock_keep_interrupts_off();
        }
        lower_.lock.unlock(state_);
    }
    BucketPairGuard(const BucketPairGuard&) = delete;
    BucketPairGuard& operator=(const BucketPairGuard&) = delete;

private:
    FutexBucket& lower_;
    FutexBucket& upper_;
    arch::InterruptState state_;
};

/// Takes a waiter out and wakes it; the bucket is locked. The waiter may be gone afterwards.
void wake_waiter_locked(FutexWaiter& waiter);
/// Takes the calling thread's waiter out of the bucket it is in now, and out of its wait for a lock; false: somebody
/// woke it.
bool leave_bucket(FutexWaiter& waiter);
/// Moves a waiter to another bucket and key; both are locked. The old key's reference goes to `dropped`.
void move_waiter_locked(FutexWaiter& waiter, FutexBucket& to, const mm::FutexKey& key);

}  // namespace cairn::task
