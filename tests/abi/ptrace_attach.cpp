// ptrace(2): attaching and letting go, stops of the whole group, and what tracer and parent see of ends.
#include "tests/abi/support/tracee.h"

using namespace abi_test;

namespace {

// A tracer in a process of its own, for what happens when it ends; the body runs in it.
pid_t start_tracer(const Body& body) {
    return start_child(body);
}

bool is_traced(pid_t pid) {
    return proc_status("TracerPid", std::to_string(pid)) != "0";
}

void wait_until_untraced(pid_t pid) {
    while (is_traced(pid)) {
        sched_yield();
    }
}

void wait_for_state(pid_t pid, char state) {
    while (process_state(pid) != state) {
        sched_yield();
    }
}

std::string info_text(pid_t pid) {
    siginfo_t info{};
    if (trace_to(PTRACE_GETSIGINFO, pid, info) != 0) {
        return errno_name(errno);
    }
    return signal_name(info.si_signo) + " " + std::to_string(info.si_code);
}

}  // namespace

TEST(PtraceAttach, StopsAndDetaches) {
    pid_t pid = start_sleeper();
    ASSERT_OK(trace(PTRACE_ATTACH, pid));
    EXPECT_STOP("SIGSTOP", pid);
    note("info " + info_text(pid));
    EXPECT_ERRNO(EPERM, trace(PTRACE_ATTACH, pid));
    EXPECT_ERRNO(EPERM, trace(PTRACE_SEIZE, pid));
    ASSERT_OK(trace(PTRACE_DETACH, pid));
    wait_for_state(pid, 'S');
    EXPECT_FALSE(is_traced(pid));
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, pid));
    ASSERT_OK(trace(PTRACE_ATTACH, pid));
    EXPECT_STOP("SIGSTOP", pid);
    ASSERT_OK(trace(PTRACE_DETACH, pid, 0, SIGTERM));
    EXPECT_ENDS("SIGTERM", wait_for(pid));
}

TEST(PtraceAttach, DetachWithAStopSignalStops) {
    pid_t pid = start_sleeper();
    ASSERT_OK(trace(PTRACE_ATTACH, pid));
    EXPECT_STOP("SIGSTOP", pid);
    ASSERT_OK(trace(PTRACE_DETACH, pid, 0, SIGSTOP));
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    EXPECT_ENDS("stopped SIGSTOP", status);
    end_tracee(pid);
}

TEST(PtraceAttach, ToAStoppedProcess) {
    pid_t pid = start_sleeper();
    ASSERT_OK(kill(pid, SIGSTOP));
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    ASSERT_OK(trace(PTRACE_ATTACH, pid));
    EXPECT_STOP("SIGSTOP", pid);
    note("first " + info_text(pid));
    note_stops("then", pid, PTRACE_CONT, 1);
    note("second " + info_text(pid));
    ASSERT_OK(trace(PTRACE_DETACH, pid));
    // The group's stop is in force again.
    wait_for_state(pid, 'T');
    end_tracee(pid);
}

TEST(PtraceAttach, GroupStopOfAnAttachedTracee) {
    pid_t pid = start_sleeper();
    ASSERT_OK(trace(PTRACE_ATTACH, pid));
    EXPECT_STOP("SIGSTOP", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    wait_until_asleep(pid);
    ASSERT_OK(kill(pid, SIGTSTP));
    EXPECT_STOP("SIGTSTP", pid);
    note("delivery " + info_text(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
    EXPECT_STOP("SIGSTOP", pid);
    note("group " + info_text(pid));
    // The tracer may have it run all the same.
    ASSERT_OK(trace(PTRACE_CONT, pid));
    wait_for_state(pid, 'S');
    ASSERT_OK(kill(pid, SIGCONT));
    EXPECT_STOP("SIGCONT", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGCONT));
    wait_for_state(pid, 'S');
    end_tracee(pid);
}

TEST(PtraceSeize, DoesNotStop) {
    pid_t pid = start_sleeper();
    EXPECT_ERRNO(EIO, trace(PTRACE_SEIZE, pid, 1));
    EXPECT_ERRNO(EIO, trace(PTRACE_SEIZE, pid, 0, 0x100));
    ASSERT_OK(trace(PTRACE_SEIZE, pid));
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | __WALL));
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, pid));
    ASSERT_OK(trace(PTRACE_INTERRUPT, pid));
    EXPECT_STOP("SIGTRAP+stop", pid);
    note("info " + info_text(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    wait_for_state(pid, 'S');
    ASSERT_OK(kill(pid, SIGUSR1));
    EXPECT_STOP("SIGUSR1", pid);
    EXPECT_ERRNO(EIO, trace(PTRACE_LISTEN, pid));
    // In a stop already: once more when it goes on.
    ASSERT_OK(trace(PTRACE_INTERRUPT, pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+stop", pid);
    ASSERT_OK(trace(PTRACE_DETACH, pid));
    wait_for_state(pid, 'S');
    end_tracee(pid);
}

TEST(PtraceSeize, GroupStopAndListen) {
    pid_t pid = start_sleeper();
    ASSERT_OK(trace(PTRACE_SEIZE, pid));
    ASSERT_OK(kill(pid, SIGSTOP));
    EXPECT_STOP("SIGSTOP", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
    EXPECT_STOP("SIGSTOP+stop", pid);
    note("group " + info_text(pid));
    ASSERT_OK(trace(PTRACE_LISTEN, pid));
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, pid));
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | __WALL));
    EXPECT_EQ('t', process_state(pid));
    ASSERT_OK(kill(pid, SIGCONT));
    EXPECT_STOP("SIGTRAP+stop", pid);
    note("continued " + info_text(pid));
    note_stops("then", pid, PTRACE_CONT, 1);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGCONT));
    wait_for_state(pid, 'S');
    // A listening tracee can be interrupted, too.
    ASSERT_OK(kill(pid, SIGSTOP));
    EXPECT_STOP("SIGSTOP", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGSTOP));
    EXPECT_STOP("SIGSTOP+stop", pid);
    ASSERT_OK(trace(PTRACE_LISTEN, pid));
    ASSERT_OK(trace(PTRACE_INTERRUPT, pid));
    EXPECT_STOP("SIGSTOP+stop", pid);
    end_tracee(pid);
}

TEST(PtraceSeize, ToAStoppedProcess) {
    pid_t pid = start_sleeper();
    ASSERT_OK(kill(pid, SIGTSTP));
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    ASSERT_OK(trace(PTRACE_SEIZE, pid));
    note("first " + stop_text(next_status(pid)));
    note("info " + info_text(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    wait_for_state(pid, 'S');
    ASSERT_OK(kill(pid, SIGCONT));
    note("second " + stop_text(next_status(pid)));
    end_tracee(pid);
}

TEST(PtraceSeize, ContinueOfARunningTraceeTraps) {
    pid_t pid = start_sleeper();
    ASSERT_OK(trace(PTRACE_SEIZE, pid));
    ASSERT_OK(kill(pid, SIGCONT));
    note("first " + stop_text(next_status(pid)));
    note_stops("then", pid, PTRACE_CONT, 1);
    end_tracee(pid);
}

TEST(PtraceSeize, OneThreadOfAStoppedProcess) {
    // The stop is complete, and told to the parent, when the tracee takes part in it.
    int* tid = shared<int>();
    Gate ready;
    pid_t pid = start_child([&] {
        setpgid(0, 0);
        std::thread([&] {
            *tid = static_cast<int>(syscall(SYS_gettid));
            ready.open();
            for (;;) {
                pause();
            }
        }).detach();
        for (;;) {
            pause();
        }
    });
    ready.wait();
    ASSERT_OK(trace(PTRACE_SEIZE, *tid));
    ASSERT_OK(kill(pid, SIGSTOP));
    int status = 0;
    EXPECT_STOP("SIGSTOP+stop", *tid);
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    EXPECT_EQ("SIGSTOP", stop_text(status));
    ASSERT_OK(trace(PTRACE_CONT, *tid));
    wait_for_state(*tid, 'S');
    ASSERT_OK(kill(pid, SIGKILL));
    note("thread " + stop_text(next_status(*tid)));
    note("process " + stop_text(next_status(pid)));
}

TEST(PtraceAttach, NeedsTheRights) {
    pid_t root = start_sleeper();
    Gate ready;
    pid_t other = start_child([&] {
        become_user(1001, 1001);
        prctl(PR_SET_DUMPABLE, 1);
        ready.open();
        pause();
    });
    ready.wait();
    pid_t hidden = start_child([&] {
        become_user(1000, 1000);
        prctl(PR_SET_DUMPABLE, 0);
        ready.open();
        pause();
    });
    ready.wait();
    as_user(1000, [&] {
        EXPECT_ERRNO(EPERM, trace(PTRACE_ATTACH, root));
        EXPECT_ERRNO(EPERM, trace(PTRACE_SEIZE, other));
        EXPECT_ERRNO(EPERM, trace(PTRACE_ATTACH, hidden));
        // Its own it may.
        prctl(PR_SET_DUMPABLE, 1);
        pid_t own = start_sleeper();
        EXPECT_OK(trace(PTRACE_SEIZE, own));
        end_tracee(own);
        own = start_tracee([] {});
        end_tracee(own);
    });
    for (pid_t pid : {root, other, hidden}) {
        EXPECT_OK(trace(PTRACE_SEIZE, pid));
        end_tracee(pid);
    }
}

TEST(PtraceAttach, OnlyTheThreadThatTracesMayAsk) {
    pid_t pid = start_tracee([] { raise(SIGUSR1); });
    std::thread([&] {
        EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, pid));
        EXPECT_ERRNO(EPERM, trace(PTRACE_ATTACH, pid));
    }).join();
    ASSERT_OK(trace(PTRACE_CONT, pid));
    std::thread([&] {
        EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, __WNOTHREAD | __WALL));
        EXPECT_STOP("SIGUSR1", pid);
    }).join();
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceTracerEnds, TheTraceeGoesOn) {
    pid_t pid = start_sleeper();
    Gate attached;
    Gate go;
    pid_t tracer = start_tracer([&] {
        ASSERT_OK(trace(PTRACE_ATTACH, pid));
        EXPECT_STOP("SIGSTOP", pid);
        attached.open();
        go.wait();
    });
    attached.wait();
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | WUNTRACED | __WALL));
    EXPECT_EQ('t', process_state(pid));
    go.open();
    EXPECT_ENDS("exit 0", wait_for(tracer));
    wait_until_untraced(pid);
    wait_for_state(pid, 'S');
    ASSERT_OK(kill(pid, SIGTERM));
    EXPECT_ENDS("SIGTERM", wait_for(pid));
}

TEST(PtraceTracerEnds, WithExitKillTheTraceeEnds) {
    pid_t pid = start_sleeper();
    pid_t tracer = start_tracer([&] { ASSERT_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL)); });
    EXPECT_ENDS("exit 0", wait_for(tracer));
    EXPECT_ENDS("SIGKILL", wait_for(pid));
}

TEST(PtraceTracerEnds, ItsThreadsEndIsEnough) {
    pid_t pid = start_sleeper();
    std::thread([&] { ASSERT_OK(trace(PTRACE_SEIZE, pid)); }).join();
    wait_until_untraced(pid);
    EXPECT_ERRNO(ESRCH, trace(PTRACE_INTERRUPT, pid));
    end_tracee(pid);
}

TEST(PtraceWait, TheParentSeesTheEndAfterTheTracer) {
    pid_t pid = start_sleeper();
    Gate zombie;
    Gate reap;
    pid_t tracer = start_tracer([&] {
        ASSERT_OK(trace(PTRACE_SEIZE, pid));
        ASSERT_OK(kill(pid, SIGKILL));
        siginfo_t info{};
        ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
        EXPECT_EQ(CLD_KILLED, info.si_code);
        zombie.open();
        reap.wait();
        EXPECT_STOP("SIGKILL ends", pid);
        EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, __WALL));
    });
    zombie.wait();
    EXPECT_EQ('Z', process_state(pid));
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | __WALL));
    reap.open();
    EXPECT_ENDS("SIGKILL", wait_for(pid));
    EXPECT_ENDS("exit 0", wait_for(tracer));
}

TEST(PtraceWait, TheTracersEndGivesTheZombieToTheParent) {
    pid_t pid = start_sleeper();
    pid_t tracer = start_tracer([&] {
        ASSERT_OK(trace(PTRACE_SEIZE, pid));
        ASSERT_OK(kill(pid, SIGKILL));
        siginfo_t info{};
        ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
    });
    EXPECT_ENDS("SIGKILL", wait_for(pid));
    EXPECT_ENDS("exit 0", wait_for(tracer));
}

TEST(PtraceWait, AnIgnoringParentDoesNotTakeTheZombieAway) {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = start_tracee([] {});
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceWait, ThreadsAreWaitedForOneByOne) {
    int* tid = shared<int>();
    Gate ready;
    pid_t pid = start_child([&] {
        std::thread([&] {
            *tid = static_cast<int>(syscall(SYS_gettid));
            ready.open();
            pause();
        }).detach();
        pause();
    });
    ready.wait();
    ASSERT_OK(trace(PTRACE_SEIZE, pid));
    ASSERT_OK(trace(PTRACE_SEIZE, *tid));
    // A thread is nobody's child without __WALL or as a tracee.
    EXPECT_EQ(0, waitpid(*tid, nullptr, WNOHANG));
    ASSERT_OK(trace(PTRACE_INTERRUPT, *tid));
    EXPECT_STOP("SIGTRAP+stop", *tid);
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | __WALL));
    ASSERT_OK(kill(pid, SIGKILL));
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(*tid), &info, WEXITED | WNOWAIT));
    EXPECT_EQ(CLD_KILLED, info.si_code);
    // The leader's end is told when its threads' was seen.
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | __WALL));
    EXPECT_STOP("SIGKILL ends", *tid);
    EXPECT_STOP("SIGKILL ends", pid);
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, WNOHANG | __WALL));
}

TEST(PtraceWait, AThreadThatExitsAlone) {
    int* tid = shared<int>();
    Gate ready;
    Gate go;
    pid_t pid = start_child([&] {
        std::thread other([&] {
            *tid = static_cast<int>(syscall(SYS_gettid));
            ready.open();
            go.wait();
            syscall(SYS_exit, 6);
        });
        other.join();
        pause();
    });
    ready.wait();
    ASSERT_OK(trace(PTRACE_SEIZE, *tid));
    go.open();
    EXPECT_STOP("exit 6", *tid);
    EXPECT_ERRNO(ECHILD, waitpid(*tid, nullptr, __WALL));
    EXPECT_ERRNO(ESRCH, trace(PTRACE_INTERRUPT, *tid));
    end_tracee(pid);
}

TEST(PtraceWait, AContinuedTraceeIsReported) {
    pid_t pid = start_sleeper();
    ASSERT_OK(kill(pid, SIGSTOP));
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    Gate seized;
    Gate end;
    pid_t tracer = start_tracer([&] {
        ASSERT_OK(trace(PTRACE_SEIZE, pid));
        note("tracer " + stop_text(next_status(pid)));
        ASSERT_OK(trace(PTRACE_LISTEN, pid));
        seized.open();
        end.wait();
    });
    seized.wait();
    ASSERT_OK(kill(pid, SIGCONT));
    ASSERT_EQ(pid, waitpid(pid, &status, WCONTINUED));
    EXPECT_ENDS("continued", status);
    end.open();
    EXPECT_ENDS("exit 0", wait_for(tracer));
    end_tracee(pid);
}
