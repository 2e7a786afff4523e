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
            (best == nullptr || waiter.parking.thread().urgency() > best->parking.thread().urgency())) {
            best = &waiter;
        }
    }
    return best;
}

/// Whether somebody waits on the word in the ordinary way.
bool has_plain_waiter(FutexBucket& bucket, const mm::FutexKey& key) {
    for (FutexWaiter& waiter : bucket.waiters) {
        if (waiter.key.same(key) && !waiter.wants_lock) {
            return true;
        }
    }
    return false;
}

/// Those who stay wait for another owner from now on. The bucket is locked.
void change_owner(FutexBucket& bucket, const mm::FutexKey& key, Task& owner) {
    for (FutexWaiter& waiter : bucket.waiters) {
        if (waiter.wants_lock && waiter.key.same(key) && &waiter.lock_wait.waiter != &owner) {
            change_lock_owner(waiter.lock_wait, owner);
        }
    }
}

enum class Attempt : u8 { Acquired, MustWait, TouchPage };
enum class Mode : u8 { Wait, TryOnly };

/// Begins to wait for the thread with this id. ESRCH, EDEADLK.
Result<Attempt> wait_for_owner(FutexWaiter& waiter, u32 holder) {
    SpinLockGuard guard(g_kernel.tasks->lock);
    Pid* pid = g_kernel.tasks->find_locked(static_cast<i32>(holder));
    if (pid == nullptr || pid->task == nullptr) {
        return fail(Errno::esrch);
    }
    TRY(begin_lock_wait(waiter.lock_wait, *pid->task));
    return Attempt::MustWait;
}

/// Takes the lock for the waiter if it is free; else marks it contended and waits for its owner. The bucket is locked.
/// EDEADLK, ESRCH; EAGAIN for TryOnly.
Result<Attempt> try_acquire(FutexBucket& bucket, const mm::FutexKey& key, u64 address, FutexWaiter& waiter, Mode mode) {
    for (;;) {
        u32 value = 0;
        if (!load_word(address, value)) {
            return Attempt::TouchPage;
        }
        const u32 holder = value & kTidMask;
        if (holder == static_cast<u32>(waiter.tid)) {
            return fail(Errno::edeadlk);
        }
        if (has_plain_waiter(bucket, key)) {
            return fail(Errno::einval);
        }
        u32 wanted = value | kWaiters;
        const bool inherited = holder != 0 && holder == waiter.dead_owner;
        const bool free = holder == 0 || inherited;
        if (free) {
            const bool others = most_urgent(bucket, key, nullptr) != nullptr;
            wanted = static_cast<u32>(waiter.tid) | (inherited ? kOwnerDied : value & kOwnerDied) |
                     (others || waiter.dead_owner != 0 ? kWaiters : 0);
        } else if (mode == Mode::TryOnly) {
            return fail(Errno::eagain);
        }
        Result<u32> seen = arch::user_compare_exchange_u32({address}, value, wanted);
        if (!seen.ok()) {
            return Attempt::TouchPage;
        }
        if (seen.value() != value) {
            continue;
        }
        if (!free) {
            // One that is to be moved here stands in the bucket that it comes from.
            if (!waiter.node.linked()) {
                waiter.bucket.store(&bucket, Order::relaxed);
            }
            Result<Attempt> waits = wait_for_owner(waiter, holder);
            // An owner that has ended may have left the lock behind properly after the word was read.
            u32 left = 0;
            if (!waits.ok() && waits.error() == Errno::esrch && load_word(address, left) && left != wanted) {
                continue;
            }
            return waits;
        }
        change_owner(bucket, key, waiter.lock_wait.waiter);
        return Attempt::Acquired;
    }
}

/// Makes `waiter` the owner in the word, marked as waited for, so that it gives the lock back through the kernel. The
/// bucket is locked. False: the page must be touched first.
bool grant(FutexBucket& bucket, FutexWaiter& waiter, u64 address, u32 extra) {
    u32 value = 0;
    for (;;) {
        if (!load_word(address, value)) {
            return false;
        }
        const u32 wanted = static_cast<u32>(waiter.tid) | kWaiters | extra;
        Result<u32> seen = arch::user_compare_exchange_u32({address}, value, wanted);
        if (!seen.ok()) {
            return false;
        }
        if (seen.value() == value) {
            break;
        }
    }
    waiter.granted = true;
    end_lock_wait(waiter.lock_wait);
    change_owner(bucket, waiter.key, waiter.lock_wait.waiter);
    wake_waiter_locked(waiter);
    return true;
}

/// Sleeps until the lock is handed over, or is to be tried for again.
Result<void> sleep_for_lock(FutexWaiter& waiter, Nanoseconds deadline) {
    const sync::WakeReason reason = waiter.parking.sleep(sync::SleepKind::Interruptible, deadline);
    if (reason == sync::WakeReason::Condition || !leave_bucket(waiter)) {
        return {};
    }
    return fail(reason == sync::WakeReason::TimedOut ? Errno::etimedout : Errno::eintr);
}

/// Takes the lock or sleeps until it is handed over.
Result<void> acquire(FutexWaiter& waiter, u64 address, Nanoseconds deadline, Mode mode) {
    FutexBucket& bucket = bucket_of(waiter.key);
    for (;;) {
        Attempt attempt{};
        {
            SpinLockGuard guard(bucket.lock);
            attempt = TRY(try_acquire(bucket, waiter.key, address, waiter, mode));
            if (attempt == Attempt::Acquired) {
                return {};
            }
            if (attempt == Attempt::MustWait) {
                waiter.parking.reset();  // whoever woke it to try again is done with that
                waiter.wants_lock = true;
                bucket.waiters.push_back(waiter);
            }
        }
        if (attempt == Attempt::MustWait) {
            TRY(sleep_for_lock(waiter, deadline));
            if (waiter.granted) {
                return {};
            }
        } else {
            TRY(touch_word(address, mm::FaultAccess::Write));
        }
    }
}

}  // namespace

Result<void> futex_lock_pi(const FutexWord& word, Nanoseconds deadline, bool try_only) {
    sync::Parking parking;
    FutexWaiter waiter(parking);
    waiter.key = TRY(key_of(word));
    waiter.tid = current_task().number();
    return acquire(waiter, word.address, deadline, try_only ? Mode::TryOnly : Mode::Wait);
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
    Result<void> slept = sleep_for_lock(waiter, deadline);
    if (!slept.ok()) {
        // Who was moved already cannot wait again from the beginning.
        return slept.error() == Errno::eintr && waiter.wants_lock ? fail(Errno::eagain) : slept.failure();
    }
    return waiter.granted ? Result<void>() : acquire(waiter, lock.address, deadline, Mode::Wait);
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
                const Attempt attempt = TRY(try_acquire(to, to_key, lock.address, *waiter, Mode::Wait));
                touched = attempt != Attempt::TouchPage;
                if (attempt == Attempt::Acquired) {
                    waiter->granted = true;
                    wake_waiter_locked(*waiter);
                    ++done;
                } else if (attempt == Attempt::MustWait) {
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

namespace {

/// The owner of a lock ends, and `waiter` is one of those who wait for it. The bucket is locked.
void hand_over(FutexBucket& bucket, FutexWaiter& waiter, Task& dying) {
    const mm::FutexKey& key = waiter.key;
    FutexWaiter* heir = most_urgent(bucket, key, nullptr);
    // A private word has the same address in every thread, but who waits may have told its own process of this thread.
    const bool in_reach = !key.kept && &heir->lock_wait.waiter.address_space() == &dying.address_space();
    if (in_reach && grant(bucket, *heir, key.offset & ~u64{3}, kOwnerDied)) {
        return;
    }
    // The word lies in memory that is not reached from here: its waiters find out who is next.
    for (heir = bucket.waiters.front(); heir != nullptr;) {
        FutexWaiter* next = bucket.waiters.next(*heir);
        if (heir->wants_lock && heir->lock_wait.owner == &dying) {
            heir->dead_owner = static_cast<u32>(dying.number());
            end_lock_wait(heir->lock_wait);
            wake_waiter_locked(*heir);
        }
        heir = next;
    }
}

FutexWaiter& of(LockWaiter& waiter) {
    return *object_of_member<FutexWaiter, LockWaiter, &FutexWaiter::lock_wait>(&waiter);
}

}  // namespace

void release_pi_futexes(Task& dying) {
    for (usize left = count_lock_waiters(dying); left != 0; --left) {
        FutexBucket* bucket = nullptr;
        const auto look = [](LockWaiter& waiter, void* found) {
            *static_cast<FutexBucket**>(found) = of(waiter).bucket.load(Order::relaxed);
        };
        if (!find_lock_waiter(dying, look, &bucket)) {
            return;
        }
        FutexBucket& place = *bucket;
        SpinLockGuard guard(place.lock);
        for (FutexWaiter& waiter : place.waiters) {
            if (waiter.wants_lock && waiter.lock_wait.owner == &dying) {
                hand_over(place, waiter, dying);
                break;
            }
        }
    }
}

void end_pi_ownership(Task& self) {
    // Not for ever: somebody who wants to could begin to wait again and again. Who then comes is told ESRCH.
    constexpr u32 kRounds = 16;
    for (u32 round = 0; round < kRounds; ++round) {
        if (refuse_lock_waiters(self, Refusing::IfNobodyWaits)) {
            return;
        }
        release_pi_futexes(self);
    }
    refuse_lock_waiters(self, Refusing::AnyWay);
    do {
        release_pi_futexes(self);  // misses one that is being moved just now
    } while (count_lock_waiters(self) != 0);
}

}  // namespace cairn::task
