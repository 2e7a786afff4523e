// sigaction, masks, pending signals, queues, handlers. Rule S02.
#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

volatile sig_atomic_t order[16];
volatile sig_atomic_t order_count;
siginfo_t seen;
sigset_t mask_seen;

void note_order(int signal) {
    order[order_count] = signal;
    order_count = order_count + 1;
}

void keep_info(int, siginfo_t* info, void*) {
    seen = *info;
}

void keep_mask(int) {
    sigprocmask(SIG_SETMASK, nullptr, &mask_seen);
}

int queue(int signal, int value) {
    union sigval payload{};
    payload.sival_int = value;
    return sigqueue(getpid(), signal, payload);
}

// The kernel's own form, since the C library adds SA_RESTORER.
struct KernelAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

}  // namespace

TEST(SignalAction, ReadsBackWhatWasSet) {  // S02
    struct sigaction action{};
    action.sa_handler = note_order;
    action.sa_flags = SA_RESTART | SA_NODEFER;
    sigaddset(&action.sa_mask, SIGUSR2);
    ASSERT_OK(sigaction(SIGUSR1, &action, nullptr));
    struct sigaction old{};
    ASSERT_OK(sigaction(SIGUSR1, nullptr, &old));
    EXPECT_EQ(note_order, old.sa_handler);
    EXPECT_EQ(SA_RESTART | SA_NODEFER, old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO | SA_ONSTACK));
    EXPECT_TRUE(sigismember(&old.sa_mask, SIGUSR2));
    EXPECT_FALSE(sigismember(&old.sa_mask, SIGTERM));
}

TEST(SignalAction, Errors) {  // S02
    struct sigaction action{};
    action.sa_handler = SIG_IGN;
    EXPECT_ERRNO(EINVAL, sigaction(SIGKILL, &action, nullptr));
    EXPECT_ERRNO(EINVAL, sigaction(SIGSTOP, &action, nullptr));
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigaction, 0, &action, nullptr, 8));
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigaction, 65, &action, nullptr, 8));
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigaction, SIGUSR1, nullptr, nullptr, 4)) << "size of a set";
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigaction, SIGUSR1, 8, nullptr, 8));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigaction, SIGUSR1, nullptr, 8, 8));
    EXPECT_OK(syscall(SYS_rt_sigaction, SIGKILL, nullptr, &action, 8)) << "asking is allowed";
}

TEST(SignalAction, UnknownFlagsAreCleared) {  // S02
    KernelAction action{SIG_IGN, 0x400 | 0x800 | SA_RESTART, nullptr, ~0UL}, old{};
    ASSERT_OK(syscall(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 8));
    ASSERT_OK(syscall(SYS_rt_sigaction, SIGUSR1, nullptr, &old, 8));
    EXPECT_EQ(static_cast<unsigned long>(SA_RESTART | 0x800), old.flags) << "SA_UNSUPPORTED shows itself as cleared";
    EXPECT_EQ(~((1UL << (SIGKILL - 1)) | (1UL << (SIGSTOP - 1))), old.mask);
}

TEST(SignalAction, ARestorerWithoutItsFlagIsNone) {  // S02
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    handle(SIGUSR1, note_order, 0);
                    KernelAction action{};
                    syscall(SYS_rt_sigaction, SIGUSR1, nullptr, &action, 8);
                    constexpr unsigned long kRestorer = 0x04000000;
                    action.flags &= ~kRestorer;
                    syscall(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 8);
                    raise(SIGUSR1);
                }));
}

TEST(SignalAction, HandlerBlocksItsOwnSignalAndTheMask) {  // S02
    struct sigaction action{};
    action.sa_handler = keep_mask;
    sigaddset(&action.sa_mask, SIGUSR2);
    ASSERT_OK(sigaction(SIGUSR1, &action, nullptr));
    raise(SIGUSR1);
    EXPECT_TRUE(sigismember(&mask_seen, SIGUSR1));
    EXPECT_TRUE(sigismember(&mask_seen, SIGUSR2));
    sigset_t after{};
    sigprocmask(SIG_SETMASK, nullptr, &after);
    EXPECT_FALSE(sigismember(&after, SIGUSR1) || sigismember(&after, SIGUSR2));
}

TEST(SignalAction, NodeferDoesNotBlockTheSignal) {  // S02
    handle(SIGUSR1, keep_mask, SA_NODEFER);
    raise(SIGUSR1);
    EXPECT_FALSE(sigismember(&mask_seen, SIGUSR1));
}

TEST(SignalAction, NodeferHandlerNests) {  // S02
    static volatile int depth;
    static volatile int deepest;
    auto nest = [](int) {
        depth = depth + 1;
        deepest = deepest > depth ? deepest : depth;
        if (deepest < 5) {
            raise(SIGUSR1);
        }
        depth = depth - 1;
    };
    handle(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    EXPECT_EQ(5, deepest);
    EXPECT_EQ(0, depth);
}

TEST(SignalAction, ResethandRunsOnce) {  // S02
    handle(SIGUSR1, note_order, SA_RESETHAND);
    raise(SIGUSR1);
    EXPECT_EQ(1, order_count);
    EXPECT_ENDS("SIGUSR1", run_child([] { raise(SIGUSR1); }));
    struct sigaction old{};
    sigaction(SIGUSR1, nullptr, &old);
    EXPECT_EQ(SIG_DFL, old.sa_handler);
}

TEST(SignalAction, SecondSignalWaitsForTheHandlersEnd) {  // S02
    static volatile int running;
    static volatile int calls;
    auto handler = [](int) {
        calls = calls + 1;
        running = running + 1;
        if (calls == 1) {
            raise(SIGUSR1);
            raise(SIGUSR1);
        }
        running = running == 1 ? 0 : 100;
    };
    handle(SIGUSR1, handler);
    raise(SIGUSR1);
    EXPECT_EQ(2, calls) << "two that came meanwhile are one";
    EXPECT_EQ(0, running);
}

TEST(SignalAction, IgnoredIsDiscardedAlsoWhenPending) {  // S02
    block({SIGUSR1});
    raise(SIGUSR1);
    handle(SIGUSR1, SIG_IGN);
    sigset_t pending{};
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGUSR1)) << "setting SIG_IGN drops what is pending";
    handle(SIGUSR1, note_order);
    unblock({SIGUSR1});
    EXPECT_EQ(0, order_count);
    // The default of SIGCHLD is to ignore, too.
    block({SIGCHLD});
    handle(SIGCHLD, note_order);
    raise(SIGCHLD);
    handle(SIGCHLD, SIG_DFL);
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGCHLD));
}

TEST(SignalAction, DefaultActions) {  // S02
    for (int signal = 1; signal <= 64; signal++) {
        if (signal == 32 || signal == 33) {  // the C library's
            continue;
        }
        pid_t pid = start_child([=] {
            setpgid(0, 0);
            rlimit none{0, 0};
            setrlimit(RLIMIT_CORE, &none);
            kill(getpid(), signal);
        });
        int status = 0;
        waitpid(pid, &status, WUNTRACED);
        note(std::to_string(signal) + " " + status_text(status));
        if (WIFSTOPPED(status)) {
            kill(pid, SIGKILL);
            wait_for(pid);
        }
    }
}

TEST(SignalAction, KillHasNoDefence) {  // S02
    EXPECT_ENDS("SIGKILL", run_child([] {
                    sigset_t all;
                    sigfillset(&all);
                    sigprocmask(SIG_SETMASK, &all, nullptr);
                    sigset_t now{};
                    sigprocmask(SIG_SETMASK, nullptr, &now);
                    EXPECT_FALSE(sigismember(&now, SIGKILL) || sigismember(&now, SIGSTOP));
                    raise(SIGKILL);
                }));
}

TEST(SignalMask, Operations) {  // S02
    sigset_t set = set_of({SIGUSR1, SIGUSR2});
    sigset_t old{};
    ASSERT_OK(sigprocmask(SIG_SETMASK, &set, &old));
    EXPECT_FALSE(sigismember(&old, SIGUSR1));
    sigset_t one = set_of({SIGUSR1});
    ASSERT_OK(sigprocmask(SIG_UNBLOCK, &one, &old));
    EXPECT_TRUE(sigismember(&old, SIGUSR1));
    sigprocmask(SIG_BLOCK, nullptr, &old);
    EXPECT_FALSE(sigismember(&old, SIGUSR1));
    EXPECT_TRUE(sigismember(&old, SIGUSR2));
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigprocmask, 3, &set, nullptr, 8));
    EXPECT_OK(syscall(SYS_rt_sigprocmask, 3, nullptr, nullptr, 8)) << "what to do counts only with a set";
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, nullptr, 16));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, nullptr, 8));
}

TEST(SignalMask, IsPerThread) {  // S02
    block({SIGUSR1});
    std::thread([] {
        unblock({SIGUSR1});
        block({SIGUSR2});
    }).join();
    sigset_t now{};
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR1));
    EXPECT_FALSE(sigismember(&now, SIGUSR2));
}

TEST(SignalMask, UnblockingDeliversBeforeItReturns) {  // S02
    count_signals(SIGUSR1);
    block({SIGUSR1});
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(0, received(SIGUSR1));
    unblock({SIGUSR1});
    EXPECT_EQ(1, received(SIGUSR1));
}

TEST(SignalPending, ThreadsAndProcesss) {  // S02
    block({SIGUSR1, SIGUSR2});
    std::thread([] {
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
        kill(getpid(), SIGUSR2);
        sigset_t set{};
        sigpending(&set);
        EXPECT_TRUE(sigismember(&set, SIGUSR1));
        EXPECT_TRUE(sigismember(&set, SIGUSR2));
    }).join();
    sigset_t set{};
    sigpending(&set);
    EXPECT_FALSE(sigismember(&set, SIGUSR1)) << "ended with its thread";
    EXPECT_TRUE(sigismember(&set, SIGUSR2));
}

TEST(SignalQueue, StandardSignalsCoalesce) {  // S02
    block({SIGUSR1});
    count_signals(SIGUSR1);
    for (int i = 0; i < 5; i++) {
        kill(getpid(), SIGUSR1);
    }
    unblock({SIGUSR1});
    EXPECT_EQ(1, received(SIGUSR1));
}

TEST(SignalQueue, RealtimeSignalsQueueInOrder) {  // S02
    static volatile int values[8];
    static volatile int count;
    auto keep = [](int, siginfo_t* info, void*) {
        values[count] = info->si_value.sival_int;
        count = count + 1;
    };
    handle_info(SIGRTMIN + 1, keep);
    block({SIGRTMIN + 1});
    for (int i = 0; i < 8; i++) {
        ASSERT_OK(queue(SIGRTMIN + 1, 100 + i));
    }
    unblock({SIGRTMIN + 1});
    EXPECT_EQ(8, count);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(100 + i, values[i]);
    }
}

TEST(SignalQueue, LowerNumbersFirst) {  // S02
    block({SIGUSR1, SIGUSR2, SIGTERM, SIGRTMIN, SIGRTMIN + 2});
    for (int signal : {SIGRTMIN + 2, SIGTERM, SIGRTMIN, SIGUSR2, SIGUSR1}) {
        struct sigaction action{};
        action.sa_handler = note_order;
        sigfillset(&action.sa_mask);
        sigaction(signal, &action, nullptr);
        raise(signal);
    }
    sigset_t none = set_of({});
    sigset_t all{};
    sigprocmask(SIG_SETMASK, nullptr, &all);
    // One at a time by sigwaitinfo: the lowest first.
    for (int expected : {SIGUSR1, SIGUSR2, SIGTERM, SIGRTMIN, SIGRTMIN + 2}) {
        EXPECT_EQ(expected, sigwaitinfo(&all, nullptr));
    }
    sigprocmask(SIG_SETMASK, &none, nullptr);
    EXPECT_EQ(0, order_count);
}

TEST(SignalQueue, LimitIsEagain) {  // S02
    rlimit limit{4, 4};
    child([&] {
        become_user(40002, 40002);
        ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
        block({SIGRTMIN, SIGUSR1});
        int accepted = 0;
        while (accepted < 100 && queue(SIGRTMIN, accepted) == 0) {
            accepted++;
        }
        EXPECT_EQ(EAGAIN, errno);
        EXPECT_EQ(4, accepted);
        EXPECT_OK(kill(getpid(), SIGUSR1)) << "kill needs no room";
        sigset_t set{};
        sigpending(&set);
        EXPECT_TRUE(sigismember(&set, SIGUSR1));
    });
}

TEST(SignalInfo, OfKill) {  // S02
    handle_info(SIGUSR1, keep_info);
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(SIGUSR1, seen.si_signo);
    EXPECT_EQ(SI_USER, seen.si_code);
    EXPECT_EQ(getpid(), seen.si_pid);
    EXPECT_EQ(0u, seen.si_uid);
    EXPECT_EQ(0, seen.si_errno);
}

TEST(SignalInfo, OfTgkillAndQueue) {  // S02
    handle_info(SIGUSR1, keep_info);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    EXPECT_EQ(SI_TKILL, seen.si_code);
    EXPECT_EQ(getpid(), seen.si_pid);
    queue(SIGUSR1, 77);
    EXPECT_EQ(SI_QUEUE, seen.si_code);
    EXPECT_EQ(77, seen.si_value.sival_int);
    child([parent = getpid()] {
        union sigval value{};
        value.sival_ptr = reinterpret_cast<void*>(0x123456789abcUL);
        setresuid(12, 12, 0);
        seteuid(0);
        EXPECT_OK(sigqueue(parent, SIGUSR1, value));
    });
    EXPECT_EQ(0x123456789abcUL, reinterpret_cast<unsigned long>(seen.si_value.sival_ptr));
    EXPECT_EQ(12u, seen.si_uid);
}

TEST(SignalInfo, ForgedCodesAreRefused) {  // S02
    siginfo_t info{};
    info.si_signo = SIGUSR1;
    info.si_code = SI_USER;
    count_signals(SIGUSR1);
    pid_t other = start_child([] { pause(); });
    EXPECT_ERRNO(EPERM, syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &info));
    info.si_code = SI_TKILL;
    EXPECT_ERRNO(EPERM, syscall(SYS_rt_sigqueueinfo, other, SIGUSR1, &info));
    EXPECT_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info)) << "to itself a process may say anything";
    EXPECT_EQ(1, received(SIGUSR1));
    kill(other, SIGKILL);
    wait_for(other);
}

TEST(SignalSend, KillTargets) {  // S02
    EXPECT_OK(kill(getpid(), 0));
    EXPECT_ERRNO(EINVAL, kill(getpid(), 65));
    EXPECT_ERRNO(EINVAL, kill(getpid(), -1));
    EXPECT_ERRNO(ESRCH, kill(0x3fffff, 0));
    EXPECT_ERRNO(ESRCH, kill(-0x3fffff, 0));
    EXPECT_ERRNO(ESRCH, kill(INT_MIN, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_tgkill, 0, 1, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_tgkill, getpid(), -1, 0));
    EXPECT_ERRNO(ESRCH, syscall(SYS_tgkill, getppid(), getpid(), 0)) << "a thread of another group";
    EXPECT_OK(syscall(SYS_tkill, getpid(), 0));
}

TEST(SignalSend, ToAGroup) {  // S02
    count_signals(SIGUSR1);
    Gate ready;
    std::vector<pid_t> members;
    for (int i = 0; i < 3; i++) {
        members.push_back(start_child([&] {
            handle(SIGUSR1, SIG_DFL);
            ready.open();
            pause();
        }));
        ready.wait();
    }
    EXPECT_OK(kill(0, SIGUSR1));
    EXPECT_EQ(1, received(SIGUSR1));
    for (pid_t pid : members) {
        EXPECT_ENDS("SIGUSR1", wait_for(pid));
    }
}

TEST(SignalSend, PermissionIsByUser) {  // S02
    pid_t root_process = start_child([] { pause(); });
    pid_t own = start_child([] {
        become_user(1000, 1000);
        pause();
    });
    while (proc_status("Uid", std::to_string(own)).rfind("1000", 0) != 0) {
        sched_yield();
    }
    as_user(1000, [&] {
        EXPECT_ERRNO(EPERM, kill(root_process, 0));
        EXPECT_ERRNO(EPERM, kill(root_process, SIGTERM));
        EXPECT_OK(kill(own, 0));
        EXPECT_ERRNO(EPERM, kill(1, 0));
    });
    as_user(1001, [&] { EXPECT_ERRNO(EPERM, kill(own, SIGTERM)); });
    as_user(1000, [&] { EXPECT_OK(kill(own, SIGTERM)); });
    EXPECT_ENDS("SIGTERM", wait_for(own));
    kill(root_process, SIGKILL);
    wait_for(root_process);
}

TEST(SignalSend, ContinueIsAllowedWithinTheSession) {  // S02, S04
    pid_t root_process = start_child([] { pause(); });
    as_user(1000, [&] { EXPECT_OK(kill(root_process, SIGCONT)); });
    kill(root_process, SIGKILL);
    wait_for(root_process);
}

TEST(SignalSend, ProcessSignalGoesToAThreadThatTakesIt) {  // S02
    static std::atomic<pid_t> taker;
    handle(SIGUSR1, [](int) { taker = static_cast<pid_t>(syscall(SYS_gettid)); });
    block({SIGUSR1});
    Gate end;
    Gate ready;
    pid_t tid = 0;
    std::thread other([&] {
        unblock({SIGUSR1});
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        ready.open();
        end.wait();
    });
    ready.wait();
    kill(getpid(), SIGUSR1);
    while (taker == 0) {
        sched_yield();
    }
    EXPECT_EQ(tid, taker);
    end.open();
    other.join();
}

TEST(SignalSend, ThreadSignalsReachTheirThread) {  // S02
    static std::atomic<int> hits;
    static thread_local int mine;
    handle(SIGUSR1, [](int) {
        mine++;
        hits++;
    });
    Gate ready;
    Gate end;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            ready.open();
            end.wait();
            EXPECT_EQ(1, mine);
        });
        ready.wait();
    }
    for (std::thread& thread : threads) {
        EXPECT_EQ(0, pthread_kill(thread.native_handle(), SIGUSR1));
    }
    while (hits != 4) {
        sched_yield();
    }
    EXPECT_EQ(0, mine);
    end.open(4);
    for (std::thread& thread : threads) {
        thread.join();
    }
}
