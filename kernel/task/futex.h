#pragma once
/// Futexes: sleeping on a word of user memory (futex(2)); robust and priority-inheriting locks built on them.
///
/// Waiters stand in hash buckets by the word's key (mm::FutexKey), each with a lock of rank FutexBucket. The word is
/// compared under that lock with page faults off: a page that is not there is touched outside and the comparison
/// tried again. So a waker that has changed the word before it takes the lock misses no waiter.

#include "kernel/task/task.h"

namespace cairn::task {

using mm::AddressSpace;

struct FutexWord {
    u64 address = 0;
    AddressSpace::FutexScope scope = AddressSpace::FutexScope::Private;
};
constexpr u32 kMatchAny = ~u32{0};

/// Makes the buckets. Boot, once. ENOMEM.
Result<void> initialize_futexes();

/// EAGAIN when the word is not `expected`; ETIMEDOUT, EINTR, EFAULT, EINVAL.
Result<void> futex_wait(const FutexWord& word, u32 expected, u32 bitset, Nanoseconds deadline);
/// Returns how many were woken.
Result<u32> futex_wake(const FutexWord& word, u32 count, u32 bitset);
/// Wakes `wake`, moves `move` to `target`; EAGAIN when the word is not `*expected`. Returns woken (and moved, if
/// expected is given).
Result<u32> futex_requeue(const FutexWord& word, const FutexWord& target, u32 wake, u32 move, const u32* expected);
/// FUTEX_WAKE_OP.
Result<u32> futex_wake_operation(const FutexWord& word, const FutexWord& second, u32 wake, u32 wake_second,
                                 u32 operation);

/// futex_waitv(2): returns the index of one that was woken.
struct FutexWaitEntry {
    FutexWord word;
    u32 expected = 0;
};
Result<u32> futex_wait_many(std::span<const FutexWaitEntry> entries, Nanoseconds deadline);

// --- Priority inheritance: FUTEX_LOCK_PI and its kin (kernel/task/futex_pi.cpp) -----------------------------------
Result<void> futex_lock_pi(const FutexWord& word, Nanoseconds deadline, bool try_only);
Result<void> futex_unlock_pi(const FutexWord& word);
Result<void> futex_wait_requeue_pi(const FutexWord& word, u32 expected, u32 bitset, Nanoseconds deadline,
                                   const FutexWord& lock);
Result<u32> futex_requeue_pi(const FutexWord& word, const FutexWord& lock, u32 move, u32 expected);
/// A thread that owns such locks ends: the next waiter gets each, marked FUTEX_OWNER_DIED, at once or, where the word
/// is not in the dying thread's reach, when it runs.
void release_pi_futexes(Task& dying);

/// clear_child_tid's wake-up: one waiter, whoever shares the memory.
void wake_futex_word(Task& self, u64 address);
/// X02, E14: walks the robust list: each lock that the thread holds is marked FUTEX_OWNER_DIED and a waiter woken. A
/// bad list ends the walk. In the address space concerned.
void release_robust_futexes(Task& self);
/// X02: a thread ends, its robust list has been walked. Until now others could begin to wait for its locks, as Linux
/// has them wait for an owner that is just ending; they get these, and from now on nobody begins.
void end_pi_ownership(Task& self);

}  // namespace cairn::task
