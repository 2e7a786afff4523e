/// execve, and what its process is to others meanwhile: to its parent, to its children, to who holds a pidfd.
///
/// E09, E16: pid and parent stay, and the old leader leaves no zombie. X03, X04, trap K. S04: stops on the way.

#include <poll.h>
#include <sys/prctl.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

void exec_by_thread(UserMachine& c) {
    start_thread(c, exec_one, 0);
    sleep_for_ever(c);
}
void exec_by_thread_with_siblings(UserMachine& c) {
    start_thread(c, sleep_for_ever, 1);
    start_thread(c, sleep_for_ever, 2);
    exec_by_thread(c);
}

TEST(ExecParent, NeverSeesAnOldLeader) {  // E09, X03, trap K
    EXPLORE_PROCESSES("wait4(WNOHANG) against a change of leaders", {.cpus = 3, .programs = kPrograms},
                      [](UserMachine& u) {
                          const i64 child = fork(u, exec_by_thread);
                          for (u32 i = 0; i < 10; ++i) {
                              const bool ended = board.words[kNewProgram] != 0;
                              require(u.syscall(SYS_kill, child, 0) == 0, "a process that nobody has waited for");
                              const i64 found = wait(u, -1, WNOHANG);
                              require(found == 0 || (found == child && (ended || board.words[kNewProgram] != 0)),
                                      "the end of the old leader");
                              if (found == child) {
                                  require(status(u) == exited(1), "the status");
                                  return;
                              }
                          }
                          expect_end(u, child, exited(1), "the status");
                      });
}

TEST(ExecParent, HoldsAPidfd) {  // E09, X03: it means the process, whoever is its leader
    EXPLORE_PROCESSES("pidfd_open against a change of leaders", {.cpus = 3, .programs = {{"/one", program_until_seen}}},
                      [](UserMachine& u) {
                          const i64 child = fork(u, exec_by_thread);
                          const i64 fd = u.syscall(SYS_pidfd_open, child, 0);
                          require(fd >= 0, "pidfd_open");
                          for (u32 i = 0; i < 6; ++i) {
                              const struct {
                                  i32 fd;
                                  i16 wanted, seen;
                              } entry{static_cast<i32>(fd), POLLIN, 0};
                              u.store(kBuffer, entry);
                              require(u.syscall(SYS_poll, kBuffer, 1, 0) == 0, "the process lives");
                          }
                          require(u.syscall(SYS_pidfd_send_signal, fd, 0, 0, 0) == 0, "pidfd_send_signal");
                          arrive(kSeen);
                          require(u.syscall(SYS_waitid, P_PIDFD, fd, kBuffer, WEXITED, 0) == 0, "waitid");
                          require(u.load<int>(kBuffer + 16) == child && u.load<int>(kBuffer + 24) == 1, "the end");
                          u.syscall(SYS_close, fd);
                      });
}

TEST(ExecParent, IsToldBySigchld) {  // E12, X03: the exit signal that clone chose does not survive
    EXPLORE_PROCESSES("exit signal across execve", {.cpus = 2, .programs = kPrograms}, [](UserMachine& u) {
        set_handler(u, SIGUSR2, address_of([](UserMachine&) { require(false, "the old exit signal"); }).value);
        set_handler(u, SIGCHLD, address_of([](UserMachine&) { board.words[0] += 1; }).value);
        const i64 child = u.fork_into(address_of(exec_one), SYS_clone, SIGUSR2, 0, 0, 0, 0);
        require(child > 0, "clone");
        i64 found = 0;
        do {
            found = wait(u, child, __WALL);
        } while (found == -EINTR);
        require(found == child && status(u) == exited(1), "the end");
        u.syscall(SYS_getppid);
        require(board.words[0] == 1, "SIGCHLD");
    });
}

TEST(ExecParent, StopsIt) {  // S04, E08: a stop that crosses execve
    EXPLORE_PROCESSES("execve against a stop that is waited for", {.cpus = 3, .programs = kPrograms},
                      [](UserMachine& u) {
                          const i64 child = fork(u, exec_by_thread_with_siblings);
                          await(u, kAboutToExec);
                          require(u.syscall(SYS_kill, child, SIGSTOP) == 0, "stop");
                          require(wait(u, child, WUNTRACED) == child, "wait");
                          if ((status(u) & 0xff) == 0x7f) {
                              require(status(u) == (SIGSTOP << 8 | 0x7f), "the stop");
                              require(wait(u, child, WUNTRACED | WNOHANG) == 0, "a second stop");
                              require(u.syscall(SYS_kill, child, SIGCONT) == 0, "continue");
                              require(wait(u, child) == child, "wait");
                          }
                          require(status(u) == exited(1), "the status");
                      });
}

TEST(ExecParent, KillsItWhileItIsStopped) {  // E08, S01: a fatal signal wins, also over stop and teardown
    EXPLORE_PROCESSES("execve, SIGSTOP and SIGKILL", {.cpus = 4, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, exec_by_thread_with_siblings);
        await(u, kAboutToExec);
        require(u.syscall(SYS_kill, child, SIGSTOP) == 0, "stop");
        dawdle(u);
        require(u.syscall(SYS_kill, child, SIGKILL) == 0, "kill");
        require(wait(u) == child, "wait");
        require(status(u) == SIGKILL || status(u) == exited(1), "the status");
    });
}

TEST(ExecParent, Ends) {  // X04: another parent, in the midst of the change of leaders
    EXPLORE_PROCESSES("execve against the parent's end", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        require(u.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl");
        fork(u, [](UserMachine& m) {
            fork(m, exec_by_thread);
            dawdle(m);
            exit(m, 4);
        });
        require(wait(u) > 0, "wait");
        const int first = status(u);
        require(wait(u) > 0, "wait");
        require(first + status(u) == exited(1) + exited(4), "statuses");
        require(wait(u) == -ECHILD, "a third one");
    });
}

// --- Its children ---------------------------------------------------------------------------------------------------

constexpr u32 kGrandchild = 5;

void grandchild(UserMachine& g) {
    arrive(kGrandchild);
    exit(g, 6);
}

TEST(ExecParent, KeepsItsChildren) {  // E09, E16: also those that a dying sibling has just made
    EXPLORE_PROCESSES("execve against fork: whose child is it?",
                      {.cpus = 3,
                       .programs = {{"/one",
                                     [](UserMachine& u) {
                                         const i64 found = wait(u);
                                         require(found > 0 || board.words[kGrandchild] == 0, "the child is gone");
                                         require(found < 0 || status(u) == exited(6), "the child's status");
                                         require(wait(u) == -ECHILD, "another child");
                                         require(found > 0 || board.words[kGrandchild] == 0, "the child is gone");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          fork(t, grandchild);
                                          t.syscall(SYS_pause);
                                      },
                                      0);
                                  start_thread(c, exec_one, 1);
                                  sleep_for_ever(c);
                              },
                              exited(1), exited(1));
                      });
}

TEST(ExecParent, ReapsAChildOnce) {  // X03, E08, trap K: a sibling in wait4 against the new program
    EXPLORE_PROCESSES("execve, a sibling in wait4",
                      {.cpus = 3,
                       .programs = {{"/one",
                                     [](UserMachine& u) {
                                         const i64 whom = static_cast<i64>(board.words[0]);
                                         const i64 found = wait(u);
                                         require(found == whom || found == -ECHILD, "wait");
                                         require(found != whom || board.words[1] == 0, "a child was reaped twice");
                                         require(u.syscall(SYS_kill, whom, 0) == -ESRCH, "the child's pid");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  announce(0, fork(c, grandchild));
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          board.words[1] = t.syscall(SYS_wait4, -1, 0, 0, 0) > 0;
                                          t.syscall(SYS_pause);
                                      },
                                      0);
                                  exec_one(c);
                              },
                              exited(1), exited(1));
                      });
}

TEST(ExecParent, GetsTheSignalOfAChildThatEnds) {  // E12, X03: SIGCHLD stays pending
    EXPLORE_PROCESSES("execve against a child's end",
                      {.cpus = 3,
                       .programs = {{"/one",
                                     [](UserMachine& u) {
                                         require(wait(u) > 0 && status(u) == exited(6), "wait");
                                         u.syscall(SYS_rt_sigpending, word(0), 8);
                                         require(u.load<u64>(word(0)) == bit(SIGCHLD), "SIGCHLD was forgotten");
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  set_handler(c, SIGCHLD, address_of(sleep_for_ever).value);
                                  set_mask(c, SIG_BLOCK, bit(SIGCHLD));
                                  fork(c, grandchild);
                                  exec_by_thread(c);
                              },
                              exited(1), exited(1));
                      });
}

}  // namespace
}  // namespace cairn
