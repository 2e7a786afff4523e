// Signals that are waited for: signalfd, sigwaitinfo, sigsuspend, kill's targets. Rules S01 and S02.
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

int file_for(std::initializer_list<int> signals, int flags = SFD_NONBLOCK) {
    for (int signal : signals) {
        block({signal});
    }
    sigset_t set = set_of(signals);
    int file = signalfd(-1, &set, flags);
    EXPECT_OK(file);
    return file;
}

signalfd_siginfo next(int file) {
    signalfd_siginfo info{};
    ssize_t count = read(file, &info, sizeof info);
    if (count != static_cast<ssize_t>(sizeof info)) {
        info.ssi_signo = 0;
    }
    return info;
}

int queue(pid_t pid, int signal, int value) {
    sigval payload{};
    payload.sival_int = value;
    return sigqueue(pid, signal, payload);
}

}  // namespace

TEST(SignalFile, ChildsEndWithStatusAndUser) {  // S02
    int file = file_for({SIGCHLD}, 0);
    pid_t pid = start_child([] { _exit(7); });
    signalfd_siginfo info = next(file);
    EXPECT_EQ(static_cast<uint32_t>(SIGCHLD), info.ssi_signo);
    EXPECT_EQ(CLD_EXITED, info.ssi_code);
    EXPECT_EQ(7, info.ssi_status);
    EXPECT_EQ(static_cast<uint32_t>(pid), info.ssi_pid);
    wait_for(pid);
}

TEST(SignalFile, TimersNumberAndOverrun) {  // S02, S06
    int file = file_for({SIGRTMIN}, 0);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    event.sigev_value.sival_int = 33;
    timer_t timer;
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    itimerspec soon{{0, 0}, {0, 1}};
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    signalfd_siginfo info = next(file);
    EXPECT_EQ(SI_TIMER, info.ssi_code);
    EXPECT_EQ(33, info.ssi_int);
    EXPECT_EQ(0u, info.ssi_overrun);
}

TEST(SignalFile, QueuedValueAsNumberAndPointer) {  // S02
    int file = file_for({SIGRTMIN});
    sigval value{};
    value.sival_ptr = &value;
    ASSERT_OK(sigqueue(getpid(), SIGRTMIN, value));
    signalfd_siginfo info = next(file);
    EXPECT_EQ(reinterpret_cast<uint64_t>(&value), info.ssi_ptr);
    EXPECT_EQ(static_cast<int>(reinterpret_cast<uint64_t>(&value)), info.ssi_int);
    EXPECT_EQ(SI_QUEUE, info.ssi_code);
}

TEST(SignalFile, ReadsTheReadersSignalsNotItsMakers) {  // S02
    int file = file_for({SIGUSR1});
    raise(SIGUSR1);
    child([=] {
        EXPECT_ERRNO(EAGAIN, [=] {
            signalfd_siginfo info{};
            return read(file, &info, sizeof info);
        }()) << "the parent's signal is not the child's";
        raise(SIGUSR1);
        EXPECT_EQ(static_cast<uint32_t>(getpid()), next(file).ssi_pid);
    });
    EXPECT_EQ(static_cast<uint32_t>(getpid()), next(file).ssi_pid);
}

TEST(SignalFile, ReadsTheThreadsOwnSignals) {  // S02
    int file = file_for({SIGUSR1});
    std::thread([=] {
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
        EXPECT_EQ(SI_TKILL, next(file).ssi_code);
    }).join();
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    std::thread([=] { EXPECT_EQ(0u, next(file).ssi_signo) << "another thread's"; }).join();
    EXPECT_EQ(SI_TKILL, next(file).ssi_code);
}

TEST(SignalFile, UnblockedSignalGoesToItsHandlerInstead) {  // S02
    int file = file_for({SIGUSR1});
    count_signals(SIGUSR1);
    unblock({SIGUSR1});
    raise(SIGUSR1);
    EXPECT_EQ(1, received(SIGUSR1));
    EXPECT_EQ(0u, next(file).ssi_signo);
}

TEST(SignalFile, KillAndStopAreLeftOutSilently) {  // S02
    sigset_t all;
    sigfillset(&all);
    int file = signalfd(-1, &all, 0);
    ASSERT_OK(file);
    std::string details = read_file("/proc/self/fdinfo/" + std::to_string(file));
    size_t at = details.find("sigmask:\t");
    ASSERT_NE(std::string::npos, at);
    uint64_t mask = std::stoull(details.substr(at + 9), nullptr, 16);
    EXPECT_EQ(0u, mask & (1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1)));
}

TEST(SignalFile, WakesAPollerAndAReaderAtOnce) {  // S02
    int file = file_for({SIGUSR1}, 0);
    std::atomic<pid_t> tid{0};
    std::thread poller([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        pollfd one{file, POLLIN, 0};
        EXPECT_EQ(1, poll(&one, 1, -1));
    });
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    kill(getpid(), SIGUSR1);
    poller.join();
    EXPECT_EQ(static_cast<uint32_t>(SIGUSR1), next(file).ssi_signo);
}

TEST(SignalFile, NewSetWakesWhoWaits) {  // S02
    int file = file_for({SIGUSR1}, 0);
    block({SIGUSR2});
    kill(getpid(), SIGUSR2);
    std::atomic<pid_t> tid{0};
    uint32_t got = 0;
    std::thread reader([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        got = next(file).ssi_signo;
    });
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    sigset_t other = set_of({SIGUSR2});
    ASSERT_EQ(file, signalfd(file, &other, 0));
    reader.join();
    EXPECT_EQ(static_cast<uint32_t>(SIGUSR2), got);
}

TEST(SignalFile, SeveralAreReadInOrderOfDelivery) {  // S02
    int file = file_for({SIGUSR1, SIGRTMIN, SIGHUP});
    queue(getpid(), SIGRTMIN, 1);
    queue(getpid(), SIGRTMIN, 2);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGHUP);
    signalfd_siginfo all[8] = {};
    ASSERT_EQ(static_cast<ssize_t>(4 * sizeof all[0]), read(file, all, sizeof all));
    EXPECT_EQ(static_cast<uint32_t>(SIGHUP), all[0].ssi_signo);
    EXPECT_EQ(static_cast<uint32_t>(SIGUSR1), all[1].ssi_signo);
    EXPECT_EQ(1, all[2].ssi_int);
    EXPECT_EQ(2, all[3].ssi_int);
}

TEST(SignalFile, BufferThatEndsInTheMiddleTakesWholeOnes) {  // S02
    int file = file_for({SIGRTMIN});
    queue(getpid(), SIGRTMIN, 1);
    queue(getpid(), SIGRTMIN, 2);
    char room[200];
    EXPECT_EQ(128, read(file, room, 200));
    EXPECT_EQ(2, next(file).ssi_int);
}

TEST(SignalFile, Errors) {  // S02
    uint64_t set = 0;
    EXPECT_ERRNO(EINVAL, syscall(SYS_signalfd4, -1, &set, 4, 0)) << "size of a set";
    EXPECT_ERRNO(EFAULT, syscall(SYS_signalfd4, -1, 8, 8, 0));
    EXPECT_ERRNO(EBADF, syscall(SYS_signalfd4, 500, &set, 8, 0));
    int file = file_for({SIGUSR1});
    EXPECT_ERRNO(EINVAL, write(file, "x", 1));
}

TEST(SignalWait, LowestNumberFirst) {  // S02
    block({SIGUSR1, SIGHUP, SIGRTMIN});
    queue(getpid(), SIGRTMIN, 1);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGHUP);
    sigset_t set = set_of({SIGUSR1, SIGHUP, SIGRTMIN});
    EXPECT_EQ(SIGHUP, sigwaitinfo(&set, nullptr));
    EXPECT_EQ(SIGUSR1, sigwaitinfo(&set, nullptr));
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, nullptr));
}

TEST(SignalWait, OneOfSeveralWaitersGetsIt) {  // S02
    block({SIGUSR1});
    std::atomic<int> got{0};
    std::atomic<pid_t> tids[2] = {};
    sigset_t set = set_of({SIGUSR1, SIGTERM});
    block({SIGTERM});
    auto waiter = [&](int index) {
        tids[index] = static_cast<pid_t>(syscall(SYS_gettid));
        int signal = 0;
        while (sigwait(&set, &signal) == 0 && signal == SIGUSR1) {
            got++;
        }
    };
    std::thread a([&] { waiter(0); });
    std::thread b([&] { waiter(1); });
    for (auto& tid : tids) {
        while (tid == 0) {
            sched_yield();
        }
        wait_until_asleep(tid);
    }
    kill(getpid(), SIGUSR1);
    while (got == 0) {
        sched_yield();
    }
    pthread_kill(a.native_handle(), SIGTERM);
    pthread_kill(b.native_handle(), SIGTERM);
    a.join();
    b.join();
    EXPECT_EQ(1, got);
}

TEST(SignalWait, IgnoredBlockedSignalIsTaken) {  // S02
    handle(SIGUSR1, SIG_IGN);
    block({SIGUSR1});
    raise(SIGUSR1);
    sigset_t set = set_of({SIGUSR1});
    timespec none{0, 0};
    EXPECT_EQ(SIGUSR1, sigtimedwait(&set, nullptr, &none));
}

TEST(SignalWait, SignalOutsideTheSetRunsItsHandler) {  // S02
    block({SIGUSR1});
    count_signals(SIGUSR2);
    sigset_t set = set_of({SIGUSR1});
    pid_t parent = getpid();
    pid_t pid = start_child([=] {
        wait_until_asleep(parent);
        kill(parent, SIGUSR2);
    });
    EXPECT_ERRNO(EINTR, sigwaitinfo(&set, nullptr));
    EXPECT_EQ(1, received(SIGUSR2));
    wait_for(pid);
}

TEST(SignalWait, Errors) {  // S02
    uint64_t set = 1;
    timespec bad{0, 1'000'000'000};
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigtimedwait, &set, nullptr, nullptr, 4));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigtimedwait, 8, nullptr, nullptr, 8));
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigtimedwait, &set, nullptr, &bad, 8));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigtimedwait, &set, nullptr, 8, 8));
    block({SIGUSR1});
    raise(SIGUSR1);
    set = 1ULL << (SIGUSR1 - 1);
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigtimedwait, &set, 8, nullptr, 8));
    sigset_t pending{};
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGUSR1)) << "it is lost";
}

TEST(SignalSuspend, HandlersMaskIsTheOneOfTheSleep) {  // S02
    static sigset_t inside;
    handle(SIGUSR1, [](int) { sigprocmask(SIG_BLOCK, nullptr, &inside); });
    block({SIGUSR1, SIGTERM});
    raise(SIGUSR1);
    sigset_t mask = set_of({SIGUSR2});
    EXPECT_ERRNO(EINTR, sigsuspend(&mask));
    EXPECT_TRUE(sigismember(&inside, SIGUSR2));
    EXPECT_FALSE(sigismember(&inside, SIGTERM));
    sigset_t now{};
    sigprocmask(SIG_BLOCK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR2));
}

TEST(SignalSuspend, IgnoredSignalsDoNotEndIt) {  // S02
    handle(SIGUSR1, SIG_IGN);
    count_signals(SIGUSR2);
    block({SIGUSR2});
    pid_t parent = getpid();
    pid_t pid = start_child([=] {
        wait_until_asleep(parent);
        for (int i = 0; i < 5; i++) {
            kill(parent, SIGUSR1);
        }
        kill(parent, SIGUSR2);
    });
    sigset_t none = set_of({});
    EXPECT_ERRNO(EINTR, sigsuspend(&none));
    EXPECT_EQ(1, received(SIGUSR2));
    wait_for(pid);
}

TEST(SignalSuspend, Errors) {  // S02
    uint64_t set = 0;
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigsuspend, &set, 16));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigsuspend, 8, 8));
}

TEST(KillTarget, EverybodyButOneself) {  // S02
    as_user(61'234, [] {
        pid_t a = start_child([] { pause(); });
        pid_t b = start_child([] {
            setsid();
            pause();
        });
        wait_until_asleep(a);
        wait_until_asleep(b);
        count_signals(SIGTERM);
        EXPECT_OK(kill(-1, SIGTERM));
        EXPECT_ENDS("SIGTERM", wait_for(a));
        EXPECT_ENDS("SIGTERM", wait_for(b)) << "of any session";
        EXPECT_EQ(0, received(SIGTERM));
    });
}

TEST(KillTarget, OwnGroupIncludesOneself) {  // S02
    child([] {
        setpgid(0, 0);
        count_signals(SIGUSR1);
        EXPECT_OK(kill(0, SIGUSR1));
        EXPECT_EQ(1, received(SIGUSR1));
        EXPECT_OK(kill(-getpid(), SIGUSR1));
        EXPECT_EQ(2, received(SIGUSR1));
    });
}

TEST(KillTarget, GroupSucceedsIfOneMayBeSignalled) {  // S02
    child([] {
        setpgid(0, 0);
        pid_t root = start_child([] { pause(); });
        pid_t user = start_child([] {
            become_user(1000, 1000);
            pause();
        });
        wait_until_asleep(user);
        pid_t sender = start_child([&] {
            become_user(1000, 1000);
            handle(SIGUSR1, SIG_IGN);
            EXPECT_OK(kill(0, SIGUSR1)) << "somebody got it";
            EXPECT_ERRNO(EPERM, kill(root, SIGUSR1));
        });
        handle(SIGUSR1, SIG_IGN);
        EXPECT_ENDS("exit 0", wait_for(sender));
        EXPECT_ENDS("SIGUSR1", wait_for(user));
        EXPECT_EQ(0, waitpid(root, nullptr, WNOHANG));
        kill(root, SIGKILL);
        wait_for(root);
    });
}

TEST(KillTarget, RealOrEffectiveAgainstRealOrSaved) {  // S02
    auto target = [](uid_t real, uid_t effective, uid_t saved) {
        Gate ready;
        pid_t pid = start_child([&] {
            ASSERT_OK(setresuid(real, effective, saved));
            ready.open();
            pause();
        });
        ready.wait();
        return pid;
    };
    auto allowed = [&](uid_t real, uid_t effective, uid_t saved) {
        pid_t pid = target(real, effective, saved);
        bool result = run_child([=] {
                          ASSERT_OK(setresuid(1000, 1001, 1002));
                          _exit(kill(pid, 0) == 0 ? 1 : 2);
                      }) == 1 << 8;
        kill(pid, SIGKILL);
        wait_for(pid);
        return result;
    };
    EXPECT_TRUE(allowed(1000, 5, 5)) << "its real, our real";
    EXPECT_TRUE(allowed(1001, 5, 5)) << "its real, our effective";
    EXPECT_TRUE(allowed(5, 5, 1000)) << "its saved, our real";
    EXPECT_FALSE(allowed(5, 1000, 5)) << "its effective one does not count";
    EXPECT_FALSE(allowed(1002, 1002, 1002)) << "nor our saved one";
}

TEST(KillTarget, Errors) {  // S02
    EXPECT_ERRNO(EINVAL, kill(getpid(), 65));
    EXPECT_ERRNO(EINVAL, kill(getpid(), -1));
    EXPECT_ERRNO(ESRCH, kill(INT_MIN, 0)) << "the group that cannot be named";
    EXPECT_ERRNO(ESRCH, kill(0x3fffff, 0));
    EXPECT_ERRNO(ESRCH, kill(-0x3fffff, 0));
    std::atomic<pid_t> tid{0};
    std::atomic<bool> end{false};
    std::thread other([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        while (!end) {
            sched_yield();
        }
    });
    while (tid == 0) {
        sched_yield();
    }
    EXPECT_OK(kill(tid, 0)) << "a thread's number means its process";
    end = true;
    other.join();
}
