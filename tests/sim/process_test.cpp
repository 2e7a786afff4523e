/// Processes that come and go.
///
/// F01 F03 X03: the child gets 0, a copy of memory and descriptors; its parent waits for it.
/// X03, trap K: one zombie is reaped once, whoever looks.
/// F06: after many children the machine is as it was.
/// F04 E17, traps D and E: the parent of a vfork sleeps until the child has let go of its memory.

#include <gtest/gtest.h>

#include "kernel/sched/scheduler.h"
#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

void child_that_changes_memory(UserMachine& u) {
    require(arch::syscall_result(u.registers()) == 0, "the child's result");
    require(u.load<u32>(word(0)) == 1, "memory of the child");
    u.store<u32>(word(0), 2);
    exit(u, 7);
}

TEST(Process, ForksExitsAndWaits) {
    EXPLORE_PROCESSES("fork, exit, wait", {}, [](UserMachine& u) {
        u.store<u32>(word(0), 1);
        const i64 child = fork(u, child_that_changes_memory);
        require(child > 1, "fork");
        expect_end(u, child, exited(7), "status");
        require(u.load<u32>(word(0)) == 1, "memory of the parent");
        require(wait(u) == -ECHILD, "a second wait");
    });
}

TEST(Process, ForksExecsAndWaits) {
    EXPLORE_PROCESSES("fork, exec, wait",
                      {.programs = {{"/program",
                                     [](UserMachine& u) {
                                         require(u.load<u32>(word(0)) == 0, "memory of the new program");
                                         require(u.load<u64>(u.stack_pointer()) == 1, "argc");
                                         exit(u, 9);
                                     }}}},
                      [](UserMachine& u) {
                          u.store<u32>(word(0), 1);
                          const i64 child = fork(u, [](UserMachine& c) {
                              execve(c, "/program");
                              require(false, "execve returned");
                          });
                          expect_end(u, child, exited(9), "status");
                      });
}

TEST(Process, OneZombieIsReapedOnce) {
    EXPLORE_PROCESSES("two waiters, one zombie", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) { exit(c, 1); });
        require(child > 0, "fork");
        const i64 thread = start_thread(
            u,
            [](UserMachine& t) {
                board.words[0] = static_cast<u64>(t.syscall(SYS_wait4, -1, 0, 0, 0));
                exit_thread(t);
            },
            0);
        require(thread > 0, "clone");
        const i64 mine = u.syscall(SYS_wait4, -1, 0, 0, 0);
        join_thread(u, 0);
        const i64 other = static_cast<i64>(board.words[0]);
        require((mine == child && other == -ECHILD) || (mine == -ECHILD && other == child), "both or neither");
    });
}

void bomb(UserMachine& u) {
    for (u32 i = 0; i < 3; ++i) {
        fork(u, [](UserMachine& c) {
            fork(c, [](UserMachine& g) { exit(g); });
            exit(c);
        });
    }
    exit(u);
}

TEST(Process, ABombLeavesNothing) {
    EXPLORE_PROCESSES("orphans", {.cpus = 3}, [](UserMachine& u) { bomb(u); });
}

TEST(Process, AVforkParentSleepsUntilExit) {
    EXPLORE_PROCESSES("vfork, _exit", {}, [](UserMachine& u) {
        u.store<u32>(word(0), 1);
        const i64 child = vfork(u, [](UserMachine& c) {
            c.pause();
            c.store<u32>(word(0), 2);
            exit(c, 3);
        });
        require(u.load<u32>(word(0)) == 2, "the parent ran before its child had ended");
        expect_end(u, child, exited(3), "status");
    });
}

TEST(Process, AVforkParentSleepsUntilExecClosedItsDescriptors) {
    EXPLORE_PROCESSES("vfork, execve", {.programs = {{"/program", [](UserMachine& u) { exit(u, 4); }}}},
                      [](UserMachine& u) {
                          const Pipe ends = pipe(u, 0, O_CLOEXEC | O_NONBLOCK);
                          const i64 child = vfork(u, [](UserMachine& c) {
                              c.syscall(SYS_close, c.load<Pipe>(word(0)).reader);
                              execve(c, "/nothing");
                              c.store<u32>(word(1), 2);
                              execve(c, "/program");
                              exit(c, 99);
                          });
                          require(u.load<u32>(word(1)) == 2, "the parent ran before its child's execve");
                          u.syscall(SYS_close, ends.writer);
                          require(u.syscall(SYS_read, ends.reader, kBuffer, 1) == 0, "no end of file behind execve");
                          expect_end(u, child, exited(4), "status");
                      });
}

TEST(Process, AThreadForksAndEnds) {
    EXPLORE_PROCESSES("fork by a thread", {.cpus = 3}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                t.store<u32>(word(0), 1);
                require(fork(t, child_that_changes_memory) > 0, "fork");
                exit_thread(t);
            },
            0);
        join_thread(u, 0);
        require(wait(u) > 0, "wait");
        require(status(u) == exited(7), "status");
        require(u.load<u32>(word(0)) == 1, "memory of the parent");
    });
}

void keep_to_cpu(UserMachine& u, i64 thread, u32 cpu, u32 slot) {
    const VirtualAddress set = word(20 + slot);
    u.store<u64>(set, u64{1} << cpu);
    require(u.syscall(SYS_sched_setaffinity, thread, 8, set) == 0, "sched_setaffinity");
}

void compute(UserMachine& t) {
    for (;;) {
        t.pause();
    }
}

/// Whoever returns to user mode on the CPU of a thread that has ended frees what is left of it, and may be sent to
/// another CPU while it is about to.
TEST(Process, AnEndedThreadIsFreedThoughWhoWasToDoItMoved) {
    EXPLORE_PROCESSES("sched_setaffinity against what a thread leaves", {.cpus = 2}, [](UserMachine& u) {
        keep_to_cpu(u, 0, 0, 0);
        const i64 mover = start_thread(u, compute, 1);
        start_thread(u, compute, 2);
        start_thread(
            u,
            [](UserMachine& t) {
                arrive(0);
                exit_thread(t);
            },
            3);
        keep_to_cpu(u, 0, 1, 0);
        await(u, 0);
        keep_to_cpu(u, mover, 1, 0);
        join_thread(u, 3);
        // CPU 0 computes all the time, and switches to nobody.
        for (u32 i = 0; i < 8 && (i == 0 || g_kernel.scheduler->all_dead() != 0); ++i) {
            sleep_nanoseconds(u, 1'000'000);
        }
        require(g_kernel.scheduler->all_dead() == 0, "the stack of an ended thread is kept");
        exit(u);
    });
}

void suspend_once(UserMachine& t, u64 mask, u32 slot) {
    set_mask(t, SIG_SETMASK, mask | bit(SIGUSR1), slot);
    const VirtualAddress at = word(10 + slot);
    t.store<u64>(at, 0);
    arrive(slot);
    require(t.syscall(SYS_rt_sigsuspend, at, 8) == -EINTR, "sigsuspend");
    require(t.syscall(SYS_rt_sigprocmask, 0, 0, at, 8) == 0, "sigprocmask");
    require(t.load<u64>(at) == (mask | bit(SIGUSR1)), "another thread's mask");
    exit_thread(t);
}

TEST(Process, EachThreadHasAMaskOfItsOwn) {  // S01, S02, trap O
    EXPLORE_PROCESSES("two threads in sigsuspend", {.cpus = 3}, [](UserMachine& u) {
        set_handler(u, SIGUSR1, address_of([](UserMachine&) {}).value);
        set_mask(u, SIG_BLOCK, bit(SIGUSR1));
        const i64 self = u.syscall(SYS_getpid);
        const i64 first = start_thread(u, [](UserMachine& t) { suspend_once(t, bit(SIGTERM), 1); }, 1);
        const i64 second = start_thread(u, [](UserMachine& t) { suspend_once(t, bit(SIGUSR2), 2); }, 2);
        await(u, 1);
        await(u, 2);
        require(u.syscall(SYS_tgkill, self, first, SIGUSR1) == 0, "tgkill");
        require(u.syscall(SYS_tgkill, self, second, SIGUSR1) == 0, "tgkill");
        join_thread(u, 1);
        join_thread(u, 2);
    });
}

}  // namespace
}  // namespace cairn
