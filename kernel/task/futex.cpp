#include "kernel/task/futex.h"

#include <new>

#include "kernel/task/futex_queue.h"

namespace cairn::task {

constinit FutexBucket* futex_buckets = nullptr;

Result<void> initialize_futexes() {
    void* memory = heap_allocate(sizeof(FutexBucket) * kFutexBuckets, alignof(FutexBucket));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    futex_buckets = static_cast<FutexBucket*>(memory);
    for (u32 i = 0; i < kFutexBuckets; ++i) {
        std::construct_at(futex_buckets + i);
    }
    return {};
}

FutexBucket& bucket_of(const mm::FutexKey& key) {
    u64 hash = (key.object + key.offset / sizeof(u32)) * 0x9e37'79b9'7f4a'7c15;
    return futex_buckets[hash >> 56];
}

Result<mm::FutexKey> key_of(const FutexWord& word) {
    if (!is_aligned(word.address, sizeof(u32))) {
        return fail(Errno::einval);
    }
    return current_task().address_space().futex_key({word.address}, word.scope);
}

Result<void> touch_word(u64 address, mm::FaultAccess access) {
    if (access == mm::FaultAccess::Write) {
        // A compare-and-exchange that changes nothing needs write access all the same.
        TRY(arch::user_fetch_operation({address}, arch::UserAtomicOperation::Or, 0));
        return {};
    }
    TRY(arch::user_load_u32({address}));
    return {};
}

void wake_waiter_locked(FutexWaiter& waiter) {
    waiter.node.unlink();
    waiter.parking.notify();  // from here on it may be gone
}

bool leave_bucket(FutexWaiter& waiter) {
    for (;;) {
        FutexBucket* bucket = waiter.bucket.load(Order::acquire);
        if (bucket == nullptr) {
            return false;
        }
        // Whoever wakes it holds this lock until the waiter's memory is no longer needed.
        SpinLockGuard guard(bucket->lock);
        if (waiter.bucket.load(Order::relaxed) != bucket) {
            continue;  // it was moved just now
        }
        if (!waiter.node.linked()) {
            return false;
        }
        waiter.node.unlink();
        if (waiter.wants_lock) {
            end_lock_wait(waiter.lock_wait);
        }
        return true;
    }
}

void move_waiter_locked(FutexWaiter& waiter, FutexBucket& to, const mm::FutexKey& key) {
    waiter.node.unlink();
    // What the old key kept alive is kept by the requeuing caller, whose key is the same.
    waiter.key = key;
    waiter.bucket.store(&to, Order::release);
    to.waiters.push_back(waiter);
}

namespace {

/// Joins the bucket if the word still is what the caller saw. EAGAIN otherwise; EFAULT.
Result<void> join_if_unchanged(FutexWaiter& waiter, const FutexWord& word, u32 expected) {
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
                return {};
            }
        }
        TRY(touch_word(word.address, mm::FaultAccess::Read));
    }
}

Result<void> result_of(sync::WakeReason reason) {
    return fail(reason == sync::WakeReason::TimedOut ? Errno::etimedout : Errno::eintr);
}

/// EINVAL for waiters of the other kind, those for a lock.
Result<u32> wake_locked(FutexBucket& bucket, const mm::FutexKey& key, u32 count, u32 bitset) {
    u32 woken = 0;
    for (FutexWaiter* waiter = bucket.waiters.front(); waiter != nullptr && woken < count;) {
        FutexWaiter* next = bucket.waiters.next(*waiter);
        if (waiter->key.same(key)) {
            if (waiter->wants_lock || waiter->requeue_to != nullptr) {
                return fail(Errno::einval);
            }
            if ((waiter->bitset & bitset) != 0) {
                wake_waiter_locked(*waiter);
                ++woken;
            }
        }
        waiter = next;
    }
    return woken;
}

/// Linux looks at the number only when it has woken one.
u32 at_least_one(u32 count) {
    return static_cast<i32>(count) > 0 ? count : 1;
}

}  // namespace

Result<void> futex_wait(const FutexWord& word, u32 expected, u32 bitset, Nanoseconds deadline) {
    if (bitset == 0) {
        return fail(Errno::einval);
    }
    sync::Parking parking;
    FutexWaiter waiter(parking);
    waiter.key = TRY(key_of(word));
    waiter.bitset = bitset;
    TRY(join_if_unchanged(waiter, word, expected));
    const sync::WakeReason reason = parking.sleep(sync::SleepKind::Interruptible, deadline);
    // A wake-up that came at the last moment counts: it would be lost on the word's other waiters.
    if (reason == sync::WakeReason::Condition || !leave_bucket(waiter)) {
        return {};
    }
    return result_of(reason);
}

Result<u32> futex_wake(const FutexWord& word, u32 count, u32 bitset) {
    if (bitset == 0) {
        return fail(Errno::einval);
    }
    mm::FutexKey key = TRY(key_of(word));
    FutexBucket& bucket = bucket_of(key);
    SpinLockGuard guard(bucket.lock);
    return wake_locked(bucket, key, at_least_one(count), bitset);
}

Result<u32> futex_requeue(const FutexWord& word, const FutexWord& target, u32 wake, u32 move, const u32* expected) {
    mm::FutexKey from_key = TRY(key_of(word));
    mm::FutexKey to_key = TRY(key_of(target));
    FutexBucket& from = bucket_of(from_key);
    FutexBucket& to = bucket_of(to_key);
    for (;;) {
        {
            BucketPairGuard guard(from, to);
            u32 value = 0;
            if (expected == nullptr || load_word(word.address, value)) {
                if (expected != nullptr && value != *expected) {
                    return fail(Errno::eagain);
                }
                const u32 done = TRY(wake_locked(from, from_key, wake, kMatchAny));
                u32 moved = 0;
                for (FutexWaiter* waiter = from.waiters.front(); waiter != nullptr && moved < move;) {
                    FutexWaiter* next = from.waiters.next(*waiter);
                    if (waiter->key.same(from_key)) {
                        if (waiter->wants_lock || waiter->requeue_to != nullptr) {
                            return fail(Errno::einval);
                        }
                        if (!from_key.same(to_key)) {
                            move_waiter_locked(*waiter, to, to_key);
                        }
                        ++moved;
                    }
                    waiter = next;
                }
                return done + moved;
            }
        }
        TRY(touch_word(word.address, mm::FaultAccess::Read));
    }
}

namespace {

/// FUTEX_OP's four fields (futex(2)).
struct WakeOperation {
    arch::UserAtomicOperation operation;
    u32 comparison;
    u32 operand;
    i32 compared;
};

Result<WakeOperation> decode_operation(u32 encoded) {
    constexpr u32 kShift = 8;
    u32 operation = (encoded >> 28) & 0xf;
    // Both arguments are signed twelve-bit numbers.
    i32 operand = static_cast<i32>(encoded << 8) >> 20;
    const i32 compared = static_cast<i32>(encoded << 20) >> 20;
    const u32 comparison = (encoded >> 24) & 0xf;
    if ((operation & kShift) != 0) {
        operation &= ~kShift;
        operand = static_cast<i32>(u32{1} << (operand & 31));
    }
    if (operation > 4 || comparison > 5) {
        return fail(Errno::enosys);
    }
    return WakeOperation{static_cast<arch::UserAtomicOperation>(operation), comparison, static_cast<u32>(operand),
                         compared};
}

bool compare(u32 comparison, i32 left, i32 right) {
    switch (comparison) {
        case 0:
            return left == right;
        case 1:
            return left != right;
        case 2:
            return left < right;
        case 3:
            return left <= right;
        case 4:
            return left > right;
        default:
            return left >= right;
    }
}

}  // namespace

Result<u32> futex_wake_operation(const FutexWord& word, const FutexWord& second, u32 wake, u32 wake_second,
                                 u32 encoded) {
    mm::FutexKey first_key = TRY(key_of(word));
    mm::FutexKey second_key = TRY(key_of(second));
    const WakeOperation operation = TRY(decode_operation(encoded));
    FutexBucket& first_bucket = bucket_of(first_key);
    FutexBucket& second_bucket = bucket_of(second_key);
    for (;;) {
        {
            BucketPairGuard guard(first_bucket, second_bucket);
            Result<u32> before = arch::user_fetch_operation({second.address}, operation.operation, operation.operand);
            if (before.ok()) {
                u32 woken = TRY(wake_locked(first_bucket, first_key, at_least_one(wake), kMatchAny));
                if (compare(operation.comparison, static_cast<i32>(before.value()), operation.compared)) {
                    woken += TRY(wake_locked(second_bucket, second_key, at_least_one(wake_second), kMatchAny));
                }
                return woken;
            }
        }
        TRY(touch_word(second.address, mm::FaultAccess::Write));
    }
}

Result<u32> futex_wait_many(std::span<const FutexWaitEntry> entries, Nanoseconds deadline) {
    // At most 128 (FUTEX_WAITV_MAX): a heap block, not the stack.
    const usize bytes = entries.size() * sizeof(FutexWaiter);
    void* memory = heap_allocate(bytes, alignof(FutexWaiter));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    auto* waiters = static_cast<FutexWaiter*>(memory);
    sync::Parking parking;
    usize joined = 0;
    Errno error{};
    for (; joined < entries.size() && error == Errno{}; ++joined) {
        std::construct_at(waiters + joined, parking);
        Result<mm::FutexKey> key = key_of(entries[joined].word);
        Result<void> result = key.ok() ? Result<void>() : Result<void>(key.failure());
        if (key.ok()) {
            waiters[joined].key = std::move(key).value();
            result = Result<void>(join_if_unchanged(waiters[joined], entries[joined].word, entries[joined].expected));
        }
        error = result.error();
    }
    sync::WakeReason reason = sync::WakeReason::Condition;
    if (error == Errno{}) {
        reason = parking.sleep(sync::SleepKind::Interruptible, deadline);
    }
    i64 woken = -1;
    for (usize i = 0; i < joined; ++i) {
        const bool was_joined = error == Errno{} || i + 1 < joined;
        if (was_joined && !leave_bucket(waiters[i]) && woken < 0) {
            woken = static_cast<i64>(i);
        }
        std::destroy_at(waiters + i);
    }
    heap_free(memory, bytes, alignof(FutexWaiter));
    if (woken >= 0) {
        return static_cast<u32>(woken);
    }
    if (error != Errno{}) {
        return fail(error);
    }
    return fail(result_of(reason).error());
}

void wake_futex_word(Task&, u64 address) {
    for (AddressSpace::FutexScope scope : {AddressSpace::FutexScope::Private, AddressSpace::FutexScope::Shared}) {
        static_cast<void>(futex_wake({address, scope}, 1, kMatchAny));
    }
}

// --- Robust lists (get_robust_list(2); Documentation/locking/robust-futex-ABI.rst) --------------------------------

namespace {

constexpr u32 kWaitersBit = 0x8000'0000, kOwnerDied = 0x4000'0000, kTidMask = 0x3fff'ffff;

/// One lock of the list. False: the walk cannot go on.
bool release_robust_lock(Task& self, u64 address, bool pi, bool pending) {
    if (!is_aligned(address, sizeof(u32))) {
        return false;
    }
    for (;;) {
        Result<u32> loaded = arch::user_load_u32({address});
        if (!loaded.ok()) {
            return false;
        }
        const u32 value = loaded.value();
        if (pending && !pi && value == 0) {
            // It was unlocking: the word is free, and the waiter may not have been woken yet.
            wake_futex_word(self, address);
            return true;
        }
        if ((value & kTidMask) != static_cast<u32>(self.number())) {
            return true;
        }
        const u32 wanted = (value & kWaitersBit) | kOwnerDied;
        Result<u32> seen = arch::user_compare_exchange_u32({address}, value, wanted);
        if (!seen.ok()) {
            return false;
        }
        if (seen.value() != value) {
            continue;
        }
        if (!pi && (value & kWaitersBit) != 0) {
            wake_futex_word(self, address);
        }
        return true;
    }
}

struct RobustHead {
    u64 next;
    i64 offset;
    u64 pending;
};

bool fetch_link(u64 from, u64& link, bool& pi) {
    u64 value = 0;
    if (arch::copy_from_user(&value, {from}, sizeof value) != 0) {
        return false;
    }
    link = value & ~u64{1};
    pi = (value & 1) != 0;
    return true;
}

}  // namespace

void release_robust_futexes(Task& self) {
    const u64 head_address = self.robust_list;
    if (head_address != 0) {
        RobustHead head{};
        if (arch::copy_from_user(&head, {head_address}, sizeof head) == 0) {
            constexpr u32 kLimit = 2048;  // ROBUST_LIST_LIMIT: a ring that never comes back
            const u64 pending = head.pending & ~u64{1};
            bool pi = (head.next & 1) != 0;
            u64 entry = head.next & ~u64{1};
            for (u32 i = 0; i < kLimit && entry != head_address; ++i) {
                u64 next = 0;
                bool next_pi = false;
                const bool more = fetch_link(entry, next, next_pi);
                if (entry != pending && !release_robust_lock(self, entry + static_cast<u64>(head.offset), pi, false)) {
                    break;
                }
                if (!more) {
                    break;
                }
                entry = next;
                pi = next_pi;
            }
            if (pending != 0) {
                static_cast<void>(
                    release_robust_lock(self, pending + static_cast<u64>(head.offset), (head.pending & 1) != 0, true));
            }
        }
    }
    release_pi_futexes(self);
}

}  // namespace cairn::task
