/// vfork and execve: the parent that waits, and what may become of it meanwhile.
///
/// F04, traps C and D: the wait is killable, and nothing else ends it before the child has let go of the memory. E17,
/// trap E: the parent comes last, when close-on-exec is done. E08: a sibling's execve ends the waiter.

#include <sys/prctl.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u32 kLetGo = 5;  // the child is about to give the memory back

void exec_and_let_go(UserMachine& v) {
    dawdle(v);
    arrive(kLetGo);
    exec_two(v);
}
void be_subreaper(UserMachine& u) {
    require(u.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, "prctl");
}
/// All children that there are, orphans included, end with one of these.
void expect_ends(UserMachine& u, int one, int two, int three) {
    while (wait(u) > 0) {
        const int end = status(u);
        require(end == one || end == two || end == three, "a status");
    }
}

TEST(ExecVfork, AParentThatIsKilled) {  // F04, S01, trap C
    EXPLORE_PROCESSES("vfork, the parent is killed, execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        be_subreaper(u);
        const i64 parent = fork(u, [](UserMachine& p) {
            vfork(p, exec_and_let_go);
            require(board.words[kLetGo] != 0, "the parent ran before its child's execve");
            exit(p, 1);
        });
        dawdle(u);
        require(u.syscall(SYS_kill, parent, SIGKILL) == 0, "kill");
        expect_ends(u, SIGKILL, exited(1), exited(2));
    });
}

/// vfork as posix_spawn makes it: the child has a stack of its own.
void spawn(UserMachine& p, UserFunction child) {
    require(p.fork_into(address_of(child), SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, stack_top(1), 0, 0, 0) > 0,
            "clone");
}

TEST(ExecVfork, AParentThatGetsASignal) {  // F04, trap D: its handler runs behind the child's execve
    EXPLORE_PROCESSES("vfork, a signal for the parent, execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 parent = fork(u, [](UserMachine& p) {
            set_handler(p, SIGUSR1, address_of([](UserMachine&) {
                                        require(board.words[0] == 0 || board.words[kLetGo] != 0,
                                                "a handler ran before the child's execve");
                                    }).value);
            if (arch::host::random_below(2) == 0) {
                vfork(p, [](UserMachine& v) {
                    arrive(0);
                    exec_and_let_go(v);
                });
            } else {
                spawn(p, [](UserMachine& v) {
                    arrive(0);
                    exec_and_let_go(v);
                });
            }
            require(board.words[kLetGo] != 0, "the parent ran before its child's execve");
            wait(p);
            exit(p, 1);
        });
        await(u, 0);
        require(u.syscall(SYS_kill, parent, SIGUSR1) == 0, "kill");
        expect_end(u, parent, exited(1), "the status");
    });
}

TEST(ExecVfork, AParentThatIsStopped) {  // F04, S04
    EXPLORE_PROCESSES("vfork, SIGSTOP for the parent, execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 parent = fork(u, [](UserMachine& p) {
            const i64 child = vfork(p, exec_and_let_go);
            require(board.words[kLetGo] != 0, "the parent ran before its child's execve");
            expect_end(p, child, exited(2), "the child's status");
            exit(p, 1);
        });
        require(u.syscall(SYS_kill, parent, SIGSTOP) == 0, "stop");
        dawdle(u);
        require(u.syscall(SYS_kill, parent, SIGCONT) == 0, "continue");
        expect_end(u, parent, exited(1), "the status");
    });
}

TEST(ExecVfork, AParentWhoseSiblingExecs) {  // E08, F04, trap C: the waiter's stack goes while its child completes it
    EXPLORE_PROCESSES("execve of the parent against execve of its vfork child",
                      {.cpus = 3,
                       .programs = {{"/one",
                                     [](UserMachine& u) {
                                         while (wait(u) > 0) {
                                             require(status(u) == exited(2), "the child's status");
                                         }
                                         exit(u, 1);
                                     }},
                                    {"/two", program_two}}},
                      [](UserMachine& u) {
                          expect_child(
                              u,
                              [](UserMachine& c) {
                                  start_thread(
                                      c,
                                      [](UserMachine& t) {
                                          vfork(t, exec_and_let_go);
                                          require(board.words[kLetGo] != 0, "the parent ran before its child's execve");
                                          t.syscall(SYS_pause);
                                      },
                                      0);
                                  dawdle(c);
                                  exec_one(c);
                              },
                              exited(1), exited(1));
                      });
}

TEST(ExecVfork, AParentThatReadsTheErrorPipe) {  // E17, trap E: end of file, and the new program still runs
    EXPLORE_PROCESSES("vfork, execve, end of file", {.cpus = 2, .programs = {{"/one", program_until_seen}}},
                      [](UserMachine& u) {
                          const Pipe ends = pipe(u, 0, O_CLOEXEC | O_NONBLOCK);
                          spawn(u, exec_one);
                          u.syscall(SYS_close, ends.writer);
                          require(u.syscall(SYS_read, ends.reader, kBuffer, 1) == 0, "no end of file behind execve");
                          arrive(kSeen);
                          require(wait(u) > 0 && status(u) == exited(1), "the status");
                      });
}

TEST(ExecVfork, TwoAtOnce) {  // F04: each parent is woken by its own child
    EXPLORE_PROCESSES("two threads in vfork", {.cpus = 4, .programs = kPrograms}, [](UserMachine& u) {
        start_thread(
            u,
            [](UserMachine& t) {
                const i64 child = vfork(t, [](UserMachine& v) {
                    arrive(6);
                    execve(v, "/one", 4);
                    require(false, "execve returned");
                });
                require(board.words[6] != 0, "a parent ran before its child's execve");
                require(t.syscall(SYS_wait4, child, word(kStatusWord + 1), 0, 0) == child, "wait");
                exit_thread(t);
            },
            0);
        const i64 child = vfork(u, exec_and_let_go);
        require(board.words[kLetGo] != 0, "a parent ran before its child's execve");
        expect_end(u, child, exited(2), "the child's status");
        join_thread(u, 0);
        require(u.load<int>(word(kStatusWord + 1)) == exited(1), "the other child's status");
    });
}

TEST(ExecVfork, OneInTheOther) {  // F04: vfork inside a vfork child
    EXPLORE_PROCESSES("vfork in vfork", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = vfork(u, [](UserMachine& v) {
            const i64 inner = vfork(v, [](UserMachine& w) {
                dawdle(w);
                arrive(6);
                execve(w, "/one", 4);
                require(false, "execve returned");
            });
            require(board.words[6] != 0, "the child ran before its own child's execve");
            expect_end(v, inner, exited(1), "the inner child's status");
            exec_and_let_go(v);
        });
        require(board.words[kLetGo] != 0, "the parent ran before its child's execve");
        expect_end(u, child, exited(2), "the child's status");
    });
}

}  // namespace
}  // namespace cairn
