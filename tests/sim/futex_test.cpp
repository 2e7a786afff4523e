/// Futexes between threads and processes.
///
/// A wake-up behind a change of the word is never lost, neither is one that crosses a requeue or a timeout. X02, trap
/// J: the locks of a thread that ends are marked and a waiter woken.

#include <gtest/gtest.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

void wait_for_word_zero(UserMachine& u) {
    while (u.load<u32>(word(0)) == 0) {
        const i64 result = futex_wait(u, word(0), 0);
        require(result == 0 || result == -EAGAIN, "futex");
    }
    exit_thread(u);
}

TEST(Futex, NoWakeUpIsLost) {
    EXPLORE_PROCESSES("futex wait, wake", {.cpus = 3}, [](UserMachine& u) {
        start_thread(u, wait_for_word_zero, 0);
        start_thread(u, wait_for_word_zero, 1);
        u.store<u32>(word(0), 1);
        require(futex_wake(u, word(0), 10) <= 2, "woken");
        join_thread(u, 0);
        join_thread(u, 1);
    });
}

TEST(Futex, NoWakeUpIsLostAcrossARequeue) {
    EXPLORE_PROCESSES("futex requeue", {.cpus = 3}, [](UserMachine& u) {
        start_thread(u, wait_for_word_zero, 0);
        start_thread(u, wait_for_word_zero, 1);
        const i64 moved = u.syscall(SYS_futex, word(0), FUTEX_CMP_REQUEUE, 1, 1, word(1), 0);
        require(moved >= 0 && moved <= 2, "requeue");
        u.store<u32>(word(0), 1);
        futex_wake(u, word(0), 10);
        futex_wake(u, word(1), 10);
        join_thread(u, 0);
        join_thread(u, 1);
    });
}

TEST(Futex, AWakeUpOrATimeout) {
    EXPLORE_PROCESSES("futex timeout", {}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                t.store<u64>(kBuffer, 0);
                t.store<u64>(kBuffer + 8, 20'000);
                const i64 result = t.syscall(SYS_futex, word(0), FUTEX_WAIT, 0, kBuffer, 0, 0);
                require(result == 0 || result == -EAGAIN || result == -ETIMEDOUT, "futex");
                board.words[0] = result == 0;
                exit_thread(t);
            },
            0);
        sleep_nanoseconds(u, 20'000);
        const i64 woken = futex_wake(u, word(0), 1);
        join_thread(u, 0);
        require(static_cast<u64>(woken) == board.words[0], "who was woken does not know");
    });
}

constexpr VirtualAddress kShared{0x1000'0000};

TEST(Futex, BetweenProcesses) {
    EXPLORE_PROCESSES("futex in shared memory", {}, [](UserMachine& u) {
        const i64 shared = u.syscall(SYS_mmap, 0x1000'0000, kPageSize, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        require(shared == 0x1000'0000, "mmap");
        const i64 child = fork(u, [](UserMachine& c) {
            c.store<u32>(kShared, 1);
            futex_wake(c, kShared, 1);
            exit(c, 1);
        });
        while (u.load<u32>(kShared) == 0) {
            futex_wait(u, kShared, 0);
        }
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(Futex, ADeadOwnersLockIsPassedOn) {
    EXPLORE_PROCESSES("robust list", {.cpus = 3}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                // Head: next, offset, pending.
                t.store<u64>(kBuffer, word(41).value);
                t.store<u64>(kBuffer + 8, 16);
                t.store<u64>(kBuffer + 16, 0);
                t.store<u64>(word(41), kBuffer.value);
                require(t.syscall(SYS_set_robust_list, kBuffer, 24) == 0, "set_robust_list");
                t.store<u32>(word(42), static_cast<u32>(t.syscall(SYS_gettid)) | 0x8000'0000);
                futex_wake(t, word(42), 1);
                exit_thread(t);
            },
            0);
        for (;;) {
            const u32 value = u.load<u32>(word(42));
            if ((value & 0x4000'0000) != 0) {
                break;
            }
            futex_wait(u, word(42), value);
        }
        join_thread(u, 0);
        require(u.load<u32>(word(42)) == 0xc000'0000, "the lock's word");
    });
}

}  // namespace
}  // namespace cairn
