// ptrace(2): stops of signals and system calls, and what may be done in them.
#include "tests/abi/support/tracee.h"

using namespace abi_test;

TEST(PtraceStop, TraceMeErrors) {
    child([] {
        EXPECT_OK(trace(PTRACE_TRACEME, 0));
        EXPECT_ERRNO(EPERM, trace(PTRACE_TRACEME, 0));
    });
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, 0x3fffff));
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, getpid()));
    EXPECT_ERRNO(EPERM, trace(PTRACE_ATTACH, getpid()));
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, 1));
    pid_t pid = start_tracee([] {});
    EXPECT_ERRNO(EIO, trace(0x1234, pid));
    EXPECT_ERRNO(EIO, trace(PTRACE_CONT, pid, 0, 65));
    EXPECT_ERRNO(EIO, trace(PTRACE_CONT, pid, 0, static_cast<unsigned long>(-1)));
    EXPECT_ERRNO(EIO, trace(PTRACE_DETACH, pid, 0, 65));
    EXPECT_ERRNO(EINVAL, trace(PTRACE_SETOPTIONS, pid, 0, 0x100));
    EXPECT_ERRNO(EIO, trace(PTRACE_INTERRUPT, pid));
    EXPECT_ERRNO(EIO, trace(PTRACE_LISTEN, pid));
    EXPECT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
    EXPECT_ERRNO(ESRCH, trace(PTRACE_CONT, pid));
}

TEST(PtraceStop, EverySignalStopsAndCanBeSuppressed) {
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        if (signal == SIGKILL || signal == 32 || signal == 33) {
            continue;
        }
        pid_t pid = start_tracee([=] {
            raise(signal);
            _exit(7);
        });
        note_stops(signal_name(signal), pid, PTRACE_CONT, 4);
        end_tracee(pid);
    }
}

TEST(PtraceStop, EverySignalCanBeDelivered) {
    for (int signal : {SIGHUP, SIGTERM, SIGCHLD, SIGCONT, SIGSEGV, SIGTSTP, SIGUSR1, SIGWINCH, SIGRTMIN}) {
        pid_t pid = start_tracee([=] {
            setpgid(0, 0);
            raise(signal);
            _exit(7);
        });
        note_stops(signal_name(signal), pid, PTRACE_CONT, 6, true);
        end_tracee(pid);
    }
}

TEST(PtraceStop, IgnoredAndBlockedSignals) {
    pid_t pid = start_tracee([] {
        signal(SIGUSR1, SIG_IGN);
        raise(SIGUSR1);
        block({SIGUSR2});
        raise(SIGUSR2);
        unblock({SIGUSR2});
        _exit(3);
    });
    note_stops("stops", pid, PTRACE_CONT);
}

TEST(PtraceStop, AnotherSignalIsInjected) {
    pid_t pid = start_tracee([] {
        count_signals(SIGUSR2);
        raise(SIGUSR1);
        EXPECT_EQ(1, received(SIGUSR2));
    });
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGUSR1", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR2));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceStop, AnInjectedSignalThatIsBlockedWaits) {
    pid_t pid = start_tracee([] {
        count_signals(SIGUSR2);
        block({SIGUSR2});
        raise(SIGUSR1);
        EXPECT_EQ(0, received(SIGUSR2));
        unblock({SIGUSR2});
        EXPECT_EQ(1, received(SIGUSR2));
    });
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGUSR1", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR2));
    EXPECT_STOP("SIGUSR2", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR2));
    EXPECT_STOP("exit 0", pid);
}

namespace {

siginfo_t* g_seen = nullptr;
void remember_info(int, siginfo_t* info, void*) {
    *g_seen = *info;
}

}  // namespace

TEST(PtraceStop, SignalInfoIsReadAndChanged) {
    siginfo_t* seen = shared<siginfo_t>();
    g_seen = seen;
    pid_t pid = start_tracee([] {
        handle_info(SIGUSR1, remember_info);
        sigqueue(getpid(), SIGUSR1, {.sival_int = 5});
    });
    siginfo_t info{};
    EXPECT_OK(trace_to(PTRACE_GETSIGINFO, pid, info));
    EXPECT_EQ(SIGSTOP, info.si_signo);
    EXPECT_EQ(SI_TKILL, info.si_code);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGUSR1", pid);
    ASSERT_OK(trace_to(PTRACE_GETSIGINFO, pid, info));
    EXPECT_EQ(SI_QUEUE, info.si_code);
    EXPECT_EQ(5, info.si_value.sival_int);
    EXPECT_EQ(pid, info.si_pid);
    info.si_value.sival_int = 6;
    ASSERT_OK(trace_to(PTRACE_SETSIGINFO, pid, info));
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    EXPECT_STOP("exit 0", pid);
    EXPECT_EQ(6, seen->si_value.sival_int);
}

TEST(PtraceStop, AnotherSignalComesFromTheTracer) {
    siginfo_t* seen = shared<siginfo_t>();
    g_seen = seen;
    pid_t pid = start_tracee([] {
        handle_info(SIGUSR2, remember_info);
        raise(SIGUSR1);
    });
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGUSR1", pid);
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR2));
    EXPECT_STOP("exit 0", pid);
    EXPECT_EQ(SI_USER, seen->si_code);
    EXPECT_EQ(getpid(), seen->si_pid);
}

TEST(PtraceStop, PendingSignalsAreSeen) {
    pid_t pid = start_tracee([] {});
    for (int i = 0; i < 3; ++i) {
        siginfo_t info{};
        info.si_code = SI_QUEUE;
        info.si_value.sival_int = i;
        ASSERT_OK(syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGRTMIN, &info));
    }
    ASSERT_OK(kill(pid, SIGUSR1));
    siginfo_t found[4] = {};
    __ptrace_peeksiginfo_args arguments{.off = 0, .flags = 0, .nr = 4};
    auto peek = [&] { return trace(PTRACE_PEEKSIGINFO, pid, (unsigned long)&arguments, (unsigned long)found); };
    EXPECT_EQ(3, peek());
    EXPECT_EQ(2, found[2].si_value.sival_int);
    arguments.off = 2;
    EXPECT_EQ(1, peek());
    arguments = {.off = 0, .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 4};
    EXPECT_EQ(1, peek());
    EXPECT_EQ(SIGUSR1, found[0].si_signo);
    arguments.nr = -1;
    EXPECT_ERRNO(EINVAL, peek());
    arguments = {.off = 0, .flags = 4, .nr = 1};
    EXPECT_ERRNO(EINVAL, peek());
    end_tracee(pid);
}

TEST(PtraceStop, SignalMask) {
    pid_t pid = start_tracee([] { EXPECT_EQ("0000000000000a00", proc_status("SigBlk")); });
    uint64_t mask = 0;
    ASSERT_OK(trace_to(PTRACE_GETSIGMASK, pid, mask, sizeof mask));
    EXPECT_EQ(0u, mask);
    mask = 0x0a00 | 1 << (SIGKILL - 1);
    EXPECT_ERRNO(EINVAL, trace_to(PTRACE_SETSIGMASK, pid, mask, 4));
    ASSERT_OK(trace_to(PTRACE_SETSIGMASK, pid, mask, sizeof mask));
    ASSERT_OK(trace_to(PTRACE_GETSIGMASK, pid, mask, sizeof mask));
    EXPECT_EQ(0x0a00u, mask);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceStop, SystemCalls) {
    pid_t pid = start_tracee([] {
        syscall(SYS_getppid);
        syscall(100'000);
        syscall(SYS_close, -1);
        raise(SIGUSR1);
        _exit(4);
    });
    note_stops("plain", pid, PTRACE_SYSCALL, 60);
    pid = start_tracee([] {
        syscall(SYS_getppid);
        raise(SIGUSR1);
        _exit(4);
    });
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    note_stops("good", pid, PTRACE_SYSCALL, 60);
}

TEST(PtraceStop, SystemCallInformation) {
    pid_t pid = start_tracee([] {
        syscall(SYS_close, 1000, 2, 3, 4, 5, 6);
        _exit(syscall(SYS_getppid) == 77 ? 1 : 2);
    });
    __ptrace_syscall_info info{};
    EXPECT_EQ(24, trace_to(PTRACE_GET_SYSCALL_INFO, pid, info, sizeof info));
    EXPECT_EQ(PTRACE_SYSCALL_INFO_NONE, info.op);
    ASSERT_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    auto go = [&] {
        EXPECT_OK(trace(PTRACE_SYSCALL, pid));
        EXPECT_STOP("SIGTRAP|80", pid);
        memset(&info, 0, sizeof info);
        return trace_to(PTRACE_GET_SYSCALL_INFO, pid, info, sizeof info);
    };
    // The end of raise(), which takes calls of its own.
    while (go() > 0 && !(info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_close)) {
    }
    EXPECT_EQ(1000u, info.entry.args[0]);
    EXPECT_EQ(6u, info.entry.args[5]);
    EXPECT_EQ(-ENOSYS, peek_user(pid, USER_REGISTER(rax)));
    EXPECT_EQ(SYS_close, peek_user(pid, USER_REGISTER(orig_rax)));
    EXPECT_EQ(static_cast<long>(info.instruction_pointer), peek_user(pid, USER_REGISTER(rip)));
    EXPECT_EQ(static_cast<long>(info.stack_pointer), peek_user(pid, USER_REGISTER(rsp)));
    EXPECT_EQ(33, go());
    EXPECT_EQ(PTRACE_SYSCALL_INFO_EXIT, info.op);
    EXPECT_EQ(-EBADF, info.exit.rval);
    EXPECT_EQ(1, info.exit.is_error);
    unsigned long message = 0;
    ASSERT_OK(trace_to(PTRACE_GETEVENTMSG, pid, message));
    EXPECT_EQ(2u, message);
    siginfo_t signal{};
    ASSERT_OK(trace_to(PTRACE_GETSIGINFO, pid, signal));
    EXPECT_EQ(SIGTRAP | 0x80, signal.si_code);
    EXPECT_EQ(SIGTRAP, signal.si_signo);
    EXPECT_EQ(80, go());
    EXPECT_EQ(static_cast<unsigned>(SYS_getppid), info.entry.nr);
    EXPECT_EQ(33, go());
    // Only so much as there is room for.
    EXPECT_EQ(33, trace_to(PTRACE_GET_SYSCALL_INFO, pid, info, 8));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(rax), 77));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 1", pid);
}

TEST(PtraceStop, ACallIsReplacedAndSkipped) {
    pid_t pid = start_tracee([] {
        EXPECT_EQ(getpid(), syscall(SYS_getppid));
        EXPECT_EQ(-1, syscall(SYS_getppid));
        EXPECT_EQ(ENOSYS, errno);
        EXPECT_EQ(12, syscall(SYS_getppid));
    });
    auto go = [&] {
        EXPECT_OK(trace(PTRACE_SYSCALL, pid));
        EXPECT_STOP("SIGTRAP", pid);
    };
    auto entry = [&] {
        do {
            go();
        } while (peek_user(pid, USER_REGISTER(orig_rax)) != SYS_getppid ||
                 peek_user(pid, USER_REGISTER(rax)) != -ENOSYS);
    };
    entry();
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(orig_rax), SYS_getpid));
    go();
    EXPECT_EQ(SYS_getpid, peek_user(pid, USER_REGISTER(orig_rax)));
    EXPECT_EQ(pid, peek_user(pid, USER_REGISTER(rax)));
    entry();
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(orig_rax), static_cast<unsigned long>(-1)));
    go();
    EXPECT_EQ(-ENOSYS, peek_user(pid, USER_REGISTER(rax)));
    entry();
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(orig_rax), static_cast<unsigned long>(-1)));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(rax), 12));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceStop, AnInterruptedCallShowsHowItWillGoOn) {
    // S03, as tracers see it: the codes that no program sees.
    struct Case {
        const char* name;
        void (*call)();
    };
    static int ends[2];
    ASSERT_OK(pipe(ends));
    const Case cases[] = {
        {"read",
         [] {
             char byte;
             EXPECT_EQ(1, read(ends[0], &byte, 1));
         }},
        {"pause", [] { EXPECT_ERRNO(EINTR, pause()); }},
        {"nanosleep",
         [] {
             timespec time{0, 200'000'000};
             EXPECT_OK(nanosleep(&time, nullptr));
         }},
        {"poll", [] { EXPECT_EQ(0, poll(nullptr, 0, 200)); }},
    };
    for (const Case& test : cases) {
        pid_t pid = start_tracee([&] {
            count_signals(SIGUSR2);
            test.call();
        });
        ASSERT_OK(trace(PTRACE_CONT, pid));
        wait_until_asleep(pid);
        ASSERT_OK(kill(pid, SIGUSR1));
        EXPECT_STOP("SIGUSR1", pid);
        note(std::string(test.name) + ": " + std::to_string(peek_user(pid, USER_REGISTER(rax))) + " of " +
             std::to_string(peek_user(pid, USER_REGISTER(orig_rax))));
        // Suppressed: the call goes on.
        ASSERT_OK(trace(PTRACE_CONT, pid));
        if (test.name[0] == 'r') {
            ASSERT_EQ(1, write(ends[1], "x", 1));
        } else if (test.name[0] == 'p' && test.name[1] == 'a') {
            wait_until_asleep(pid);
            ASSERT_OK(kill(pid, SIGUSR2));
            EXPECT_STOP("SIGUSR2", pid);
            ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR2));
        }
        EXPECT_STOP("exit 0", pid);
    }
}

TEST(PtraceStop, ProcShowsTracerAndState) {
    pid_t pid = start_tracee([] {});
    EXPECT_EQ('t', process_state(pid));
    EXPECT_EQ(std::to_string(getpid()), proc_status("TracerPid", std::to_string(pid)));
    EXPECT_EQ("t (tracing stop)", proc_status("State", std::to_string(pid)));
    ASSERT_OK(trace(PTRACE_DETACH, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceStop, TheParentGetsASignalForEachStop) {
    count_signals(SIGCHLD);
    pid_t pid = start_tracee([] { raise(SIGUSR1); });
    int before = received(SIGCHLD);
    EXPECT_GE(before, 1);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGUSR1", pid);
    EXPECT_EQ(before + 1, received(SIGCHLD));
    handle(SIGCHLD, [](int) { _exit(9); }, SA_NOCLDSTOP);
    ASSERT_OK(trace(PTRACE_SYSCALL, pid));
    EXPECT_STOP("SIGTRAP", pid);
    signal(SIGCHLD, SIG_DFL);
    end_tracee(pid);
}

TEST(PtraceStop, WaitidTellsOfTraps) {
    pid_t pid = start_tracee([] { raise(SIGUSR1); });
    ASSERT_OK(trace(PTRACE_CONT, pid));
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT));
    EXPECT_EQ(CLD_TRAPPED, info.si_code);
    EXPECT_EQ(SIGUSR1, info.si_status);
    EXPECT_EQ(pid, info.si_pid);
    // Stops are told also to those who ask for ends only, but once.
    info = {};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED));
    EXPECT_EQ(CLD_TRAPPED, info.si_code);
    info = {};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG));
    EXPECT_EQ(0, info.si_pid);
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG | WUNTRACED));
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED));
    EXPECT_EQ(CLD_KILLED, info.si_code);
}

TEST(PtraceStop, KillEndsAnyStop) {
    pid_t pid = start_tracee([] {});
    ASSERT_OK(kill(pid, SIGKILL));
    EXPECT_STOP("SIGKILL ends", pid);
    pid = start_tracee([] {});
    ASSERT_OK(trace(PTRACE_KILL, pid));
    EXPECT_STOP("SIGKILL ends", pid);
    pid = start_tracee([] { syscall(SYS_getppid); });
    ASSERT_OK(trace(PTRACE_SYSCALL, pid));
    EXPECT_STOP("SIGTRAP", pid);
    ASSERT_OK(kill(pid, SIGKILL));
    EXPECT_STOP("SIGKILL ends", pid);
    pid = start_tracee([] { syscall(SYS_getppid); });
    ASSERT_OK(trace(PTRACE_CONT, pid, 0, SIGKILL));
    EXPECT_STOP("SIGKILL ends", pid);
}

TEST(PtraceStop, EmulatedCallsAreNotMade) {
    pid_t pid = start_tracee([] { _exit(syscall(SYS_getppid) == 5 ? 3 : 4); });
    for (;;) {
        ASSERT_OK(trace(PTRACE_SYSEMU, pid));
        EXPECT_STOP("SIGTRAP", pid);
        if (peek_user(pid, USER_REGISTER(orig_rax)) == SYS_getppid) {
            break;
        }
        ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(rax), 0));
    }
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(rax), 5));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 3", pid);
}
