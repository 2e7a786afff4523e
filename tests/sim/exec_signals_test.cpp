/// execve and signals: what is pending, what is ignored, what timers send, and whose dispositions they are.
///
/// E12, E13, trap I. Trap O: a signal for the process reaches whoever is its thread then.

#include <sys/time.h>
#include <time.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

u64 pending_signals(UserMachine& u) {
    u.syscall(SYS_rt_sigpending, word(0), 8);
    return u.load<u64>(word(0));
}
void nothing(UserMachine&) {}

// --- Pending signals ------------------------------------------------------------------------------------------------

TEST(ExecSignals, OneThatAllBlockStaysPending) {  // E12, trap I
    EXPLORE_PROCESSES("execve of a thread against a blocked signal",
                      {.cpus = 3,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         await(u, kSeen);
                                         require(pending_signals(u) == bit(SIGTERM), "a pending signal was forgotten");
                                         set_mask(u, SIG_UNBLOCK, bit(SIGTERM));
                                         require(false, "a pending signal is never delivered");
                                     }}}},
                      [](UserMachine& u) {
                          const i64 child = fork(u, [](UserMachine& c) {
                              set_mask(c, SIG_BLOCK, bit(SIGTERM));
                              start_thread(
                                  c,
                                  [](UserMachine& t) {
                                      arrive(kAboutToExec);
                                      execve(t, "/looks", 1);
                                  },
                                  0);
                              sleep_for_ever(c);
                          });
                          await(u, kAboutToExec);
                          dawdle(u);
                          require(u.syscall(SYS_kill, child, SIGTERM) == 0, "kill");
                          arrive(kSeen);
                          expect_end(u, child, SIGTERM, "the status");
                      });
}

TEST(ExecSignals, OneForTheThreadItself) {  // E12: a thread's own signals go with it when it becomes the leader
    EXPLORE_PROCESSES("execve with a signal of the thread's own",
                      {.cpus = 2,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         require(pending_signals(u) == bit(SIGUSR1), "a pending signal was forgotten");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_mask(c, SIG_BLOCK, bit(SIGUSR1));
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          const i64 self = t.syscall(SYS_gettid);
                                          t.syscall(SYS_tgkill, t.syscall(SYS_getpid), self, SIGUSR1);
                                          execve(t, "/looks", 1);
                                      },
                                      0);
                                  sleep_for_ever(c);
                              },
                              exited(1), exited(1));
                      });
}

TEST(ExecSignals, AreHandledByTheOldProgramOrEndTheNewOne) {  // E07, E12, S01, trap O
    EXPLORE_PROCESSES("execve against signals with handlers", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            set_handler(c, SIGUSR1, address_of([](UserMachine&) {
                                        require(board.words[kNewProgram] == 0, "the old program's handler runs");
                                    }).value);
            start_thread(c, sleep_for_ever, 0);
            start_thread(c, exec_one, 1);
            sleep_for_ever(c);
        });
        await(u, kAboutToExec);
        for (u32 i = 0; i < 3; ++i) {
            require(u.syscall(SYS_kill, child, SIGUSR1) == 0, "kill");
        }
        require(wait(u) == child, "wait");
        require(status(u) == exited(1) || status(u) == SIGUSR1, "the status");
    });
}

// --- Dispositions ---------------------------------------------------------------------------------------------------

TEST(ExecSignals, WhatASiblingIgnoresInTheLastMoment) {  // E12, trap I: also when another process has the handlers, too
    EXPLORE_PROCESSES("SIG_IGN set by a sibling",
                      {.cpus = 3,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         const u64 ignored = handler_of(u, SIGUSR2);
                                         require(ignored == 1 || board.words[0] == 0, "SIG_IGN is gone");
                                         require(handler_of(u, SIGUSR1) == 0, "a handler has survived");
                                         arrive(kSeen);
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_handler(c, SIGUSR1, address_of(nothing).value);
                                  if (arch::host::random_below(2) == 0) {
                                      c.fork_into(address_of([](UserMachine& s) {
                                                      await(s, kSeen);
                                                      exit(s);
                                                  }),
                                                  SYS_clone, CLONE_VM | CLONE_SIGHAND | SIGCHLD, stack_top(1), 0, 0, 0);
                                  }
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          dawdle(t);
                                          set_handler(t, SIGUSR2, 1);
                                          board.words[0] = 1;
                                          t.syscall(SYS_pause);
                                      },
                                      0);
                                  execve(c, "/looks", 1);
                              },
                              exited(1), exited(1));
                      });
}

constexpr u32 kSharer = 5;

/// A process that has the dispositions as well; they are to stay as they are.
void look_at_handlers(UserMachine& s) {
    arrive(kSharer);
    for (u32 i = 0; i < 6; ++i) {
        require(handler_of(s, SIGUSR1) == address_of(nothing).value, "another process's execve changed a handler");
    }
    await(s, kSeen);
    require(handler_of(s, SIGUSR1) == address_of(nothing).value, "another process's execve changed a handler");
    exit(s, 1);
}
i64 start_sharer(UserMachine& u, u64 flags) {
    return u.fork_into(address_of(look_at_handlers), SYS_clone, CLONE_VM | CLONE_SIGHAND | flags | SIGCHLD,
                       stack_top(3), 0, 0, 0);
}
/// The new program; the sharer is its child.
void release_sharer(UserMachine& u) {
    arrive(kSeen);
    const i64 found = wait(u);
    require(found > 0 || board.words[kSharer] == 0, "the child is gone");
    require(found < 0 || status(u) == exited(1), "its status");
    require(handler_of(u, SIGUSR1) == 0, "a handler has survived");
    exit(u, 1);
}

TEST(ExecSignals, AnotherProcessHasTheSameHandlers) {  // E12, trap I
    EXPLORE_PROCESSES("execve, handlers shared with a process", {.cpus = 3, .programs = {{"/one", release_sharer}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_handler(c, SIGUSR1, address_of(nothing).value);
                                  require(start_sharer(c, 0) > 0, "clone");
                                  start_thread(c, sleep_for_ever, 0);
                                  exec_one(c);
                              },
                              exited(1), exited(1));
                      });
}

TEST(ExecSignals, AnotherProcessGetsTheSameHandlersMeanwhile) {  // E12, trap I: a sibling's clone(CLONE_SIGHAND)
    EXPLORE_PROCESSES("execve against clone(CLONE_SIGHAND)", {.cpus = 3, .programs = {{"/one", release_sharer}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_handler(c, SIGUSR1, address_of(nothing).value);
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          dawdle(t);
                                          start_sharer(t, 0);
                                          t.syscall(SYS_pause);
                                      },
                                      0);
                                  dawdle(c);
                                  exec_one(c);
                              },
                              exited(1), exited(1));
                      });
}

// --- Timers ---------------------------------------------------------------------------------------------------------

TEST(ExecSignals, AnIntervalTimerGoesOn) {  // E13, trap I
    EXPLORE_PROCESSES("execve against ITIMER_REAL",
                      {.cpus = 2,
                       .programs = {{"/waits",
                                     [](UserMachine& u) {
                                         for (;;) {
                                             u.syscall(SYS_pause);
                                         }
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_handler(c, SIGALRM, address_of(nothing).value);
                                  const i64 period = i64{100} << arch::host::random_below(6);
                                  c.store<itimerval>(kBuffer, {{0, period}, {0, period}});
                                  require(c.syscall(SYS_setitimer, ITIMER_REAL, kBuffer, 0) == 0, "setitimer");
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          while (true) {
                                              execve(t, "/waits", 1);
                                              require(false, "execve returned");
                                          }
                                      },
                                      0);
                                  for (;;) {
                                      c.syscall(SYS_pause);
                                  }
                              },
                              SIGALRM, SIGALRM);
                      });
}

/// Nanoseconds; longer than what an expiry takes.
i64 random_period() {
    return i64{100'000} << arch::host::random_below(6);
}
void make_timer(UserMachine& u, i32 notify, i64 thread, i64 period) {
    const struct {
        u64 value = 0;
        i32 signal = SIGUSR1, notify;
        i32 thread, padding[11] = {};
    } event{.notify = notify, .thread = static_cast<i32>(thread)};
    u.store(kBuffer, event);
    require(u.syscall(SYS_timer_create, CLOCK_MONOTONIC, kBuffer, kBuffer + 128) == 0, "timer_create");
    u.store<itimerspec>(kBuffer, {{0, period}, {0, period}});
    require(u.syscall(SYS_timer_settime, u.load<i32>(kBuffer + 128), 0, kBuffer, 0) == 0, "timer_settime");
}

TEST(ExecSignals, PosixTimersAreDeleted) {  // E13, trap I: also those that expire at this very moment
    EXPLORE_PROCESSES("execve against timer_create's timers",
                      {.cpus = 3,
                       .programs = {{"/looks",
                                     [](UserMachine& u) {
                                         arrive(kNewProgram);
                                         require(pending_signals(u) == 0, "a signal of a timer that is deleted");
                                         sleep_nanoseconds(u, 5'000'000);
                                         require(pending_signals(u) == 0, "a timer has survived");
                                         require(u.syscall(SYS_timer_gettime, 0, word(0)) == -EINVAL, "its number");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_mask(c, SIG_BLOCK, bit(SIGUSR1));
                                  const i64 period = random_period();
                                  make_timer(c, SIGEV_SIGNAL, 0, period);
                                  start_thread(c, sleep_for_ever, 0);
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          make_timer(t, SIGEV_THREAD_ID, t.syscall(SYS_gettid), random_period());
                                          execve(t, "/looks", 1);
                                      },
                                      1);
                                  sleep_for_ever(c);
                              },
                              exited(1), exited(1));
                      });
}

}  // namespace
}  // namespace cairn
