// ptrace(2): PTRACE_EVENT_ stops: children, execve, ends.
#include "tests/abi/support/tracee.h"

using namespace abi_test;

namespace {

unsigned long event_message(pid_t pid) {
    unsigned long message = 0;
    EXPECT_OK(trace_to(PTRACE_GETEVENTMSG, pid, message));
    return message;
}

// Raw, so that the C library's doings around fork are not in the way.
void raw_fork(int ending) {
    pid_t pid = static_cast<pid_t>(syscall(SYS_fork));
    if (pid == 0) {
        _exit(ending);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) {
    }
}

}  // namespace

TEST(PtraceEvent, ForkAttachesTheChild) {
    pid_t pid = start_tracee([] { raw_fork(5); });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+fork", pid);
    pid_t born = static_cast<pid_t>(event_message(pid));
    siginfo_t info{};
    ASSERT_OK(trace_to(PTRACE_GETSIGINFO, pid, info));
    EXPECT_EQ(SIGTRAP | PTRACE_EVENT_FORK << 8, info.si_code);
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_STOP("SIGSTOP", born);
    ASSERT_OK(trace_to(PTRACE_GETSIGINFO, born, info));
    note("child's stop " + std::to_string(info.si_code) + " " + std::to_string(info.si_pid));
    EXPECT_EQ(std::to_string(getpid()), proc_status("TracerPid", std::to_string(born)));
    EXPECT_EQ(std::to_string(pid), proc_status("PPid", std::to_string(born)));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    ASSERT_OK(trace(PTRACE_CONT, born));
    // The tracer sees its end first, and then the real parent.
    EXPECT_STOP("exit 5", born);
    EXPECT_STOP("SIGCHLD", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceEvent, ForkOfASeizedTracee) {
    Gate go;
    pid_t pid = start_child([&] {
        go.wait();
        raw_fork(5);
    });
    ASSERT_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK));
    go.open();
    EXPECT_STOP("SIGTRAP+fork", pid);
    pid_t born = static_cast<pid_t>(event_message(pid));
    EXPECT_STOP("SIGTRAP+stop", born);
    ASSERT_OK(trace(PTRACE_CONT, born));
    EXPECT_STOP("exit 5", born);
    ASSERT_OK(trace(PTRACE_DETACH, pid));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(PtraceEvent, VforkAndItsEnd) {
    pid_t pid = start_tracee([] {
        pid_t born = vfork();
        if (born == 0) {
            _exit(3);
        }
        waitpid(born, nullptr, 0);
    });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+vfork", pid);
    pid_t born = static_cast<pid_t>(event_message(pid));
    EXPECT_STOP("SIGSTOP", born);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    ASSERT_OK(trace(PTRACE_CONT, born));
    EXPECT_STOP("exit 3", born);
    EXPECT_STOP("SIGTRAP+vfork-done", pid);
    EXPECT_EQ(born, static_cast<pid_t>(event_message(pid)));
    ASSERT_OK(trace(PTRACE_DETACH, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceEvent, CloneOfAThread) {
    pid_t pid = start_tracee([] { std::thread([] { syscall(SYS_exit, 0); }).join(); });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+clone", pid);
    pid_t born = static_cast<pid_t>(event_message(pid));
    EXPECT_STOP("SIGSTOP", born);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    ASSERT_OK(trace(PTRACE_CONT, born));
    // Options are inherited.
    EXPECT_STOP("SIGTRAP+exit", born);
    EXPECT_EQ(0u, event_message(born));
    ASSERT_OK(trace(PTRACE_CONT, born));
    EXPECT_STOP("exit 0", born);
    EXPECT_STOP("SIGTRAP+exit", pid);
    EXPECT_EQ(0u, event_message(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceEvent, FlagsOfClone) {
    constexpr unsigned long kTraced = 0x2000;
    constexpr unsigned long kUntraced = 0x800000;
    pid_t* born = shared<pid_t>();
    for (unsigned long flags : {0ul, kTraced, kUntraced, kTraced | kUntraced}) {
        for (unsigned long option : {0ul, static_cast<unsigned long>(PTRACE_O_TRACEFORK)}) {
            pid_t pid = start_tracee([=] {
                pid_t child = static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
                if (child == 0) {
                    for (;;) {
                        pause();
                    }
                }
                *born = child;
                raise(SIGUSR1);
            });
            ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, option));
            ASSERT_OK(trace(PTRACE_CONT, pid));
            std::string stop = next_stop(pid);
            if (stop == "SIGTRAP+fork") {
                *born = static_cast<pid_t>(event_message(pid));
            }
            bool traced = proc_status("TracerPid", std::to_string(*born)) != "0";
            note(std::to_string(flags) + " " + std::to_string(option) + ": " + stop + (traced ? ", traced" : ""));
            end_tracee(pid);
            // A tracee, or an orphan that came to us.
            end_tracee(*born);
        }
    }
}

TEST(PtraceEvent, ExecWithoutTheOption) {
    write_probe("probe");
    pid_t pid = start_tracee([] { execl("probe", "probe", nullptr); });
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP", pid);
    siginfo_t info{};
    ASSERT_OK(trace_to(PTRACE_GETSIGINFO, pid, info));
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_EQ(0, peek_user(pid, USER_REGISTER(rax)));
    EXPECT_EQ(SYS_execve, peek_user(pid, USER_REGISTER(orig_rax)));
    end_tracee(pid);
}

TEST(PtraceEvent, ExecWithTheOption) {  // E17
    write_probe("probe");
    pid_t pid = start_tracee([] {
        errno = 0;
        execl("nowhere", "nowhere", nullptr);
        execl("probe", "probe", nullptr);
    });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+exec", pid);
    EXPECT_EQ(static_cast<unsigned long>(pid), event_message(pid));
    EXPECT_EQ(SYS_execve, peek_user(pid, USER_REGISTER(orig_rax)));
    note("rbx " + std::to_string(peek_user(pid, USER_REGISTER(rbx))));
    ASSERT_OK(trace(PTRACE_SYSCALL, pid));
    EXPECT_STOP("SIGTRAP", pid);
    EXPECT_EQ(0, peek_user(pid, USER_REGISTER(rax)));
    EXPECT_EQ(SYS_execve, peek_user(pid, USER_REGISTER(orig_rax)));
    end_tracee(pid);
}

TEST(PtraceEvent, ExecOfASeizedTraceeIsSilent) {
    write_probe("probe");
    Gate go;
    pid_t pid = start_child([&] {
        go.wait();
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execl("probe", "probe", nullptr);
    });
    ASSERT_OK(trace(PTRACE_SEIZE, pid));
    go.open();
    note(next_stop(pid));
}

namespace {

void exec_from_a_thread(bool trace_exit) {
    write_probe("probe");
    int* tid = shared<int>();
    pid_t pid = start_child([&] {
        setpgid(0, 0);
        Gate go;
        Gate ready;
        std::thread([&] {
            *tid = static_cast<int>(syscall(SYS_gettid));
            ready.open();
            go.wait();
            execl("probe", "probe", nullptr);
        }).detach();
        ready.wait();
        raise(SIGSTOP);
        go.open();
        for (;;) {
            pause();
        }
    });
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    unsigned long options = PTRACE_O_TRACEEXEC | (trace_exit ? PTRACE_O_TRACEEXIT : 0);
    for (pid_t who : {pid, *tid}) {
        ASSERT_OK(trace(PTRACE_SEIZE, who, 0, options));
        EXPECT_STOP("SIGSTOP+stop", who);
    }
    ASSERT_OK(kill(pid, SIGCONT));
    // All that comes until the new program stands there, from whom it comes: L for the leader's id, T for the other.
    for (pid_t who : {pid, *tid}) {
        ASSERT_OK(trace(PTRACE_CONT, who));
    }
    std::string events;
    for (;;) {
        pid_t who = waitpid(-1, &status, __WALL);
        ASSERT_GT(who, 0);
        std::string text = stop_text(status);
        int signal = 0;
        if (text == "SIGCONT") {
            signal = SIGCONT;
        } else if (text != "SIGTRAP+stop") {
            events += (who == pid ? " L:" : " T:") + text;
        }
        if (text == "SIGTRAP+exec") {
            EXPECT_EQ(static_cast<unsigned long>(*tid), event_message(who));
            EXPECT_EQ(pid, who);
            break;
        }
        if (WIFSTOPPED(status)) {
            trace(PTRACE_CONT, who, 0, static_cast<unsigned long>(signal));
        }
    }
    note("events" + events);
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, *tid));
    end_tracee(pid);
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, WNOHANG | __WALL));
}

}  // namespace

TEST(PtraceEvent, ExecFromAThread) {  // E09, E17: the message is the old id
    exec_from_a_thread(false);
}

TEST(PtraceEvent, ExecFromAThreadWithExitEvents) {
    exec_from_a_thread(true);
}

TEST(PtraceEvent, ExitTellsTheStatus) {
    pid_t pid = start_tracee([] { _exit(5); });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+exit", pid);
    EXPECT_EQ(0x500u, event_message(pid));
    // Memory and registers are still there.
    long word = 0;
    EXPECT_OK(trace_to(PTRACE_PEEKDATA, pid, word, reinterpret_cast<unsigned long>(&word) & ~7ul));
    EXPECT_EQ(SYS_exit_group, peek_user(pid, USER_REGISTER(orig_rax)));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 5", pid);
}

TEST(PtraceEvent, ExitByASignal) {
    pid_t pid = start_tracee([] { raise(SIGTERM); });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTERM", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGTERM));
    EXPECT_STOP("SIGTRAP+exit", pid);
    EXPECT_EQ(static_cast<unsigned long>(SIGTERM), event_message(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTERM ends", pid);
}

TEST(PtraceEvent, ExitBySigkill) {
    pid_t pid = start_tracee([] { pause(); });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
    ASSERT_OK(kill(pid, SIGKILL));
    note("first " + next_stop(pid));
    trace(PTRACE_CONT, pid);
    note("second " + next_stop(pid));
}

TEST(PtraceEvent, SigkillInTheStopOfAnExit) {
    pid_t pid = start_tracee([] { _exit(5); });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP+exit", pid);
    ASSERT_OK(kill(pid, SIGKILL));
    sleep_ms(20);
    int status = 0;
    pid_t seen = waitpid(pid, &status, __WALL | WNOHANG);
    note(seen == 0 ? "goes on stopped" : stop_text(status));
    if (seen == 0) {
        ASSERT_OK(trace(PTRACE_CONT, pid));
        note(next_stop(pid));
    }
}
