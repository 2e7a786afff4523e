/// Signals between processes and threads.
///
/// S01, trap O: a signal that becomes deliverable is delivered at the next return to user mode, once. S03: calls go on
/// or are interrupted. S04: stopping and continuing, as the parent sees it. S06: a timer's signal ends a sleep.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

void count_at_word_ten(UserMachine& u) {
    u.store<u32>(word(10), u.load<u32>(word(10)) + 1);
}

TEST(ProcessSignal, ASignalWaitsWhileItIsBlocked) {
    EXPLORE_PROCESSES("kill against sigprocmask", {}, [](UserMachine& u) {
        set_handler(u, SIGUSR1, address_of(count_at_word_ten).value);
        set_mask(u, SIG_BLOCK, bit(SIGUSR1));
        start_thread(
            u,
            [](UserMachine& t) {
                require(t.syscall(SYS_kill, t.syscall(SYS_getpid), SIGUSR1) == 0, "kill");
                exit_thread(t);
            },
            0);
        set_mask(u, SIG_UNBLOCK, bit(SIGUSR1));
        set_mask(u, SIG_BLOCK, bit(SIGUSR1));
        const u32 before = u.load<u32>(word(10));
        u.pause();
        require(u.load<u32>(word(10)) == before, "a blocked signal was delivered");
        join_thread(u, 0);
        require(u.load<u32>(word(10)) == before, "a blocked signal was delivered");
        set_mask(u, SIG_UNBLOCK, bit(SIGUSR1));
        require(u.load<u32>(word(10)) == 1, "the signal was lost, or came twice");
    });
}

/// The entry that a delivered signal leaves for the next one is no pending signal's.
TEST(ProcessSignal, WhatIsDeliveredDoesNotCountAgainstTheLimit) {
    EXPLORE_PROCESSES("queued signals with a limit of one", {}, [](UserMachine& u) {
        constexpr i64 kRealtime = 34;
        constexpr u64 kInformation = 64, kFromQueue = static_cast<u64>(-1) & 0xffff'ffff;  // siginfo_t, SI_QUEUE
        set_handler(u, SIGUSR1, address_of(count_at_word_ten).value);
        set_handler(u, kRealtime, address_of(count_at_word_ten).value);
        u.store<u64>(kBuffer, 1);
        u.store<u64>(kBuffer + 8, 1);
        require(u.syscall(SYS_setrlimit, RLIMIT_SIGPENDING, kBuffer) == 0, "setrlimit");
        u.store<u64>(kBuffer + kInformation, kRealtime);
        u.store<u64>(kBuffer + kInformation + 8, kFromQueue);
        start_thread(
            u,
            [](UserMachine& t) {
                set_mask(t, SIG_BLOCK, bit(kRealtime));
                require(t.syscall(SYS_tgkill, t.syscall(SYS_getpid), t.syscall(SYS_gettid), SIGUSR1) == 0, "tgkill");
                exit_thread(t);
            },
            0);
        join_thread(u, 0);
        const auto queue = [&] {
            return u.syscall(SYS_rt_sigqueueinfo, u.syscall(SYS_getpid), kRealtime, kBuffer + kInformation);
        };
        for (u32 i = 0; i < 3; ++i) {
            set_mask(u, SIG_BLOCK, bit(kRealtime));
            require(queue() == 0, "a delivered signal still counts");
            require(queue() == -EAGAIN, "a pending signal does not count");
            set_mask(u, SIG_UNBLOCK, bit(kRealtime));
            require(u.load<u32>(word(10)) == i + 2, "the signal was lost, or came twice");
        }
    });
}

TEST(ProcessSignal, AnotherThreadTakesWhatThisOneBlocks) {
    EXPLORE_PROCESSES("kill against two masks", {.cpus = 3}, [](UserMachine& u) {
        set_handler(u, SIGUSR1, address_of(count_at_word_ten).value);
        start_thread(
            u,
            [](UserMachine& t) {
                while (t.load<u32>(word(10)) == 0) {
                    futex_wait(t, word(11), 0);
                }
                exit_thread(t);
            },
            0);
        const i64 child = fork(u, [](UserMachine& c) {
            c.syscall(SYS_kill, c.syscall(SYS_getppid), SIGUSR1);
            exit(c);
        });
        set_mask(u, SIG_BLOCK, bit(SIGUSR1));
        require(u.syscall(SYS_wait4, child, 0, 0, 0) == child, "wait");
        u.store<u32>(word(11), 1);
        futex_wake(u, word(11), 1);
        join_thread(u, 0);
        require(u.load<u32>(word(10)) == 1, "the signal was lost, or came twice");
    });
}

/// sigtimedwait(2) unblocks what it waits for, so that all of it is directed to its thread, and takes one of it.
TEST(ProcessSignal, WhatAWaitDoesNotTakeGoesToAnotherThread) {
    EXPLORE_PROCESSES("two signals against sigtimedwait", {.cpus = 3}, [](UserMachine& u) {
        set_handler(u, SIGUSR2, address_of(count_at_word_ten).value);
        set_mask(u, SIG_BLOCK, bit(SIGUSR1) | bit(SIGUSR2));
        u.store<u64>(word(11), bit(SIGUSR1));
        start_thread(
            u,
            [](UserMachine& t) {
                require(t.syscall(SYS_rt_sigsuspend, word(11), 8) == -EINTR, "sigsuspend");
                exit_thread(t);
            },
            0);
        const i64 child = fork(u, [](UserMachine& c) {
            const i64 parent = c.syscall(SYS_getppid);
            c.syscall(SYS_kill, parent, SIGUSR1);
            c.syscall(SYS_kill, parent, SIGUSR2);
            exit(c);
        });
        u.store<u64>(kBuffer, bit(SIGUSR1) | bit(SIGUSR2));
        const i64 taken = u.syscall(SYS_rt_sigtimedwait, kBuffer, 0, 0, 8);
        require(taken == SIGUSR1 || taken == SIGUSR2, "sigtimedwait");
        if (taken == SIGUSR2) {
            u.syscall(SYS_kill, u.syscall(SYS_getpid), SIGUSR2);
        }
        join_thread(u, 0);
        require(u.load<u32>(word(10)) == 1, "the signal was lost, or came twice");
        require(u.syscall(SYS_wait4, child, 0, 0, 0) == child, "wait");
    });
}

TEST(ProcessSignal, SuspendsUntilTheChildHasEnded) {
    EXPLORE_PROCESSES("SIGCHLD against sigsuspend", {}, [](UserMachine& u) {
        set_handler(u, SIGCHLD, address_of(count_at_word_ten).value);
        set_mask(u, SIG_BLOCK, bit(SIGCHLD));
        const i64 child = fork(u, [](UserMachine& c) { exit(c, 1); });
        u.store<u64>(kBuffer, 0);
        while (u.load<u32>(word(10)) == 0) {
            require(u.syscall(SYS_rt_sigsuspend, kBuffer, 8) == -EINTR, "sigsuspend");
        }
        require(wait(u, child, WNOHANG) == child, "SIGCHLD came before the zombie");
        require(u.load<u32>(word(10)) == 1, "SIGCHLD came twice");
    });
}

TEST(ProcessSignal, AReadIsMadeAgainBehindAHandler) {
    EXPLORE_PROCESSES("SA_RESTART", {.cpus = 3}, [](UserMachine& u) {
        constexpr u64 kRestart = 0x1000'0000;
        set_handler(u, SIGUSR1, address_of(count_at_word_ten).value, kRestart);
        const Pipe ends = pipe(u);
        const i64 child = fork(u, [](UserMachine& c) {
            c.syscall(SYS_kill, c.syscall(SYS_getppid), SIGUSR1);
            c.syscall(SYS_write, c.load<Pipe>(word(0)).writer, kBuffer, 3);
            exit(c);
        });
        require(u.syscall(SYS_read, ends.reader, kBuffer, 10) == 3, "read");
        require(u.load<u32>(word(10)) == 1, "handler");
        require(u.syscall(SYS_wait4, child, 0, 0, 0) == child, "wait");
    });
}

TEST(ProcessSignal, APauseIsInterrupted) {
    EXPLORE_PROCESSES("setitimer against pause", {}, [](UserMachine& u) {
        set_handler(u, SIGALRM, address_of(count_at_word_ten).value);
        set_mask(u, SIG_BLOCK, bit(SIGALRM));
        u.store<u64>(kBuffer, 0);
        u.store<u64>(kBuffer + 8, 0);
        u.store<u64>(kBuffer + 16, 0);
        u.store<u64>(kBuffer + 24, 10);
        require(u.syscall(SYS_setitimer, 0, kBuffer, 0) == 0, "setitimer");
        require(u.syscall(SYS_rt_sigsuspend, kBuffer, 8) == -EINTR, "sigsuspend");
        require(u.load<u32>(word(10)) == 1, "handler");
    });
}

void pause_for_ever(UserMachine& u) {
    for (;;) {
        u.syscall(SYS_pause);
    }
}

TEST(ProcessSignal, ThereIsNothingToRestart) {
    EXPLORE_PROCESSES("restart_syscall", {}, [](UserMachine& u) {
        require(u.syscall(SYS_restart_syscall) == -EINTR, "nothing was interrupted");
        // A sleep that ended because of a handler is over, too; inside of the handler it is not.
        set_handler(u, SIGALRM, address_of([](UserMachine&) {}).value);
        const u64 timer[] = {0, 0, 0, 1000};
        u.store(word(0), timer);
        require(u.syscall(SYS_setitimer, 0, word(0), 0) == 0, "setitimer");
        const u64 hour[] = {3600, 0};
        u.store(word(4), hour);
        require(u.syscall(SYS_nanosleep, word(4), 0) == -EINTR, "a handler ends a sleep");
        require(u.syscall(SYS_restart_syscall) == -EINTR, "behind a handler");
    });
}

TEST(ProcessSignal, TheParentSeesStopAndContinue) {
    EXPLORE_PROCESSES("SIGSTOP, SIGCONT, wait", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, pause_for_ever, 0);
            pause_for_ever(c);
        });
        require(u.syscall(SYS_kill, child, SIGSTOP) == 0, "stop");
        require(wait(u, child, WUNTRACED) == child, "wait for the stop");
        require(status(u) == (SIGSTOP << 8 | 0x7f), "the status of a stopped child");
        require(wait(u, child, WUNTRACED | WNOHANG) == 0, "a stop was told twice");
        require(u.syscall(SYS_kill, child, SIGCONT) == 0, "continue");
        require(wait(u, child, WCONTINUED) == child, "wait for the continuation");
        require(status(u) == 0xffff, "the status of a continued child");
        require(u.syscall(SYS_kill, child, SIGKILL) == 0, "kill");
        expect_end(u, child, SIGKILL, "the status");
    });
}

TEST(ProcessSignal, AThreadEndsWhileItsProcessStops) {
    EXPLORE_PROCESSES("SIGSTOP against exit of a thread", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, [](UserMachine& t) { exit_thread(t); }, 0);
            pause_for_ever(c);
        });
        require(u.syscall(SYS_kill, child, SIGSTOP) == 0, "stop");
        require(wait(u, child, WUNTRACED) == child, "wait for the stop");
        require(status(u) == (SIGSTOP << 8 | 0x7f), "the status of a stopped child");
        require(u.syscall(SYS_kill, child, SIGKILL) == 0, "kill");
        expect_end(u, child, SIGKILL, "a stopped process cannot be killed");
    });
}

TEST(ProcessSignal, AContinuationOvertakesAStop) {
    EXPLORE_PROCESSES("SIGSTOP against SIGCONT", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, [](UserMachine& t) { exit_thread(t); }, 0);
            join_thread(c, 0);
            exit(c, 1);
        });
        u.syscall(SYS_kill, child, SIGSTOP);
        u.syscall(SYS_kill, child, SIGCONT);
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(ProcessSignal, TwoKillersAndAnExit) {
    EXPLORE_PROCESSES("SIGKILL, SIGTERM, exit", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, pause_for_ever, 0);
            exit(c, 1);
        });
        u.syscall(SYS_kill, child, SIGTERM);
        u.syscall(SYS_kill, child, SIGKILL);
        require(wait(u, child) == child, "wait");
        const int end = status(u);
        require(end == exited(1) || end == SIGTERM || end == SIGKILL, "the status");
    });
}

TEST(ProcessSignal, AThreadThatEndsPassesSignalsOn) {
    EXPLORE_PROCESSES("kill against exit of the leader", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            set_handler(c, SIGUSR1, address_of([](UserMachine& h) { exit(h, 1); }).value);
            start_thread(c, pause_for_ever, 0);
            arrive(0);
            exit_thread(c, 2);
        });
        await(u, 0);
        require(u.syscall(SYS_kill, child, SIGUSR1) == 0, "kill");
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(ProcessSignal, ASignalThatDumpsCoreLeavesNothing) {
    EXPLORE_PROCESSES("SIGABRT", {}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            c.syscall(SYS_kill, c.syscall(SYS_getpid), SIGABRT);
            require(false, "alive");
        });
        expect_end(u, child, SIGABRT, "the status");
    });
}

TEST(ProcessSignal, AKilledGroupLosesNobody) {
    EXPLORE_PROCESSES("kill of a group against fork", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            require(c.syscall(SYS_setpgid, 0, 0) == 0, "setpgid");
            arrive(0);
            fork(c, pause_for_ever);
            pause_for_ever(c);
        });
        await(u, 0);
        // Who survives keeps process 1 waiting for ever.
        require(u.syscall(SYS_kill, -child, SIGKILL) == 0, "kill");
        expect_end(u, child, SIGKILL, "the status");
    });
}

}  // namespace
}  // namespace cairn
