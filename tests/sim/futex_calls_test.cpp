/// What futex(2) does: bit sets, requeueing, operations on wake, priority inheritance, several words at once; robust
/// lists; and rseq(2).

#include <gtest/gtest.h>
#include <linux/futex.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u32 kA = 40, kB = 44;

i64 futex(UserMachine& u, u32 place, int operation, u64 value, u64 fourth = 0, u32 other = 0, u64 sixth = 0) {
    return u.syscall(SYS_futex, word(place), operation, value, fourth, other == 0 ? VirtualAddress{} : word(other),
                     sixth);
}
/// A timeout at word(48).
u64 timeout(UserMachine& u, i64 seconds, i64 nanoseconds) {
    const i64 time[] = {seconds, nanoseconds};
    u.store(word(48), time);
    return word(48).value;
}
/// Wakes one until one was there to be woken.
void wake_one(UserMachine& u, u32 place, int operation = FUTEX_WAKE, u64 sixth = 0) {
    while (futex(u, place, operation, 1, 0, 0, sixth) == 0) {
        u.syscall(SYS_sched_yield);
    }
}

TEST(FutexCalls, Refusals) {
    check_calls("futex, errors", [](UserMachine& u) {
        u.store<u32>(word(kA), 1);
        check(futex(u, kA, FUTEX_WAIT, 2), -EAGAIN);
        check(futex(u, kA, FUTEX_WAIT, 1, timeout(u, 0, 1000)), -ETIMEDOUT);
        check(futex(u, kA, FUTEX_WAIT, 1, timeout(u, -1, 0)), -EINVAL);
        check(futex(u, kA, FUTEX_WAIT, 1, timeout(u, 0, 1'000'000'000)), -EINVAL);
        check(futex(u, kA, FUTEX_WAIT, 1, 8), -EFAULT);
        check(futex(u, kA, FUTEX_WAIT_BITSET, 1, 0, 0, 0), -EINVAL);  // no bits
        check(futex(u, kA, FUTEX_WAKE_BITSET, 1, 0, 0, 0), -EINVAL);
        check(futex(u, kA, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, timeout(u, 5, 0), 0, ~0u), -ETIMEDOUT);
        check(futex(u, kA, FUTEX_WAIT_BITSET, 1, timeout(u, 0, 5), 0, ~0u), -ETIMEDOUT);  // absolute: long ago
        check(futex(u, kA, 99, 1), -ENOSYS);
        expect(u, -EINVAL, SYS_futex, word(kA) + 1, FUTEX_WAIT, 1, 0, 0, 0);
        expect(u, -EFAULT, SYS_futex, 0x1000, FUTEX_WAIT, 1, 0, 0, 0);
        check(futex(u, kA, FUTEX_WAKE, 1), 0);
        check(futex(u, kA, FUTEX_CMP_REQUEUE, 1, 1, kB, 7), -EAGAIN);
        check(futex(u, kA, FUTEX_CMP_REQUEUE, ~u64{0}, 1, kB, 1), -EINVAL);
        // An operation with its comparison: 0 = 0 + 5, then wake if the old value was 0.
        u.store<u32>(word(kB), 0);
        check(futex(u, kA, FUTEX_WAKE_OP, 1, 1, kB, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)), 0);
        expect_memory<u32>(u, word(kB), 5);
        check(futex(u, kA, FUTEX_WAKE_OP, 1, 1, kB, FUTEX_OP(FUTEX_OP_OR, 10, FUTEX_OP_CMP_LT, 0)), 0);
        expect_memory<u32>(u, word(kB), 15);
        check(futex(u, kA, FUTEX_WAKE_OP, 1, 1, kB, FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_GE, 0)), 0);
        expect_memory<u32>(u, word(kB), 12);
        check(futex(u, kA, FUTEX_WAKE_OP, 1, 1, kB, FUTEX_OP(FUTEX_OP_XOR, 4, FUTEX_OP_CMP_NE, 0)), 0);
        expect_memory<u32>(u, word(kB), 8);
        check(futex(u, kA, FUTEX_WAKE_OP, 1, 1, kB, FUTEX_OP(FUTEX_OP_SET | 8, 4, FUTEX_OP_CMP_GT, 0)), 0);
        expect_memory<u32>(u, word(kB), 16);
    });
}

void wait_at_a(UserMachine& t) {
    check(futex(t, kA, FUTEX_WAIT, 0), 0);
    exit_thread(t);
}

TEST(FutexCalls, BitSetsAndRequeueing) {
    check_calls("futex, bits and requeueing", [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                check(futex(t, kA, FUTEX_WAIT_BITSET, 0, 0, 0, 4), 0);
                exit_thread(t);
            },
            0);
        start_thread(
            u,
            [](UserMachine& t) {
                check(futex(t, kA, FUTEX_WAIT_BITSET, 0, 0, 0, 2), 0);
                exit_thread(t);
            },
            1);
        wake_one(u, kA, FUTEX_WAKE_BITSET, 2);
        join_thread(u, 1);
        require(u.load<u32>(word(kThreadWord)) != 0, "the one who waits for another bit");
        wake_one(u, kA, FUTEX_WAKE_BITSET, 0xfffc);
        join_thread(u, 0);
        // Two wait at one word; one is woken, the other goes to the second word.
        start_thread(u, wait_at_a, 0);
        start_thread(u, wait_at_a, 1);
        while (board.words[9] < 2) {
            const i64 moved = futex(u, kA, FUTEX_CMP_REQUEUE, 0, 5, kB, 0);
            check(moved >= 0 ? 0 : moved, 0);
            board.words[9] += static_cast<u64>(moved);
            u.syscall(SYS_sched_yield);
        }
        check(futex(u, kA, FUTEX_WAKE, 10), 0);
        check(futex(u, kB, FUTEX_WAKE, 1), 1);
        check(futex(u, kB, FUTEX_WAKE, 10), 1);
        join_thread(u, 0);
        join_thread(u, 1);
    });
}

TEST(FutexCalls, PriorityInheritance) {
    check_calls("futex, PI", [](UserMachine& u) {
        const u32 self = static_cast<u32>(u.syscall(SYS_gettid));
        check(futex(u, kA, FUTEX_LOCK_PI, 0), 0);
        expect_memory<u32>(u, word(kA), self);
        check(futex(u, kA, FUTEX_LOCK_PI, 0), -EDEADLK);
        check(futex(u, kA, FUTEX_TRYLOCK_PI, 0), -EDEADLK);
        start_thread(
            u,
            [](UserMachine& t) {
                check(futex(t, kA, FUTEX_TRYLOCK_PI, 0), -EAGAIN);
                check(futex(t, kA, FUTEX_UNLOCK_PI, 0), -EPERM);
                const i64 now[] = {0, 1};
                t.store(word(50), now);
                check(futex(t, kA, FUTEX_LOCK_PI, 0, word(50).value), -ETIMEDOUT);  // absolute: 1970
                arrive(1);
                check(futex(t, kA, FUTEX_LOCK_PI, 0), 0);
                const u32 owner = t.load<u32>(word(kA)) & FUTEX_TID_MASK;
                require(owner == static_cast<u32>(t.syscall(SYS_gettid)), "the new owner");
                check(futex(t, kA, FUTEX_UNLOCK_PI, 0), 0);
                exit_thread(t);
            },
            0);
        await(u, 1);
        while ((u.load<u32>(word(kA)) & FUTEX_WAITERS) == 0) {
            u.syscall(SYS_sched_yield);
        }
        check(futex(u, kA, FUTEX_UNLOCK_PI, 0), 0);
        join_thread(u, 0);
        check(futex(u, kA, FUTEX_TRYLOCK_PI, 0), 0);
        check(futex(u, kA, FUTEX_UNLOCK_PI, 0), 0);
        expect_memory<u32>(u, word(kA), 0);
        // Whose owner does not exist.
        u.store<u32>(word(kA), 29'999);
        check(futex(u, kA, FUTEX_LOCK_PI, 0), -ESRCH);
        // Whose owner ended: the robust list says so (X02).
        u.store<u32>(word(kA), 0);
        start_thread(
            u,
            [](UserMachine& t) {
                check(futex(t, kA, FUTEX_LOCK_PI, 0), 0);
                arrive(2);
                while ((t.load<u32>(word(kA)) & FUTEX_WAITERS) == 0) {
                    t.syscall(SYS_sched_yield);
                }
                exit_thread(t);
            },
            1);
        await(u, 2);
        check(futex(u, kA, FUTEX_LOCK_PI, 0), 0);
        require((u.load<u32>(word(kA)) & FUTEX_OWNER_DIED) != 0, "FUTEX_OWNER_DIED");
        check(futex(u, kA, FUTEX_UNLOCK_PI, 0), 0);
        join_thread(u, 1);
    });
}

TEST(FutexCalls, SeveralWords) {
    check_calls("futex_waitv", [](UserMachine& u) {
        struct Waiter {
            u64 value, address;
            u32 flags, reserved;
        };
        const Waiter waiters[] = {{0, word(kA).value, 2, 0}, {0, word(kB).value, 2, 0}};
        u.store(kBuffer, waiters);
        expect(u, -EINVAL, SYS_futex_waitv, kBuffer, 0, 0, 0, 1);
        expect(u, -EINVAL, SYS_futex_waitv, kBuffer, 129, 0, 0, 1);
        expect(u, -EINVAL, SYS_futex_waitv, kBuffer, 2, 1, 0, 1);
        expect(u, -EFAULT, SYS_futex_waitv, 8, 2, 0, 0, 1);
        expect(u, -ETIMEDOUT, SYS_futex_waitv, kBuffer, 2, 0, timeout(u, 0, 1), 1);
        expect(u, -EINVAL, SYS_futex_waitv, kBuffer, 2, 0, timeout(u, 0, 1), 9);
        u.store<u32>(word(kB), 1);
        expect(u, -EAGAIN, SYS_futex_waitv, kBuffer, 2, 0, 0, 1);
        u.store<u32>(word(kB), 0);
        start_thread(
            u,
            [](UserMachine& t) {
                wake_one(t, kB);
                exit_thread(t);
            },
            0);
        expect(u, 1, SYS_futex_waitv, kBuffer, 2, 0, 0, 1);
        join_thread(u, 0);
        Waiter wrong = waiters[0];
        wrong.reserved = 1;
        u.store(kBuffer, wrong);
        expect(u, -EINVAL, SYS_futex_waitv, kBuffer, 1, 0, 0, 1);
    });
}

TEST(FutexCalls, RobustLists) {
    check_calls("robust lists", [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                // One lock that is held, one that is about to be.
                const u32 self = static_cast<u32>(t.syscall(SYS_gettid));
                const u64 head[] = {word(60).value, 8, word(62).value};
                t.store(word(64), head);
                t.store<u64>(word(60), word(64).value);
                t.store<u32>(word(60) + 8, self | FUTEX_WAITERS);
                t.store<u32>(word(62) + 8, self);
                expect(t, 0, SYS_set_robust_list, word(64), 24);
                exit_thread(t);
            },
            0);
        join_thread(u, 0);
        expect_memory<u32>(u, word(60) + 8, FUTEX_WAITERS | FUTEX_OWNER_DIED);
        expect_memory<u32>(u, word(62) + 8, FUTEX_OWNER_DIED);
    });
}

TEST(FutexCalls, RestartableSequences) {
    check_calls("rseq", [](UserMachine& u) {
        constexpr u32 kSignature = 0x53053053;
        expect(u, -EINVAL, SYS_rseq, kBuffer + 8, 32, 0, kSignature);  // not aligned
        expect(u, -EINVAL, SYS_rseq, kBuffer, 16, 0, kSignature);
        expect(u, -EINVAL, SYS_rseq, kBuffer, 32, 2, kSignature);
        expect(u, 0, SYS_rseq, kBuffer, 32, 0, kSignature);
        expect(u, -EBUSY, SYS_rseq, kBuffer, 32, 0, kSignature);
        expect(u, -EPERM, SYS_rseq, kBuffer, 32, 0, 1);
        expect(u, -EINVAL, SYS_rseq, kBuffer + 32, 32, 0, kSignature);
        u.syscall(SYS_sched_yield);
        require(u.load<u32>(kBuffer) < 2 && u.load<u32>(kBuffer + 4) < 2, "the CPU");
        expect(u, -EPERM, SYS_rseq, kBuffer, 32, 1, 5);
        expect(u, 0, SYS_rseq, kBuffer, 32, 1, kSignature);
        expect_memory<u32>(u, kBuffer + 4, ~0u);
        expect(u, -EINVAL, SYS_rseq, kBuffer, 32, 1, kSignature);
    });
}

}  // namespace
}  // namespace cairn
