/// execve ends every other thread of its process, in whatever state it is, and waits for it.
///
/// E08, S01, trap C: no wait outlives teardown. E07: many at once. E09: whoever calls becomes the leader. E19: failures
/// of allocations on the way.

#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

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
    // The child keeps the memory for as long as the new program lets it.
    EXPLORE_PROCESSES("execve, a sibling in vfork",
                      {.cpus = 3,
                       .programs = {{"/one",
                                     [](UserMachine& u) {
                                         while (board.words[0] == 0 && wait(u, -1, WNOHANG) == 0) {
                                             u.syscall(SYS_sched_yield);
                                         }
                                         if (board.words[0] != 0) {
                                             u.syscall(SYS_kill, board.words[0], SIGKILL);
                                         }
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          const i64 child = fork(u, [](UserMachine& c) {
                              start_thread(
                                  c,
                                  [](UserMachine& t) {
                                      vfork(t, [](UserMachine& g) {
                                          announce(0, g.syscall(SYS_getpid));
                                          for (;;) {
                                              g.syscall(SYS_pause);
                                          }
                                      });
                                      require(false, "vfork returned before its child has ended");
                                  },
                                  0);
                              dawdle(c);
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

// --- Waits of all kinds -------------------------------------------------------------------------------------------

[[noreturn]] void has_returned() {
    require(false, "a wait that nothing ends has returned");
    __builtin_unreachable();
}
void wait_in_poll(UserMachine& t) {
    const struct {
        i32 fd;
        i16 wanted, seen;
    } entry{static_cast<i32>(pipe(t, 3).reader), POLLIN, 0};
    t.store(kBuffer, entry);
    t.syscall(SYS_poll, kBuffer, 1, -1);
    has_returned();
}
void wait_in_epoll(UserMachine& t) {
    const i64 set = t.syscall(SYS_epoll_create1, 0);
    t.syscall(SYS_epoll_wait, set, kBuffer, 1, -1);
    has_returned();
}
void wait_in_sigsuspend(UserMachine& t) {
    t.store<u64>(kBuffer, 0);
    t.syscall(SYS_rt_sigsuspend, kBuffer, 8);
    has_returned();
}
void wait_in_sigtimedwait(UserMachine& t) {
    t.store<u64>(kBuffer, bit(SIGUSR1));
    t.syscall(SYS_rt_sigtimedwait, kBuffer, 0, 0, 8);
    has_returned();
}
void wait_in_eventfd(UserMachine& t) {
    t.syscall(SYS_read, t.syscall(SYS_eventfd2, 0, 0), kBuffer, 8);
    has_returned();
}
void wait_in_accept(UserMachine& t) {
    const i64 socket = t.syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    const struct {
        u16 family;
        char name[6];
    } address{AF_UNIX, {'\0', 'r', 'a', 'c', 'e', '\0'}};
    t.store(kBuffer, address);
    require(t.syscall(SYS_bind, socket, kBuffer, 8) == 0 && t.syscall(SYS_listen, socket, 1) == 0, "listen");
    t.syscall(SYS_accept, socket, 0, 0);
    has_returned();
}
void wait_in_full_pipe(UserMachine& t) {
    const Pipe ends = pipe(t, 3);
    for (;;) {
        t.syscall(SYS_write, ends.writer, kBuffer, 32768);
    }
}
void wait_in_flock(UserMachine& t) {
    const VirtualAddress name = text(t, "/locked", 3);
    const i64 first = t.syscall(SYS_open, name, O_RDWR | O_CREAT, 0600);
    const i64 second = t.syscall(SYS_open, name, O_RDWR, 0);
    require(t.syscall(SYS_flock, first, LOCK_EX) == 0, "flock");
    t.syscall(SYS_flock, second, LOCK_EX);
    has_returned();
}
void wait_in_fifo(UserMachine& t) {
    const VirtualAddress name = text(t, "/fifo", 3);
    t.syscall(SYS_mknod, name, S_IFIFO | 0600, 0);
    t.syscall(SYS_open, name, O_RDONLY);
    has_returned();
}
void wait_in_priority_futex(UserMachine& t) {
    // The owner is another thread, which never lets go.
    t.store<u32>(word(5), static_cast<u32>(t.syscall(SYS_getpid)));
    t.syscall(SYS_futex, word(5), FUTEX_LOCK_PI, 0, 0, 0, 0);
    has_returned();
}
constexpr UserFunction kWaits[] = {wait_in_poll,    wait_in_epoll,         wait_in_sigsuspend, wait_in_sigtimedwait,
                                   wait_in_eventfd, wait_in_accept,        wait_in_full_pipe,  wait_in_flock,
                                   wait_in_fifo,    wait_in_priority_futex};

TEST(ExecSiblings, EndInAnyWait) {  // E08, S01, trap C
    EXPLORE_PROCESSES("execve, a sibling in some wait", {.cpus = 2, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, kWaits[arch::host::random_below(std::size(kWaits))], 0);
                dawdle(c);
                exec_one(c);
            },
            exited(1), exited(1));
        u.syscall(SYS_unlink, text(u, "/fifo"));
        u.syscall(SYS_unlink, text(u, "/locked"));
    });
}

TEST(ExecSiblings, EndInManyStatesAtOnce) {  // E08, E09, trap C
    EXPLORE_PROCESSES("execve, siblings in five states", {.cpus = 4, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, [](UserMachine& t) { futex_wait(t, word(0), 0); }, 0);
                start_thread(c, [](UserMachine& t) { t.syscall(SYS_read, pipe(t, 2).reader, kBuffer, 1); }, 1);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        for (;;) {
                            t.store<u32>(word(1), t.load<u32>(word(1)) + 1);
                            require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
                        }
                    },
                    2);
                start_thread(c, [](UserMachine& t) { exit_thread(t); }, 3);
                start_thread(c, exec_one, 4);
                sleep_for_ever(c);
            },
            exited(1), exited(1));
    });
}

TEST(ExecSiblings, ThreeOfThemExec) {  // E07, E09, trap H
    EXPLORE_PROCESSES("three execve", {.cpus = 4, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(c, exec_two, 0);
                start_thread(c, exec_two, 1);
                exec_one(c);
            },
            exited(1), exited(2));
    });
}

TEST(ExecSiblings, ManyOfThemExecAndFail) {  // E07, E19, trap H
    EXPLORE_PROCESSES("execve among those that fail", {.cpus = 4, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                for (u32 i = 0; i < 3; ++i) {
                    start_thread(
                        c,
                        [](UserMachine& t) {
                            const i64 result = execve(t, "/", 3);
                            require(result == -EACCES, "the error of a directory");
                            exit_thread(t);
                        },
                        i);
                }
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(ExecSiblings, OneIsKilled) {  // E08, trap C: SIGKILL for a thread is for the process
    EXPLORE_PROCESSES("execve against tgkill(SIGKILL)", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            announce(0, start_thread(c, sleep_for_ever, 0));
            dawdle(c);
            exec_one(c);
        });
        const i64 thread = announced(u, 0);
        const i64 result = u.syscall(SYS_tgkill, child, thread, SIGKILL);
        require(result == 0 || result == -ESRCH, "tgkill");
        require(wait(u) == child, "wait");
        require(status(u) == exited(1) || (status(u) == SIGKILL && result == 0), "the child's status");
    });
}

TEST(ExecSiblings, OneFaults) {  // E08, S05: a fatal signal of a sibling against its end
    EXPLORE_PROCESSES("execve against SIGSEGV", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(
                c,
                [](UserMachine& t) {
                    dawdle(t);
                    t.load<u32>({0x2000'0000});
                    require(false, "an access to nothing");
                },
                0);
            exec_one(c);
        });
        require(wait(u) == child, "wait");
        require(status(u) == exited(1) || (status(u) & 0x7f) == SIGSEGV, "the child's status");
    });
}

TEST(ExecSiblings, StartOthersWhenTheLeaderIsGone) {  // E08, E09, traps A and K
    EXPLORE_PROCESSES("execve, clone and the leader's exit", {.cpus = 4, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        start_thread(t, sleep_for_ever, 2);
                        sleep_for_ever(t);
                    },
                    0);
                start_thread(c, exec_one, 1);
                exit_thread(c, 3);
            },
            exited(1), exited(1));
    });
}

TEST(ExecSiblings, StartOthersInVain) {  // F05, E08, trap B: a clone that fails late leaves nothing behind
    EXPLORE_PROCESSES("execve against clones that fail", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        for (;;) {
                            // The number of the pidfd has nowhere to go.
                            const i64 result = t.fork_into(address_of([](UserMachine& g) { exit(g); }), SYS_clone,
                                                           CLONE_PIDFD | SIGCHLD, 0, 0x2000'0000, 0, 0);
                            require(result == -EFAULT, "the error of a bad pointer");
                            require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
                        }
                    },
                    0);
                dawdle(c);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(ExecSiblings, AgainstCloneWithoutMemory) {  // E08, E19, trap B
    EXPLORE_PROCESSES("execve against clone, allocations fail",
                      {.cpus = 3, .allocation_failures = 60, .programs = kPrograms}, [](UserMachine& u) {
                          u.store<u8>(kText, 0);
                          const i64 child = fork(u, [](UserMachine& c) {
                              start_thread(
                                  c,
                                  [](UserMachine& t) {
                                      start_thread(t, [](UserMachine& s) { s.syscall(SYS_pause); }, 1);
                                      t.syscall(SYS_pause);
                                  },
                                  0);
                              while (execve(c, "/one", 1) == -EINTR) {
                              }
                              exit(c, 1);
                          });
                          require(child < 0 || wait(u) == child, "wait");
                      });
}

}  // namespace
}  // namespace cairn
