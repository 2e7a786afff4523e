/// execve against what the other threads of its process call, and what is sent to it meanwhile.
///
/// E07: of several execve one goes through at a time. E08, trap A: no new threads appear. E09: who is not the leader
/// takes its place. E12, trap I: what becomes of dispositions, mask and pending signals.
///
/// Further files: exec_siblings_test.cpp (in whatever state a sibling is, it ends), exec_files_test.cpp,
/// exec_memory_test.cpp, exec_signals_test.cpp, exec_credentials_test.cpp, exec_vfork_test.cpp, exec_parent_test.cpp,
/// exec_tracing_test.cpp. `tools/explore --races` runs them all.

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

TEST(Exec, AgainstExec) {
    EXPLORE_PROCESSES("execve against execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, exec_two, 0);
                exec_one(c);
            },
            exited(1), exited(2));
    });
}

TEST(Exec, TheLoserGoesOnWhenTheWinnerFails) {
    EXPLORE_PROCESSES("execve against an execve that fails", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        require(execve(t, "/nothing", 2) == -ENOENT, "the error of a path that is not there");
                        exit_thread(t);
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, AgainstExitGroup) {
    EXPLORE_PROCESSES("execve against exit_group", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        await(t, kAboutToExec);
                        exit(t, 5);
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(5));
    });
}

TEST(Exec, AgainstExitOfASibling) {
    EXPLORE_PROCESSES("execve against exit", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, [](UserMachine& t) { exit_thread(t); }, 0);
                start_thread(c, [](UserMachine& t) { exit_thread(t); }, 1);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, AgainstClone) {
    EXPLORE_PROCESSES("execve against clone", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        await(t, kAboutToExec);
                        start_thread(t, sleep_for_ever, 1);
                        start_thread(t, sleep_for_ever, 2);
                        sleep_for_ever(t);
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, AgainstForkOfASibling) {
    EXPLORE_PROCESSES("execve against fork", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(
                c,
                [](UserMachine& t) {
                    await(t, kAboutToExec);
                    fork(t, [](UserMachine& g) { exit(g); });
                    sleep_for_ever(t);
                },
                0);
            exec_one(c);
        });
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(Exec, AgainstKill) {
    EXPLORE_PROCESSES("execve against SIGKILL", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, sleep_for_ever, 0);
            exec_one(c);
        });
        await(u, kAboutToExec);
        require(u.syscall(SYS_kill, child, SIGKILL) == 0, "kill");
        require(wait(u) == child, "wait");
        require(status(u) == exited(1) || status(u) == SIGKILL, "the child's status");
    });
}

TEST(Exec, AgainstStopAndContinue) {
    EXPLORE_PROCESSES("execve against SIGSTOP", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, sleep_for_ever, 0);
            exec_one(c);
        });
        await(u, kAboutToExec);
        require(u.syscall(SYS_kill, child, SIGSTOP) == 0, "stop");
        require(u.syscall(SYS_kill, child, SIGCONT) == 0, "continue");
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(Exec, ByAThreadThatIsNotTheLeader) {
    EXPLORE_PROCESSES("execve of another thread", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, exec_one, 0);
                sleep_for_ever(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, WhenTheLeaderHasEnded) {
    EXPLORE_PROCESSES("execve behind the leader's exit", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, exec_one, 0);
                exit_thread(c, 3);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, ASignalForTheProcessFindsTheNewLeader) {
    EXPLORE_PROCESSES("kill against a change of leaders", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, exec_one, 0);
            sleep_for_ever(c);
        });
        await(u, kAboutToExec);
        require(u.syscall(SYS_kill, child, SIGTERM) == 0, "kill");
        require(u.syscall(SYS_tgkill, child, child, SIGTERM) <= 0, "tgkill");
        require(wait(u) == child, "wait");
        require(status(u) == exited(1) || status(u) == SIGTERM, "the child's status");
    });
}

TEST(Exec, WhatBecomesOfSignals) {
    EXPLORE_PROCESSES("signals across execve",
                      {.programs = {{"/looks",
                                     [](UserMachine& u) {
                                         require(handler_of(u, SIGUSR1) == 0, "a handler has survived");
                                         require(handler_of(u, SIGUSR2) == 1, "SIG_IGN is gone");
                                         const VirtualAddress at = word(0);
                                         u.syscall(SYS_rt_sigprocmask, 0, 0, at, 8);
                                         require(u.load<u64>(at) == bit(SIGTERM), "the mask");
                                         u.syscall(SYS_rt_sigpending, at, 8);
                                         require(u.load<u64>(at) == bit(SIGTERM), "what was pending");
                                         set_mask(u, SIG_UNBLOCK, bit(SIGTERM));
                                         require(false, "a pending signal was forgotten");
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_handler(c, SIGUSR1, address_of(sleep_for_ever).value);
                                  set_handler(c, SIGUSR2, 1);
                                  set_handler(c, SIGTERM, address_of(sleep_for_ever).value);
                                  set_mask(c, SIG_BLOCK, bit(SIGTERM));
                                  c.syscall(SYS_kill, c.syscall(SYS_getpid), SIGTERM);
                                  execve(c, "/looks");
                              },
                              SIGTERM, SIGTERM);
                      });
}

TEST(Exec, AgainstExecAndAHandler) {
    EXPLORE_PROCESSES("execve against execve, a signal handled", {.cpus = 3, .programs = kPrograms},
                      [](UserMachine& u) {
                          const i64 child = fork(u, [](UserMachine& c) {
                              set_handler(c, SIGUSR1, address_of([](UserMachine&) {}).value);
                              start_thread(c, exec_two, 0);
                              exec_one(c);
                          });
                          await(u, kAboutToExec);
                          require(u.syscall(SYS_kill, child, SIGUSR1) == 0, "kill");
                          require(wait(u) == child, "wait");
                          const int end = status(u);
                          // The new program has no handler any more.
                          require(end == exited(1) || end == exited(2) || end == SIGUSR1, "the child's status");
                      });
}

}  // namespace
}  // namespace cairn
