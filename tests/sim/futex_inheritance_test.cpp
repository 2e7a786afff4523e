/// Locks that inherit priority: handed over by the kernel, at an unlock, a deadline, or the end of the owner.

#include <gtest/gtest.h>
#include <linux/futex.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

i64 lock(UserMachine& u, VirtualAddress at, u64 timeout = 0) {
    return u.syscall(SYS_futex, at, FUTEX_LOCK_PI, 0, timeout, 0, 0);
}
void unlock(UserMachine& u, VirtualAddress at) {
    require(u.syscall(SYS_futex, at, FUTEX_UNLOCK_PI, 0, 0, 0, 0) == 0, "unlock");
}

void lock_and_unlock(UserMachine& u) {
    require(lock(u, word(0)) == 0, "lock");
    require((u.load<u32>(word(0)) & FUTEX_TID_MASK) == static_cast<u32>(u.syscall(SYS_gettid)), "owner");
    unlock(u, word(0));
}

TEST(Futex, AnInheritingLockIsHandedOver) {
    EXPLORE_PROCESSES("lock, hand over", {.cpus = 3}, [](UserMachine& u) {
        const auto run = [](UserMachine& t) {
            lock_and_unlock(t);
            exit_thread(t);
        };
        start_thread(u, run, 0);
        start_thread(u, run, 1);
        lock_and_unlock(u);
        join_thread(u, 0);
        join_thread(u, 1);
        require(u.load<u32>(word(0)) == 0, "free in the end");
    });
}

TEST(Futex, AnInheritingLocksOwnerEnds) {
    EXPLORE_PROCESSES("lock, end of the owner", {.cpus = 3}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                require(lock(t, word(0)) == 0, "lock");
                t.store<u32>(word(1), 1);
                futex_wake(t, word(1), 1);
                exit_thread(t);
            },
            0);
        while (u.load<u32>(word(1)) == 0) {
            futex_wait(u, word(1), 0);
        }
        // Who comes while the owner lives gets the lock from it; who comes later finds nobody to wait for.
        const i64 result = lock(u, word(0));
        require(result == 0 || result == -ESRCH, "lock");
        const u32 mine = static_cast<u32>(u.syscall(SYS_gettid));
        require(result != 0 || (u.load<u32>(word(0)) & FUTEX_TID_MASK) == mine, "the owner's place");
        join_thread(u, 0);
    });
}

TEST(Futex, AnInheritingRobustLocksOwnerEnds) {  // X02
    // Whenever the other comes, before, while or after the owner ends: the lock is left behind properly.
    EXPLORE_PROCESSES("robust lock, end of the owner", {.cpus = 3}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                const VirtualAddress head{kBuffer.value + 256}, entry{kBuffer.value + 320};
                t.store<u64>(head, entry.value | 1);
                t.store<u64>(head + 8, word(0).value - entry.value);
                t.store<u64>(head + 16, 0);
                t.store<u64>(entry, head.value);
                require(t.syscall(SYS_set_robust_list, head, 24) == 0, "set_robust_list");
                require(lock(t, word(0)) == 0, "lock");
                t.store<u32>(word(1), 1);
                futex_wake(t, word(1), 1);
                exit_thread(t);
            },
            0);
        while (u.load<u32>(word(1)) == 0) {
            futex_wait(u, word(1), 0);
        }
        require(lock(u, word(0)) == 0, "lock");
        const u32 value = u.load<u32>(word(0));
        require((value & FUTEX_TID_MASK) == static_cast<u32>(u.syscall(SYS_gettid)), "the owner's place");
        require((value & FUTEX_OWNER_DIED) != 0, "and it is told how");
        join_thread(u, 0);
    });
}

TEST(Futex, AnInheritingLockOrATimeout) {
    EXPLORE_PROCESSES("lock, timeout", {}, [](UserMachine& u) {
        require(lock(u, word(0)) == 0, "lock");
        start_thread(
            u,
            [](UserMachine& t) {
                t.store<u64>(kBuffer, 0);
                t.store<u64>(kBuffer + 8, 20'000);
                const i64 result = lock(t, word(0), kBuffer.value);
                require(result == 0 || result == -ETIMEDOUT, "lock");
                if (result == 0) {
                    unlock(t, word(0));
                }
                exit_thread(t);
            },
            0);
        unlock(u, word(0));
        join_thread(u, 0);
        require((u.load<u32>(word(0)) & FUTEX_TID_MASK) == 0, "free in the end");
    });
}

TEST(Futex, AnOwnersEndLeavesItsMemoryToItself) {
    // A word of its own that says who owns it is a process's to write as it likes, also with another one's thread.
    EXPLORE_PROCESSES("lock, an owner without knowing", {.cpus = 3}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                t.store<u32>(word(0), static_cast<u32>(t.syscall(SYS_gettid)));
                arrive(0);
                await(t, 1);
                sleep_nanoseconds(t, 50'000);
                exit_thread(t);
            },
            0);
        await(u, 0);
        const u32 owner = u.load<u32>(word(0));
        const i64 child = fork(u, [](UserMachine& c) {
            arrive(1);
            const i64 result = c.syscall(SYS_futex, word(0), FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0);
            const u32 mine = static_cast<u32>(c.syscall(SYS_gettid)) | FUTEX_OWNER_DIED;
            require(result == -ESRCH || result == 0, "lock");
            require(result != 0 || (c.load<u32>(word(0)) & ~FUTEX_WAITERS) == mine, "the owner's place");
            exit(c, 3);
        });
        join_thread(u, 0);
        require(u.load<u32>(word(0)) == owner, "the memory of another process");
        expect_end(u, child, exited(3), "who waited");
    });
}

constexpr VirtualAddress kShared{0x3000'0000};

/// Waits in a process of its own, and for its turn again if another one was faster.
void wait_for_shared(UserMachine& c) {
    require(lock(c, kShared) == 0, "lock");
    require((c.load<u32>(kShared) & FUTEX_TID_MASK) == static_cast<u32>(c.syscall(SYS_gettid)), "owner");
    c.store<u32>(kShared + 4, c.load<u32>(kShared + 4) + 1);
    unlock(c, kShared);
    exit(c, 3);
}

TEST(Futex, AnInheritingLocksOwnerIsKilledInAnotherProcess) {
    // The word is out of the dying owner's reach, so that all who wait try again; one gets it, the others wait on.
    EXPLORE_PROCESSES("lock, the owner is killed", {.cpus = 3}, [](UserMachine& u) {
        require(u.syscall(SYS_mmap, kShared, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
                          -1, 0) == static_cast<i64>(kShared.value),
                "mmap");
        const i64 owner = fork(u, [](UserMachine& c) {
            require(lock(c, kShared) == 0, "lock");
            c.store<u32>(kShared + 8, 1);
            for (;;) {
                c.syscall(SYS_pause);
            }
        });
        while (u.load<u32>(kShared + 8) == 0) {
            u.syscall(SYS_sched_yield);
        }
        const i64 first = fork(u, wait_for_shared);
        const i64 second = fork(u, wait_for_shared);
        // Both wait, or one is just on its way, which must not be too late.
        for (u32 i = 0; i < 100 && (u.load<u32>(kShared) & FUTEX_WAITERS) == 0; ++i) {
            u.syscall(SYS_sched_yield);
        }
        sleep_nanoseconds(u, 1'000'000);
        u.syscall(SYS_kill, owner, SIGKILL);
        expect_end(u, owner, SIGKILL, "the owner's end");
        expect_end(u, first, exited(3), "who waited first");
        expect_end(u, second, exited(3), "who waited second");
        require(u.load<u32>(kShared + 4) == 2, "both had the lock");
    });
}

}  // namespace
}  // namespace cairn
