/// ptrace(2) against what else may become of tracer and tracee.
///
/// E15, E17, trap L: attaching against execve and exit. S01: SIGKILL ends a stop, and nothing but the tracer's end is
/// needed to let a tracee go. X01, X03: each end is seen once by the tracer and once by the parent.

#include <gtest/gtest.h>
#include <sys/ptrace.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u32 kGo = 10;
constexpr int kExecStop = SIGTRAP << 8 | 0x7f | PTRACE_EVENT_EXEC << 16;
constexpr int kTrapStop = SIGTRAP << 8 | 0x7f | PTRACE_EVENT_STOP << 16;

i64 trace(UserMachine& u, u64 request, i64 pid, u64 data = 0) {
    return u.syscall(SYS_ptrace, request, pid, 0, data);
}
bool is_stop(int status) {
    return (status & 0xff) == 0x7f;
}

void new_program(UserMachine& u) {
    exit(u, 1);
}
const std::vector<ProgramFile> kPrograms = {{"/one", new_program}};

void sleep_for_ever(UserMachine& u) {
    for (;;) {
        u.syscall(SYS_pause);
    }
}

void sleep_with_a_thread(UserMachine& u) {
    start_thread(u, sleep_for_ever, 0);
    sleep_for_ever(u);
}
void exit_when_told(UserMachine& u) {
    await(u, kGo);
    exit(u, 6);
}

/// Says a process's number to those who are started behind it.
void announce(UserMachine& u, i64 pid) {
    u.store<u32>(word(11), static_cast<u32>(pid));
}
i64 announced(UserMachine& u) {
    return static_cast<i64>(u.load<u32>(word(11)));
}
i64 fork_announced(UserMachine& u, UserFunction process) {
    const i64 child = fork(u, process);
    announce(u, child);
    return child;
}

/// Waits for `pid` until it ends, letting it go on from each stop with what stopped it.
int follow(UserMachine& u, i64 pid) {
    for (;;) {
        require(wait(u, pid, __WALL) == pid, "wait for a tracee");
        const int seen = status(u);
        if (!is_stop(seen)) {
            return seen;
        }
        const int signal = (seen >> 8) & 0xff;
        const bool deliver = seen >> 16 == 0 && signal != SIGTRAP && signal != SIGSTOP;
        const i64 result = trace(u, PTRACE_CONT, pid, deliver ? static_cast<u64>(signal) : 0);
        require(result == 0 || result == -ESRCH, "PTRACE_CONT");
    }
}

void require_no_child(UserMachine& u) {
    require(wait(u, -1, __WALL) == -ECHILD, "there is another child");
}

/// What a signal says is its sender's, also when the tracer that was to see it is gone a moment later.
TEST(Ptrace, ASignalKeepsItsInformationWhenTheTracerEnds) {
    EXPLORE_PROCESSES("the end of a tracer against a signal", {.cpus = 3}, [](UserMachine& u) {
        constexpr u64 kInformation = 64, kFromQueue = static_cast<u32>(-1);  // siginfo_t, SI_QUEUE
        const i64 child = fork_announced(u, [](UserMachine& c) {
            constexpr u64 kWithInformation = 4;  // SA_SIGINFO
            set_handler(c, SIGUSR1, address_of([](UserMachine& h) {
                                        require(h.load<i32>({h.argument(1) + 8}) == -1, "si_code");
                                        require(h.load<u64>({h.argument(1) + 24}) == 77, "si_value");
                                        exit(h, 3);
                                    }).value,
                        kWithInformation);
            arrive(0);
            sleep_for_ever(c);
        });
        const i64 tracer = fork(u, [](UserMachine& t) {
            await(t, 0);
            require(trace(t, PTRACE_SEIZE, announced(t)) == 0, "PTRACE_SEIZE");
            arrive(1);
            exit(t);
        });
        await(u, 1);
        u.store<u64>(kBuffer + kInformation, SIGUSR1);
        u.store<u64>(kBuffer + kInformation + 8, kFromQueue);
        u.store<u64>(kBuffer + kInformation + 24, 77);
        require(u.syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, kBuffer + kInformation) == 0, "sigqueue");
        expect_end(u, tracer, exited(0), "the tracer's status");
        expect_end(u, child, exited(3), "the tracee's status");
    });
}

TEST(Ptrace, AttachAgainstExec) {
    EXPLORE_PROCESSES("PTRACE_ATTACH against execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, sleep_for_ever, 0);
            execve(c, "/one", 1);
            require(false, "execve returned");
        });
        const i64 attached = trace(u, PTRACE_ATTACH, child);
        require(attached == 0 || attached == -EPERM, "PTRACE_ATTACH");
        require(follow(u, child) == exited(1), "the new program's status");
        require_no_child(u);
    });
}

TEST(Ptrace, SeizeAgainstExecOfAThread) {
    EXPLORE_PROCESSES("PTRACE_SEIZE against a thread's execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(
                c,
                [](UserMachine& t) {
                    execve(t, "/one", 1);
                    require(false, "execve returned");
                },
                0);
            sleep_for_ever(c);
        });
        const i64 seized = trace(u, PTRACE_SEIZE, child, PTRACE_O_TRACEEXEC);
        require(seized == 0 || seized == -EPERM, "PTRACE_SEIZE");
        require(follow(u, child) == exited(1), "the new program's status");
        require_no_child(u);
    });
}

TEST(Ptrace, AttachAgainstExit) {
    EXPLORE_PROCESSES("PTRACE_ATTACH against exit_group", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, sleep_for_ever, 0);
            exit(c, 4);
        });
        const i64 attached = trace(u, PTRACE_ATTACH, child);
        require(attached == 0 || attached == -EPERM, "PTRACE_ATTACH");
        require(follow(u, child) == exited(4), "the status");
        require_no_child(u);
    });
}

TEST(Ptrace, AttachAgainstKill) {
    EXPLORE_PROCESSES("PTRACE_ATTACH against SIGKILL", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork_announced(u, sleep_for_ever);
        start_thread(
            u,
            [](UserMachine& t) {
                t.syscall(SYS_kill, announced(t), SIGKILL);
                exit_thread(t);
            },
            0);
        const i64 attached = trace(u, PTRACE_ATTACH, child);
        require(attached == 0 || attached == -EPERM || attached == -ESRCH, "PTRACE_ATTACH");
        require(follow(u, child) == SIGKILL, "the status");
        join_thread(u, 0);
        require_no_child(u);
    });
}

TEST(Ptrace, KillOfAStoppedTracee) {
    EXPLORE_PROCESSES("SIGKILL against requests", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            require(c.syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0, "PTRACE_TRACEME");
            c.syscall(SYS_kill, c.syscall(SYS_getpid), SIGSTOP);
            sleep_for_ever(c);
        });
        require(wait(u, child) == child && is_stop(status(u)), "the first stop");
        announce(u, child);
        start_thread(
            u,
            [](UserMachine& t) {
                t.syscall(SYS_kill, announced(t), SIGKILL);
                exit_thread(t);
            },
            0);
        for (int i = 0; i < 4; ++i) {
            const i64 result = trace(u, PTRACE_GETREGS, child, kBuffer.value);
            require(result == 0 || result == -ESRCH, "PTRACE_GETREGS");
            const i64 set = result == 0 ? trace(u, PTRACE_SETREGS, child, kBuffer.value) : 0;
            require(set == 0 || set == -ESRCH, "PTRACE_SETREGS");
        }
        require(follow(u, child) == SIGKILL, "the status");
        join_thread(u, 0);
        require_no_child(u);
    });
}

TEST(Ptrace, TheTracerEnds) {
    EXPLORE_PROCESSES("a tracer's end against its tracee's", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork_announced(u, exit_when_told);
        const i64 tracer = fork(u, [](UserMachine& t) {
            const i64 whom = announced(t);
            require(trace(t, PTRACE_SEIZE, whom) == 0, "PTRACE_SEIZE");
            require(trace(t, PTRACE_INTERRUPT, whom) == 0, "PTRACE_INTERRUPT");
            require(wait(t, whom, __WALL) == whom && status(t) == kTrapStop, "the stop");
            arrive(kGo);
            if (trace(t, PTRACE_CONT, whom) != 0) {
                require(false, "PTRACE_CONT");
            }
            exit(t, 3);
        });
        expect_end(u, child, exited(6), "the tracee's status");
        expect_end(u, tracer, exited(3), "the tracer's status");
        require_no_child(u);
    });
}

TEST(Ptrace, TheTracerEndsWhileTheTraceeIsStopped) {
    EXPLORE_PROCESSES("a tracer's end lets a stopped tracee go", {.cpus = 2}, [](UserMachine& u) {
        const i64 child = fork_announced(u, exit_when_told);
        const i64 tracer = fork(u, [](UserMachine& t) {
            const i64 whom = announced(t);
            require(trace(t, PTRACE_ATTACH, whom) == 0, "PTRACE_ATTACH");
            // Not before the stop: the tracee may be in exit(2) when the signal comes, and then stops no more.
            require(wait(t, whom, __WALL) == whom && is_stop(status(t)), "the stop");
            arrive(kGo);
            exit(t, 3);
        });
        expect_end(u, tracer, exited(3), "the tracer's status");
        expect_end(u, child, exited(6), "the tracee's status");
        require_no_child(u);
    });
}

TEST(Ptrace, ExitKill) {
    EXPLORE_PROCESSES("PTRACE_O_EXITKILL", {.cpus = 2}, [](UserMachine& u) {
        const i64 child = fork_announced(u, sleep_with_a_thread);
        const i64 tracer = fork(u, [](UserMachine& t) {
            const i64 whom = announced(t);
            require(trace(t, PTRACE_SEIZE, whom, PTRACE_O_EXITKILL) == 0, "PTRACE_SEIZE");
            exit(t, 3);
        });
        expect_end(u, child, SIGKILL, "the tracee's status");
        expect_end(u, tracer, exited(3), "the tracer's status");
        require_no_child(u);
    });
}

TEST(Ptrace, ThreadsOfATraceeThatEnds) {
    EXPLORE_PROCESSES("the ends of traced threads", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            require(c.syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0, "PTRACE_TRACEME");
            c.syscall(SYS_kill, c.syscall(SYS_getpid), SIGSTOP);
            start_thread(c, sleep_for_ever, 0);
            start_thread(c, [](UserMachine& t) { exit_thread(t); }, 1);
            exit(c, 5);
        });
        require(wait(u, child) == child && is_stop(status(u)), "the first stop");
        require(u.syscall(SYS_ptrace, PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT) == 0,
                "PTRACE_SETOPTIONS");
        require(trace(u, PTRACE_CONT, child) == 0, "PTRACE_CONT");
        // Everybody is a tracee; the leader's end comes last.
        for (;;) {
            const i64 who = wait(u, -1, __WALL);
            require(who > 0, "wait");
            const int seen = status(u);
            if (is_stop(seen)) {
                const i64 result = trace(u, PTRACE_CONT, who);
                require(result == 0 || result == -ESRCH, "PTRACE_CONT");
            } else if (who == child) {
                require(seen == exited(5), "the status");
                break;
            }
        }
        require_no_child(u);
    });
}

TEST(Ptrace, TheLeadersPlaceUnderATracer) {
    EXPLORE_PROCESSES("a traced thread's execve", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            require(c.syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0, "PTRACE_TRACEME");
            c.syscall(SYS_kill, c.syscall(SYS_getpid), SIGSTOP);
            start_thread(
                c,
                [](UserMachine& t) {
                    execve(t, "/one", 1);
                    require(false, "execve returned");
                },
                0);
            sleep_for_ever(c);
        });
        require(wait(u, child) == child && is_stop(status(u)), "the first stop");
        require(u.syscall(SYS_ptrace, PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC) == 0,
                "PTRACE_SETOPTIONS");
        require(trace(u, PTRACE_CONT, child) == 0, "PTRACE_CONT");
        bool executed = false;
        for (;;) {
            const i64 who = wait(u, -1, __WALL);
            require(who > 0, "wait");
            const int seen = status(u);
            if (seen == kExecStop) {
                require(who == child, "the event comes from another id");
                require(trace(u, PTRACE_GETEVENTMSG, child, kBuffer.value) == 0, "PTRACE_GETEVENTMSG");
                require(u.load<u64>(kBuffer) > static_cast<u64>(child), "the message is not the old id");
                executed = true;
            }
            if (!is_stop(seen)) {
                require(who == child && seen == exited(1) && executed, "the end");
                break;
            }
            const i64 result = trace(u, PTRACE_CONT, who);
            require(result == 0 || result == -ESRCH, "PTRACE_CONT");
        }
        require_no_child(u);
    });
}

TEST(Ptrace, GroupStopsAgainstContinueAndAttach) {
    EXPLORE_PROCESSES("SIGSTOP, SIGCONT and PTRACE_SEIZE", {.cpus = 3}, [](UserMachine& u) {
        const i64 child = fork_announced(u, sleep_with_a_thread);
        start_thread(
            u,
            [](UserMachine& t) {
                const i64 whom = announced(t);
                t.syscall(SYS_kill, whom, SIGSTOP);
                t.syscall(SYS_kill, whom, SIGCONT);
                t.syscall(SYS_kill, whom, SIGKILL);
                exit_thread(t);
            },
            0);
        const i64 seized = trace(u, PTRACE_SEIZE, child);
        require(seized == 0 || seized == -EPERM || seized == -ESRCH, "PTRACE_SEIZE");
        require(follow(u, child) == SIGKILL, "the status");
        join_thread(u, 0);
        require_no_child(u);
    });
}

}  // namespace
}  // namespace cairn
