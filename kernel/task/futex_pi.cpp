/// Priority-inheriting futexes: the word holds the owner's thread id, and the kernel hands the lock over
/// (futex(2), "Priority-inheritance futexes"). The most urgent waiter is next; among equals, the first.

#include "kernel/signal/signal.h"
#include "kernel/task/futex_queue.h"

namespace cairn::task {

namespace {

constexpr u32 kWaiters = 0x8000'0000, kOwnerDied = 0x4000'0000, kTidMask = 0x3fff'ffff;

FutexWaiter* most_urgent(FutexBucket& bucket, const mm::FutexKey& key, const FutexWaiter* besides) {
    FutexWaiter* best = nullptr;
    for (FutexWaiter& waiter : bucket.waiters) {
        if (&waiter != besides && waiter.wants_lock && waiter.key.same(key) &&
            (best == nullptr || waiter.urgency > best->urgency)) {
            best = &waiter;
        }
    }
    return best;
}

/// Threads that wait for such locks, so that the end of a thread need not look for them when there are none.
constinit Atomic<u32> lock_waiters{0};

/// Real-time threads by priority, the others alike.
i32 urgency_of(sched::Thread& thread) {
    return thread.is_realtime() ? static_cast<i32>(thread.realtime.priority) : 0;
}

enum class Attempt : u8 { Acquired, Queued, TouchPage };

/// Takes the lock for `tid` if it is free; else marks it contended. The bucket is locked. Errors: EDEADLK, ESRCH.
Result<Attempt> try_acquire(FutexBucket& bucket, const mm::FutexKey& key, u64 address, i32 tid, Task** owner,
                            bool try_only) {
    for (;;) {
        u32 value = 0;
        if (!load_word(address, value)) {
            return Attempt::TouchPage;
        }
        const u32 holder = value & kTidMask;
        if (holder == static_cast<u32>(tid)) {
            return fail(Errno::edeadlk);
        }
        u32 wanted = value | kWaiters;
        const bool free = holder == 0;
        if (free) {
            const bool others = most_urgent(bucket, key, nullptr) != nullptr;
            wanted = static_cast<u32>(tid) | (value & kOwnerDied) | (others ? kWaiters : 0);
        } else if (try_only) {
            return fail(Errno::eagain);
        }
        Result<u32> seen = arch::user_compare_exchange_u32({address}, value, wanted);
        if (!seen.ok()) {
            return Attempt::TouchPage;
        }
        if (seen.value() != value) {
            continue;
        }
        if (free) {
            return Attempt::Acquired;
        }
        *owner = nullptr;
        SpinLockGuard guard(g_kernel.tasks->lock);
        Pid* pid = g_kernel.tasks->find_locked(static_cast<i32>(holder));
        if (pid == nullptr || pid->task == nullptr || pid->task->exiting.load(Order::relaxed)) {
            return fail(Errno::esrch);
        }
        *owner = pid->task;  // compared, never followed
        return Attempt::Queued;
    }
}

/// Makes `waiter` the owner in the word. The bucket is locked. False: the page must be touched first.
bool grant(FutexBucket& bucket, FutexWaiter& waiter, u64 address, u32 extra) {
    u32 value = 0;
    for (;;) {
        if (!load_word(address, value)) {
            return false;
        }
        const bool others = most_urgent(bucket, waiter.key, &waiter) != nullptr;
        const u32 wanted = static_cast<u32>(waiter.tid) | (others ? kWaiters : 0) | extra;
        Result<u32> seen = arch::user_compare_exchange_u32({address}, value, wanted);
        if (!seen.ok()) {
            return false;
        }
        if (seen.value() == value) {
            break;
        }
    }
    waiter.granted = true;
    wake_waiter_locked(waiter);
    return true;
}

/// Sleeps until the lock is handed over.
Result<void> sleep_for_lock(FutexWaiter& waiter, Nanoseconds deadline) {
    lock_waiters.fetch_add(1, Order::relaxed);
    const sync::WakeReason reason = waiter.parking.sleep(sync::SleepKind::Interruptible, deadline);
    const bool handed_over = reason == sync::WakeReason::Condition || !leave_bucket(waiter);
    lock_waiters.fetch_sub(1, Order::relaxed);
    if (handed_over) {
        return {};
    }
    return fail(reason == sync::WakeReason::TimedOut ? Errno::etimedout : Errno::eintr);
}

}  // namespace

Result<void> futex_lock_pi(const FutexWord& word, Nanoseconds deadline, bool try_only) {
    Task& self = current_task();
    sync::Parking parking;
    FutexWaiter waiter(parking);
    waiter.key = TRY(key_of(word));
    waiter.tid = self.number();
    waiter.wants_lock = true;
    waiter.urgency = urgency_of(self.thread());
    FutexBucket& bucket = bucket_of(waiter.key);
    for (;;) {
        {
            SpinLockGuard guard(bucket.lock);
            const Attempt attempt =
                TRY(try_acquire(bucket, waiter.key, word.address, waiter.tid, &waiter.owner, try_only));
            if (attempt == Attempt::Acquired) {
                return {};
            }
            if (attempt == Attempt::Queued) {
                waiter.bucket.store(&bucket, Order::relaxed);
                bucket.waiters.push_back(waiter);
                break;
            }
        }
        TRY(touch_word(word.address, mm::FaultAccess::Write));
    }
    return sleep_for_lock(waiter, deadline);
}

Result<void> futex_unlock_pi(const FutexWord& word) {
    Task& self = current_task();
    mm::FutexKey key = TRY(key_of(word));
    FutexBucket& bucket = bucket_of(key);
    for (;;) {
        {
            SpinLockGuard guard(bucket.lock);
            u32 value = 0;
            if (load_word(word.address, value)) {
                if ((value & kTidMask) != static_cast<u32>(self.number())) {
                    return fail(Errno::eperm);
                }
                FutexWaiter* next = most_urgent(bucket, key, nullptr);
                if (next != nullptr) {
                    // Those that stay wait for another owner from now on.
                    for (FutexWaiter& waiter : bucket.waiters) {
                        if (waiter.wants_lock && waiter.key.same(key)) {
                            waiter.owner = next->parking.thread().task();
                        }
                    }
                    if (grant(bucket, *next, word.address, 0)) {
                        return {};
                    }
                } else {
                    Result<u32> seen = arch::user_compare_exchange_u32({word.address}, value, 0);
                    if (seen.ok() && seen.value() == value) {
                        return {};
                    }
                    if (seen.ok()) {
                        return fail(Errno::eagain);
                    }
                }
            }
        }
        TRY(touch_word(word.address, mm::FaultAccess::Write));
    }
}

Result<void> futex_wait_requeue_pi(const FutexWord& word, u32 expected, u32 bitset, Nanoseconds deadline,
                                   const FutexWord& lock) {
    if (bitset == 0 || (word.address == lock.address)) {
        return fail(Errno::einval);
    }
    Task& self = current_task();
    mm::FutexKey lock_key = TRY(key_of(lock));
    sync::Parking parking;
    FutexWaiter waiter(parking);
    waiter.key = TRY(key_of(word));
    waiter.bitset = bitset;
    waiter.tid = self.number();
    waiter.urgency = urgency_of(self.thread());
    waiter.requeue_to = &lock_key;
    FutexBucket& bucket = bucket_of(waiter.key);
    for (;;) {
        {
            SpinLockGuard guard(bucket.lock);
            u32 value = 0;
            if (load_word(word.address, value)) {
                if (value != expected) {
                    return fail(Errno::eagain);
                }
                waiter.bucket.store(&bucket, Order::relaxed);
                bucket.waiters.push_back(waiter);
                break;
            }
        }
        TRY(touch_word(word.address, mm::FaultAccess::Read));
    }
    TRY(sleep_for_lock(waiter, deadline));
    if (waiter.granted) {
        return {};
    }
    // Woken by a plain FUTEX_WAKE or FUTEX_REQUEUE without the lock.
    return fail(Errno::eagain);
}

Result<u32> futex_requeue_pi(const FutexWord& word, const FutexWord& lock, u32 move, u32 expected) {
    mm::FutexKey from_key = TRY(key_of(word));
    mm::FutexKey to_key = TRY(key_of(lock));
    if (from_key.same(to_key)) {
        return fail(Errno::einval);
    }
    FutexBucket& from = bucket_of(from_key);
    FutexBucket& to = bucket_of(to_key);
    u32 done = 0;
    for (;;) {
        {
            BucketPairGuard guard(from, to);
            u32 value = 0;
            bool touched = load_word(word.address, value);
            if (touched && value != expected && done == 0) {
                return fail(Errno::eagain);
            }
            FutexWaiter* waiter = from.waiters.front();
            while (touched && waiter != nullptr && done < 1 + move) {
                FutexWaiter* next = from.waiters.next(*waiter);
                if (!waiter->key.same(from_key)) {
                    waiter = next;
                    continue;
                }
                if (waiter->requeue_to == nullptr || !waiter->requeue_to->same(to_key)) {
                    return fail(Errno::einval);
                }
                Result<Attempt> attempt = try_acquire(to, to_key, lock.address, waiter->tid, &waiter->owner, false);
                if (!attempt.ok()) {
                    return attempt.failure();
                }
                touched = attempt.value() != Attempt::TouchPage;
                if (attempt.value() == Attempt::Acquired) {
                    waiter->granted = true;
                    wake_waiter_locked(*waiter);
                    ++done;
                } else if (attempt.value() == Attempt::Queued) {
                    waiter->wants_lock = true;
                    move_waiter_locked(*waiter, to, to_key);
                    ++done;
                }
                waiter = next;
            }
            if (touched) {
                return done;
            }
        }
        TRY(touch_word(word.address, mm::FaultAccess::Read));
        TRY(touch_word(lock.address, mm::FaultAccess::Write));
    }
}

void release_pi_futexes(Task& dying) {
    if (lock_waiters.load(Order::seq_cst) == 0) {
        return;
    }
    for (u32 i = 0; i < kFutexBuckets; ++i) {
        FutexBucket& bucket = futex_buckets[i];
        SpinLockGuard guard(bucket.lock);
        for (FutexWaiter* waiter = bucket.waiters.front(); waiter != nullptr;) {
            if (!waiter->wants_lock || waiter->owner != &dying) {
                waiter = bucket.waiters.next(*waiter);
                continue;
            }
            FutexWaiter* heir = most_urgent(bucket, waiter->key, nullptr);
            for (FutexWaiter& other : bucket.waiters) {
                if (other.wants_lock && other.key.same(heir->key)) {
                    other.owner = heir->parking.thread().task();
                }
            }
            // Its own address of the word is not known here; a private word has the same one in every thread.
            if (!grant(bucket, *heir, heir->key.offset, kOwnerDied)) {
                heir->granted = true;
                wake_waiter_locked(*heir);
            }
            waiter = bucket.waiters.front();
        }
    }
}

}  // namespace cairn::task
