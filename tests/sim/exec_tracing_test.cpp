/// execve under a tracer.
///
/// E08: traced and stopped siblings end as well. E09, E17, trap L: the tracer sees PTRACE_EVENT_EXEC once, under the
/// process's id, whatever it does meanwhile. More about tracers: ptrace_test.cpp.

#include <sys/ptrace.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr int kExecStop = SIGTRAP << 8 | 0x7f | PTRACE_EVENT_EXEC << 16;

i64 trace(UserMachine& u, u64 request, i64 pid, u64 data = 0) {
    return u.syscall(SYS_ptrace, request, pid, 0, data);
}
bool is_stop(int status) {
    return (status & 0xff) == 0x7f;
}
void go_on(UserMachine& u, i64 pid) {
    const i64 result = trace(u, PTRACE_CONT, pid);
    require(result == 0 || result == -ESRCH, "PTRACE_CONT");
}
/// The tracer of all threads of `child` sees it to its end. Returns the wait status; counts exec events.
int follow(UserMachine& u, i64 child, u32& execs) {
    for (;;) {
        const i64 who = wait(u, -1, __WALL);
        require(who > 0, "wait for a tracee");
        const int seen = status(u);
        if (!is_stop(seen)) {
            if (who == child) {
                return seen;
            }
            continue;
        }
        if (seen == kExecStop) {
            require(who == child, "the event comes from another id");
            ++execs;
        }
        go_on(u, who);
    }
}
void require_no_child(UserMachine& u) {
    require(wait(u, -1, __WALL) == -ECHILD, "there is another child");
}

void exec_by_thread(UserMachine& c) {
    start_thread(c, sleep_for_ever, 1);
    await(c, 0);
    start_thread(c, exec_one, 0);
    sleep_for_ever(c);
}
/// A child whose threads are all traced, those to come as well.
i64 start_traced(UserMachine& u, u64 options) {
    const i64 child = fork(u, exec_by_thread);
    require(trace(u, PTRACE_SEIZE, child, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | options) == 0, "PTRACE_SEIZE");
    arrive(0);
    return child;
}

TEST(ExecTracing, TheEventComesOnce) {  // E09, E17, trap L: requests to the old leader do not eat it
    EXPLORE_PROCESSES("PTRACE_INTERRUPT and CONT against execve", {.cpus = 3, .programs = kPrograms},
                      [](UserMachine& u) {
                          const i64 child = start_traced(u, 0);
                          u32 execs = 0;
                          for (u32 i = 0; i < 12; ++i) {
                              trace(u, PTRACE_INTERRUPT, child);
                              const i64 who = wait(u, -1, __WALL | WNOHANG);
                              require(who >= 0, "wait for a tracee");
                              if (who > 0 && is_stop(status(u))) {
                                  execs += status(u) == kExecStop ? 1 : 0;
                                  go_on(u, who);
                              } else if (who == child) {
                                  require(status(u) == exited(1) && execs == 1, "the end");
                                  return;
                              }
                              go_on(u, child);  // in whatever state
                          }
                          require(follow(u, child, execs) == exited(1), "the status");
                          require(execs == 1, "the exec events");
                          require_no_child(u);
                      });
}

TEST(ExecTracing, SiblingsStopAtTheirEnd) {  // E08: PTRACE_EVENT_EXIT of those that execve ends
    EXPLORE_PROCESSES("PTRACE_O_TRACEEXIT against execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = start_traced(u, PTRACE_O_TRACEEXIT);
        u32 execs = 0;
        require(follow(u, child, execs) == exited(1), "the status");
        require(execs == 1, "the exec events");
        require_no_child(u);
    });
}

TEST(ExecTracing, AStoppedSiblingEnds) {  // E08, trap C: nobody lets it go on
    EXPLORE_PROCESSES("execve, a sibling stopped by a tracer", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            announce(1, start_thread(c, sleep_for_ever, 0));
            dawdle(c);
            exec_one(c);
        });
        const i64 thread = announced(u, 1);
        const i64 seized = trace(u, PTRACE_SEIZE, thread);
        require(seized == 0 || seized == -ESRCH || seized == -EPERM, "PTRACE_SEIZE");
        if (seized == 0) {
            const i64 result = trace(u, PTRACE_INTERRUPT, thread);
            require(result == 0 || result == -ESRCH, "PTRACE_INTERRUPT");
            // Its stop, or its end; then nothing is asked of it any more.
            const i64 found = wait(u, thread, __WALL);
            require(found == thread, "wait for a thread");
            if (is_stop(status(u))) {
                require(wait(u, thread, __WALL) == thread && status(u) == 0, "the thread's end");
            }
        }
        expect_end(u, child, exited(1), "the status");
        require_no_child(u);
    });
}

TEST(ExecTracing, TheTracerIsKilled) {  // E08, E17: a tracer's end lets everybody go
    EXPLORE_PROCESSES("execve against the tracer's end", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, exec_by_thread);
        announce(1, child);
        const i64 tracer = fork(u, [](UserMachine& t) {
            const i64 whom = announced(t, 1);
            require(trace(t, PTRACE_SEIZE, whom, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT) == 0,
                    "PTRACE_SEIZE");
            arrive(0);
            for (;;) {
                const i64 who = wait(t, -1, __WALL);
                if (who < 0) {
                    exit(t, 3);
                }
                if (is_stop(status(t))) {
                    go_on(t, who);
                }
            }
        });
        await(u, 0);
        dawdle(u);
        require(u.syscall(SYS_kill, tracer, SIGKILL) == 0, "kill");
        expect_end(u, child, exited(1), "the tracee's status");
        require(wait(u, tracer) == tracer, "wait");
        require(status(u) == SIGKILL || status(u) == exited(3), "the tracer's status");
        require_no_child(u);
    });
}

TEST(ExecTracing, ATraceeIsKilled) {  // E08, S01: SIGKILL against stops around execve
    EXPLORE_PROCESSES("SIGKILL against a traced execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = start_traced(u, PTRACE_O_TRACEEXIT);
        announce(1, child);
        start_thread(
            u,
            [](UserMachine& t) {
                dawdle(t);
                t.syscall(SYS_kill, announced(t, 1), SIGKILL);
                exit_thread(t);
            },
            5);
        u32 execs = 0;
        const int end = follow(u, child, execs);
        require(end == SIGKILL || (end == exited(1) && execs == 1), "the status");
        join_thread(u, 5);
        require_no_child(u);
    });
}

TEST(ExecTracing, TheStopHoldsNothing) {  // E15, trap L: others who ask for the process get an answer meanwhile
    EXPLORE_PROCESSES("PTRACE_ATTACH during the stop behind execve", {.cpus = 2, .programs = kPrograms},
                      [](UserMachine& u) {
                          const i64 child = start_traced(u, 0);
                          announce(1, child);
                          for (;;) {
                              const i64 who = wait(u, -1, __WALL);
                              require(who > 0, "wait for a tracee");
                              if (status(u) == kExecStop) {
                                  break;
                              }
                              if (is_stop(status(u))) {
                                  go_on(u, who);
                              }
                          }
                          const i64 other = fork(u, [](UserMachine& t) {
                              require(trace(t, PTRACE_ATTACH, announced(t, 1)) == -EPERM, "PTRACE_ATTACH");
                              exit(t, 3);
                          });
                          expect_end(u, other, exited(3), "the other tracer's status");
                          go_on(u, child);
                          expect_end(u, child, exited(1), "the status");
                      });
}

TEST(ExecTracing, TheTracerDetaches) {  // E17: from whatever state
    EXPLORE_PROCESSES("PTRACE_DETACH against execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, exec_by_thread);
        require(trace(u, PTRACE_SEIZE, child, PTRACE_O_TRACEEXEC) == 0, "PTRACE_SEIZE");
        arrive(0);
        bool traced = true;
        for (;;) {
            const i64 who = wait(u, child, __WALL);
            require(who == child, "wait");
            if (!is_stop(status(u))) {
                break;
            }
            require(traced, "a stop of one that is not traced");
            const i64 result = trace(u, PTRACE_DETACH, child);
            require(result == 0, "PTRACE_DETACH");
            traced = false;
        }
        require(status(u) == exited(1), "the status");
        require_no_child(u);
    });
}

}  // namespace
}  // namespace cairn
