/// wait(2) and the end of processes.
///
/// X01, trap K: two threads that end at once: exactly one is the last, and the status is right. X03: WNOHANG, WNOWAIT,
/// SIG_IGN. X04: orphans go to the subreaper.

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

TEST(Wait, WithoutHangingSeesWholeZombiesOnly) {
    EXPLORE_PROCESSES("WNOHANG", {}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) { exit(c, 6); });
        i64 found = 0;
        for (u32 i = 0; i < 5 && found == 0; ++i) {
            found = wait(u, child, WNOHANG);
        }
        require(found == 0 || found == child, "WNOHANG");
        if (found == 0) {
            require(wait(u, child) == child, "wait");
        }
        require(status(u) == exited(6), "status");
        require(u.syscall(SYS_kill, child, 0) == -ESRCH, "the pid of a process that is gone");
        require(wait(u, child, WNOHANG) == -ECHILD, "a process that is gone");
    });
}

TEST(Wait, WithoutHangingSeesOnlyZombiesThatHaveNoChildren) {  // X03, X04, trap K: those have their new parent by then
    EXPLORE_PROCESSES("WNOHANG and orphans", {}, [](UserMachine& u) {
        require(u.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl");
        set_mask(u, SIG_BLOCK, bit(SIGCHLD));
        const i64 child = fork(u, [](UserMachine& c) {
            fork(c, [](UserMachine& g) { exit(g, 2); });
            exit(c, 6);
        });
        while (wait(u, child, WNOHANG) == 0) {
            u.pause();
        }
        require(status(u) == exited(6), "status");
        u.syscall(SYS_rt_sigpending, word(0), 8);
        require(u.load<u64>(word(0)) == bit(SIGCHLD), "SIGCHLD comes later than the zombie");
        require(wait(u) > 0, "an orphan is lost");
        require(status(u) == exited(2), "the orphan's status");
    });
}

TEST(Wait, TheLastThreadMakesTheZombie) {
    EXPLORE_PROCESSES("exit against exit", {.cpus = 3}, [](UserMachine& u) {
        // As on Linux 6.1: whichever thread ends last gives the process its status.
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, [](UserMachine& t) { exit_thread(t, 3); }, 0);
            start_thread(c, [](UserMachine& t) { exit_thread(t, 3); }, 1);
            exit_thread(c, 3);
        });
        expect_end(u, child, exited(3), "the status of the last thread");
    });
}

TEST(Wait, ExitGroupWinsOverExit) {
    EXPLORE_PROCESSES("exit against exit_group", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, [](UserMachine& t) { exit(t, 4); }, 0);
            exit_thread(c, 3);
        });
        expect_end(u, child, exited(4), "the status");
    });
}

TEST(Wait, TwoExitGroups) {
    EXPLORE_PROCESSES("exit_group against exit_group", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, [](UserMachine& t) { exit(t, 4); }, 0);
            exit(c, 3);
        });
        require(wait(u) == child, "wait");
        require(status(u) == exited(3) || status(u) == exited(4), "the status");
    });
}

TEST(Wait, OrphansGoToTheSubreaper) {
    EXPLORE_PROCESSES("subreaper", {.cpus = 3}, [](UserMachine& u) {
        require(u.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl");
        const i64 child = fork(u, [](UserMachine& c) {
            fork(c, [](UserMachine& g) { exit(g, 2); });
            exit(c, 1);
        });
        const i64 first = wait(u);
        const int first_end = status(u);
        const i64 second = wait(u);
        const int second_end = status(u);
        require(first > 0 && second > 0 && (first == child || second == child), "two children");
        require(first_end + second_end == exited(3), "statuses");
        require(wait(u) == -ECHILD, "a third one");
    });
}

TEST(Wait, OrphansOfADyingSubreaper) {  // X04, trap K: who has ended takes nobody's children
    EXPLORE_PROCESSES("a subreaper ends", {.cpus = 3}, [](UserMachine& u) {
        require(u.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl");
        fork(u, [](UserMachine& s) {
            require(s.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl");
            fork(s, [](UserMachine& c) {
                fork(c, [](UserMachine& g) { exit(g, 2); });
                exit(c, 2);
            });
            exit(s, 2);
        });
        for (u32 i = 0; i < 3; ++i) {
            require(wait(u) > 0, "an orphan is lost");
            require(status(u) == exited(2), "statuses");
        }
        require(wait(u) == -ECHILD, "a fourth one");
    });
}

TEST(Wait, NobodyWaitsForWhatIsIgnored) {
    EXPLORE_PROCESSES("SIGCHLD ignored", {}, [](UserMachine& u) {
        set_handler(u, SIGCHLD, 1);
        require(fork(u, [](UserMachine& c) { exit(c); }) > 0, "fork");
        require(fork(u, [](UserMachine& c) { exit(c); }) > 0, "fork");
        require(wait(u) == -ECHILD, "wait");
    });
}

TEST(Wait, ALookLeavesTheZombie) {
    EXPLORE_PROCESSES("WNOWAIT", {}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) { exit(c, 6); });
        require(u.syscall(SYS_waitid, P_ALL, 0, kBuffer, WEXITED | WNOWAIT, 0) == 0, "waitid");
        require(u.load<int>(kBuffer + 16) == child, "si_pid");
        require(u.load<int>(kBuffer + 24) == 6, "si_status");
        expect_end(u, child, exited(6), "the status");
    });
}

TEST(Wait, EndsByKill) {
    EXPLORE_PROCESSES("a waiter is killed", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            fork(c, [](UserMachine& g) { exit(g); });
            c.syscall(SYS_wait4, -1, 0, 0, 0);
            c.syscall(SYS_pause);
        });
        require(u.syscall(SYS_kill, child, SIGKILL) == 0, "kill");
        expect_end(u, child, SIGKILL, "the status");
    });
}

}  // namespace
}  // namespace cairn
