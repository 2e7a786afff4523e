/// execve against everything that the other threads of its process may be doing.
///
/// E07: of several execve one goes through at a time. E08, traps A and C: siblings end wherever they are, and no new
/// ones appear. E09: who is not the leader takes its place. E11, trap G: a close-on-exec flag set in the last moment
/// counts. E12, trap I: what becomes of dispositions, mask and pending signals.

#include <gtest/gtest.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u32 kAboutToExec = 10;
constexpr u32 kNewProgram = 11;

void program_one(UserMachine& u) {
    require(u.syscall(SYS_gettid) == u.syscall(SYS_getpid), "the new program's thread is not the leader");
    arrive(kNewProgram);
    exit(u, 1);
}
void program_two(UserMachine& u) {
    require(u.syscall(SYS_gettid) == u.syscall(SYS_getpid), "the new program's thread is not the leader");
    exit(u, 2);
}

const std::vector<ProgramFile> kPrograms = {{"/one", program_one}, {"/two", program_two}};

void exec_one(UserMachine& u) {
    arrive(kAboutToExec);
    execve(u, "/one", 1);
    require(false, "execve returned");
}
void exec_two(UserMachine& u) {
    arrive(kAboutToExec);  // it may go first, and then exec_one never comes to it
    execve(u, "/two", 2);
    require(false, "execve returned");
}
void sleep_for_ever(UserMachine& u) {
    for (;;) {
        require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
        u.syscall(SYS_pause);
    }
}

/// Runs `process` as a child, which must end with one of the two statuses, and be the only one.
void expect_child(UserMachine& u, UserFunction process, int one, int or_two) {
    const i64 child = fork(u, process);
    require(child > 0, "fork");
    require(wait(u) == child, "wait");
    const int end = status(u);
    require(end == one || end == or_two, "the child's status");
    require(wait(u) == -ECHILD, "there is another child");
}

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

TEST(Exec, EndsASiblingInAFutex) {
    EXPLORE_PROCESSES("execve, a sibling in futex", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        futex_wait(t, word(0), 0);
                        require(false, "futex returned");
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, EndsASiblingInARead) {
    EXPLORE_PROCESSES("execve, a sibling in read", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                pipe(c, 0, O_CLOEXEC);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        t.syscall(SYS_read, t.load<Pipe>(word(0)).reader, kBuffer, 1);
                        require(false, "read returned");
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, EndsASiblingThatSleeps) {
    EXPLORE_PROCESSES("execve, a sibling in nanosleep", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        sleep_nanoseconds(t, 3600'000'000'000);
                        require(false, "nanosleep returned");
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(Exec, EndsASiblingInAVfork) {
    EXPLORE_PROCESSES("execve, a sibling in vfork", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(
                c,
                [](UserMachine& t) {
                    vfork(t, [](UserMachine& g) {
                        g.pause();
                        exit(g);
                    });
                    sleep_for_ever(t);
                },
                0);
            exec_one(c);
        });
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(Exec, EndsASiblingInUserMode) {
    EXPLORE_PROCESSES("execve, a sibling that computes", {.programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        for (;;) {
                            t.store<u32>(word(0), t.load<u32>(word(0)) + 1);
                            require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
                        }
                    },
                    0);
                exec_one(c);
            },
            exited(1), exited(1));
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

TEST(Exec, AFlagThatASiblingSetsInItsLastMomentCounts) {
    EXPLORE_PROCESSES("close-on-exec set by a sibling",
                      {.programs = {{"/looks",
                                     [](UserMachine& u) {
                                         const bool open = u.syscall(SYS_fcntl, 5, F_GETFD) >= 0;
                                         require(!open || board.words[0] == 0, "a marked descriptor is open");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  const Pipe ends = pipe(c);
                                  require(c.syscall(SYS_dup2, ends.reader, 5) == 5, "dup2");
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          await(t, kAboutToExec);
                                          for (u64 i = arch::host::random_below(100); i > 0; --i) {
                                              t.syscall(SYS_getppid);
                                          }
                                          t.syscall(SYS_fcntl, 5, F_SETFD, FD_CLOEXEC);
                                          board.words[0] = 1;
                                          sleep_for_ever(t);
                                      },
                                      0);
                                  arrive(kAboutToExec);
                                  execve(c, "/looks", 1);
                              },
                              exited(1), exited(1));
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

TEST(Exec, ATableSharedWithAnotherProcessStaysItsOwn) {
    EXPLORE_PROCESSES("close-on-exec in a shared table", {.programs = kPrograms}, [](UserMachine& u) {
        const Pipe ends = pipe(u, 0, O_CLOEXEC);
        const i64 child = u.fork_into(address_of(exec_one), SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
        require(child > 0, "clone");
        for (u32 i = 0; i < 3; ++i) {
            require(u.syscall(SYS_fcntl, ends.reader, F_GETFD) == FD_CLOEXEC, "another process's execve closed it");
        }
        expect_end(u, child, exited(1), "the status");
        require(u.syscall(SYS_fcntl, ends.reader, F_GETFD) == FD_CLOEXEC, "another process's execve closed it");
    });
}

constexpr VirtualAddress kShared{0x1000'0000};

TEST(Exec, WalksTheRobustList) {
    EXPLORE_PROCESSES("robust list at execve", {.programs = kPrograms}, [](UserMachine& u) {
        require(u.syscall(SYS_mmap, kShared, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
                          -1, 0) == static_cast<i64>(kShared.value),
                "mmap");
        const i64 child = fork(u, [](UserMachine& c) {
            const VirtualAddress entry = kShared + 64;
            c.store<u64>(kBuffer, entry.value);
            c.store<u64>(kBuffer + 8, 16);
            c.store<u64>(kBuffer + 16, 0);
            c.store<u64>(entry, kBuffer.value);
            require(c.syscall(SYS_set_robust_list, kBuffer, 24) == 0, "set_robust_list");
            c.store<u32>(entry + 16, static_cast<u32>(c.syscall(SYS_gettid)) | 0x8000'0000);
            futex_wake(c, entry + 16, 1);
            exec_one(c);
        });
        const VirtualAddress lock = kShared + 80;
        for (;;) {
            const u32 value = u.load<u32>(lock);
            if ((value & 0x4000'0000) != 0) {
                break;
            }
            futex_wait(u, lock, value);
        }
        expect_end(u, child, exited(1), "the status");
    });
}

}  // namespace
}  // namespace cairn
