// Timers of processor time: ITIMER_VIRTUAL and ITIMER_PROF, timer_create and clock_nanosleep on
// processor-time clocks. Rules S06, E13, E16, F03. Only what came too early is wrong, and Linux counts in ticks.
#include "tests/abi/support/cpu_time.h"

using namespace abi_test;

namespace {

itimerspec spec(int64_t first, int64_t every = 0) {
    return {{every / 1'000'000'000, every % 1'000'000'000}, {first / 1'000'000'000, first % 1'000'000'000}};
}
timer_t make_timer(clockid_t clock, int signal = SIGRTMIN, int notify = SIGEV_SIGNAL) {
    sigevent event{};
    event.sigev_notify = notify;
    event.sigev_signo = signal;
    timer_t timer{};
    EXPECT_OK(timer_create(clock, &event, &timer));
    return timer;
}
void start(timer_t timer, int64_t first, int64_t every = 0, int flags = 0) {
    itimerspec setting = spec(first, every);
    EXPECT_OK(timer_settime(timer, flags, &setting, nullptr));
}
int64_t left(timer_t timer) {
    itimerspec setting{};
    EXPECT_OK(timer_gettime(timer, &setting));
    return ns(setting.it_value);
}

ABI_HELPER(work_for_ever) {
    work_for_ever();
}
ABI_HELPER(work_150_ms) {
    work_for(150 * kMs);
    return 0;
}

}  // namespace

TEST(CpuItimer, RepeatsAndTells) {  // S06
    count_signals(SIGPROF);
    count_signals(SIGVTALRM);
    itimerval timer{{0, 10'000}, {0, 20'000}};
    itimerval old{};
    int64_t begin = now_ns(kProcess);
    ASSERT_OK(setitimer(ITIMER_PROF, &timer, nullptr));
    ASSERT_OK(setitimer(ITIMER_VIRTUAL, &timer, nullptr));
    while (received(SIGPROF) < 4 || received(SIGVTALRM) < 4) {
        work();
    }
    EXPECT_GE(now_ns(kProcess) - begin, 50 * kMs - 2 * kTick);
    ASSERT_OK(getitimer(ITIMER_PROF, &old));
    EXPECT_EQ(10'000, old.it_interval.tv_usec);
    EXPECT_GT(ns(old.it_value), 0);
    timer = {};
    ASSERT_OK(setitimer(ITIMER_PROF, &timer, nullptr));
    ASSERT_OK(setitimer(ITIMER_VIRTUAL, &timer, &old));
    EXPECT_EQ(10'000, old.it_interval.tv_usec);
    ASSERT_OK(getitimer(ITIMER_VIRTUAL, &old));
    EXPECT_EQ(0, ns(old.it_value) + ns(old.it_interval));
}

TEST(CpuItimer, ForkClearsAndExecKeeps) {  // F03 E13
    itimerval hour{{3600, 0}, {3600, 0}};
    ASSERT_OK(setitimer(ITIMER_PROF, &hour, nullptr));
    ASSERT_OK(setitimer(ITIMER_VIRTUAL, &hour, nullptr));
    child([] {
        itimerval old{};
        for (auto which : {ITIMER_PROF, ITIMER_VIRTUAL}) {
            EXPECT_OK(getitimer(which, &old));
            EXPECT_EQ(0, ns(old.it_value) + ns(old.it_interval));
        }
    });
    for (auto which : {ITIMER_PROF, ITIMER_VIRTUAL}) {
        int status = run_child([which] {
            itimerval soon{{0, 0}, {0, 200'000}};
            EXPECT_OK(setitimer(which, &soon, nullptr));
            exec_self("work_for_ever");
        });
        EXPECT_ENDS(which == ITIMER_PROF ? "SIGPROF" : "SIGVTALRM", status);
    }
}

TEST(CpuPosixTimer, OfTheProcessCountsAllThreads) {  // S06
    count_signals(SIGRTMIN);
    std::atomic<bool> end{false};
    auto until_the_end = [&] {
        while (!end) {
            work();
        }
    };
    std::thread a(until_the_end);
    std::thread b(until_the_end);
    timer_t timer = make_timer(kProcess);
    int64_t begin = now_ns(kProcess);
    start(timer, 60 * kMs, 30 * kMs);
    while (received(SIGRTMIN) == 0) {
        work();
    }
    EXPECT_GE(now_ns(kProcess) - begin, 60 * kMs - kTick);
    while (received(SIGRTMIN) < 3) {
        sleep_ms(1);
    }
    EXPECT_GE(now_ns(kProcess) - begin, 120 * kMs - kTick);
    end = true;
    a.join();
    b.join();
    EXPECT_OK(timer_delete(timer));
}

TEST(CpuPosixTimer, OfAThreadThatSleepsStandsStill) {  // S06
    count_signals(SIGRTMIN);
    Gate end;
    std::atomic<pid_t> tid{0};
    std::thread sleeper([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        end.wait();
    });
    while (tid == 0) {
        sleep_ms(1);
    }
    wait_until_asleep(tid);
    clockid_t clock{};
    ASSERT_EQ(0, pthread_getcpuclockid(sleeper.native_handle(), &clock));
    timer_t timer = make_timer(clock);
    start(timer, 20 * kMs);
    int64_t before = left(timer);
    work_for(60 * kMs);
    EXPECT_EQ(before, left(timer));
    EXPECT_EQ(0, received(SIGRTMIN));
    end.open();
    sleeper.join();
    itimerspec setting = spec(kMs);
    while (timer_settime(timer, 0, &setting, nullptr) == 0) {
        sleep_ms(1);  // its thread is joined shortly before it has ended
    }
    EXPECT_EQ(ESRCH, errno);
    EXPECT_EQ(0, left(timer));
    EXPECT_OK(timer_delete(timer));
}

TEST(CpuPosixTimer, OfAnotherThread) {  // S06
    count_signals(SIGRTMIN);
    Gate begun;
    std::atomic<int64_t> used{0};
    std::thread worker([&] {
        begun.open();
        while (received(SIGRTMIN) == 0) {
            work();
        }
        used = now_ns(kThread);
    });
    begun.wait();
    clockid_t clock{};
    ASSERT_EQ(0, pthread_getcpuclockid(worker.native_handle(), &clock));
    timer_t timer = make_timer(clock);
    int64_t begin = now_ns(clock);
    start(timer, 30 * kMs);
    worker.join();
    EXPECT_GE(used - begin, 30 * kMs - kTick);
    EXPECT_OK(timer_delete(timer));
}

TEST(CpuPosixTimer, OfAnotherProcess) {  // S06
    block({SIGRTMIN});
    pid_t pid = start_child([] { work_for_ever(); });
    clockid_t clock{};
    ASSERT_EQ(0, clock_getcpuclockid(pid, &clock));
    timer_t timer = make_timer(clock);
    int64_t begin = now_ns(clock);
    start(timer, 30 * kMs, 10 * kMs);
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t info{};
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
    EXPECT_EQ(SI_TIMER, info.si_code);
    EXPECT_GE(now_ns(clock) - begin, 30 * kMs - kTick);
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
    EXPECT_GE(now_ns(clock) - begin, 40 * kMs - kTick);
    EXPECT_OK(kill(pid, SIGKILL));
    siginfo_t ended{};
    EXPECT_OK(waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT));
    itimerspec setting = spec(1000 * kMs);
    EXPECT_OK(timer_settime(timer, 0, &setting, nullptr)) << "a zombie still has its clock";
    EXPECT_EQ(1000 * kMs, left(timer));
    wait_for(pid);
    EXPECT_ERRNO(ESRCH, timer_settime(timer, 0, &setting, nullptr));
    EXPECT_EQ(0, left(timer));
    timespec now{};
    EXPECT_ERRNO(EINVAL, clock_gettime(clock, &now));
    EXPECT_OK(timer_delete(timer));
}

TEST(CpuPosixTimer, OverrunsAreCounted) {  // S06
    block({SIGRTMIN});
    timer_t timer = make_timer(kThread);
    start(timer, kMs, kMs);
    work_for(60 * kMs);
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t info{};
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
    EXPECT_GE(info.si_overrun, 30);
    EXPECT_EQ(info.si_overrun, timer_getoverrun(timer));
    EXPECT_OK(timer_delete(timer));
}

TEST(CpuPosixTimer, AbsoluteTimesAndDisarming) {  // S06
    count_signals(SIGRTMIN);
    timer_t timer = make_timer(kProcess);
    start(timer, 1, 0, TIMER_ABSTIME);
    EXPECT_EQ(1, received(SIGRTMIN)) << "long past: at once";
    EXPECT_EQ(0, left(timer));
    int64_t when = now_ns(kProcess) + 20 * kMs;
    start(timer, when, 0, TIMER_ABSTIME);
    while (received(SIGRTMIN) == 1) {
        work();
    }
    EXPECT_GE(now_ns(kProcess), when);
    start(timer, 3600'000 * kMs);
    itimerspec off{};
    itimerspec old{};
    ASSERT_OK(timer_settime(timer, 0, &off, &old));
    EXPECT_GT(old.it_value.tv_sec, 3500);
    EXPECT_EQ(0, left(timer));
    timer_t silent = make_timer(kProcess, 0, SIGEV_NONE);
    start(silent, kMs);
    work_for(20 * kMs);
    EXPECT_EQ(0, left(silent));
    start(silent, kMs, 3600'000 * kMs);
    work_for(20 * kMs);
    EXPECT_GT(left(silent), 3500'000 * kMs);
}

TEST(CpuPosixTimer, ForkAndExecDeleteIt) {  // F03 E13
    timer_t timer = make_timer(kProcess, SIGALRM);
    start(timer, 50 * kMs);
    child([timer] {
        itimerspec setting{};
        EXPECT_ERRNO(EINVAL, timer_gettime(timer, &setting));
        work_for(100 * kMs);
    });
    start(timer, 0);
    EXPECT_ENDS("exit 0", run_child([] {
                    start(make_timer(kProcess, SIGALRM), 50 * kMs);
                    start(make_timer(kThread, SIGALRM), 50 * kMs);
                    exec_self("work_150_ms");
                }));
}

TEST(CpuPosixTimer, NumbersOfClocks) {
    auto number = [](unsigned id, int kind) { return static_cast<clockid_t>(~id << 3 | static_cast<unsigned>(kind)); };
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    const std::vector<std::pair<std::string, unsigned>> ids = {
        {"own", 0}, {"none", 0x3fffff}, {"child", static_cast<unsigned>(pid)}};
    for (const auto& [name, id] : ids) {
        for (int kind = 0; kind < 8; kind++) {
            clockid_t clock = number(id, kind);
            auto outcome = [](long result) { return result == 0 ? std::string("ok") : errno_name(errno); };
            timespec time{};
            int timer = 0;
            timespec grain{};
            std::string text = "clock of " + name + " " + std::to_string(kind) + ":";
            text += " " + outcome(syscall(SYS_clock_gettime, clock, &time));
            text += " " + outcome(syscall(SYS_clock_getres, clock, &grain));
            text += grain.tv_nsec > 1 ? " coarse" : " fine";
            text += " " + outcome(syscall(SYS_clock_settime, clock, &time));
            text += " " + outcome(syscall(SYS_timer_create, clock, nullptr, &timer));
            note(text);
        }
    }
    for (int clock = 0; clock < 13; clock++) {
        int timer = 0;
        if (clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM) {  // need a clock that wakes machines
            long result = syscall(SYS_timer_create, clock, nullptr, &timer);
            note("timer on clock " + std::to_string(clock) + ": " + (result == 0 ? "ok" : errno_name(errno)));
        }
    }
    end.open();
    wait_for(pid);
}

TEST(CpuSleep, LastsUntilOthersHaveWorked) {
    std::atomic<bool> end{false};
    std::thread worker([&] {
        while (!end) {
            work();
        }
    });
    int64_t begin = now_ns(kProcess);
    timespec length{0, 30 * kMs};
    EXPECT_EQ(0, clock_nanosleep(kProcess, 0, &length, nullptr));
    EXPECT_GE(now_ns(kProcess) - begin, 30 * kMs);
    int64_t when = now_ns(kProcess) + 30 * kMs;
    timespec at{when / 1'000'000'000, when % 1'000'000'000};
    EXPECT_EQ(0, clock_nanosleep(kProcess, TIMER_ABSTIME, &at, nullptr));
    EXPECT_GE(now_ns(kProcess), when);
    clockid_t clock{};
    ASSERT_EQ(0, pthread_getcpuclockid(worker.native_handle(), &clock));
    begin = now_ns(clock);
    EXPECT_EQ(0, clock_nanosleep(clock, 0, &length, nullptr));
    EXPECT_GE(now_ns(clock) - begin, 30 * kMs);
    end = true;
    worker.join();
    timespec past{0, 1};
    EXPECT_EQ(0, clock_nanosleep(kProcess, TIMER_ABSTIME, &past, nullptr));
    timespec none{};
    EXPECT_EQ(0, clock_nanosleep(kProcess, 0, &none, nullptr));
}

TEST(CpuSleep, OnAnotherProcess) {
    pid_t pid = start_child([] { work_for_ever(); });
    clockid_t clock{};
    ASSERT_EQ(0, clock_getcpuclockid(pid, &clock));
    int64_t begin = now_ns(clock);
    timespec length{0, 30 * kMs};
    EXPECT_EQ(0, clock_nanosleep(clock, 0, &length, nullptr));
    EXPECT_GE(now_ns(clock) - begin, 30 * kMs);
    kill(pid, SIGKILL);
    wait_for(pid);
    EXPECT_EQ(EINVAL, clock_nanosleep(clock, 0, &length, nullptr));
}

TEST(CpuSleep, IsInterrupted) {  // S03
    handle(SIGALRM, [](int) {});
    itimerval often{{0, 5000}, {0, 5000}};
    ASSERT_OK(setitimer(ITIMER_REAL, &often, nullptr));
    timespec hour{3600, 0};
    timespec rest{};
    EXPECT_EQ(EINTR, clock_nanosleep(kProcess, 0, &hour, &rest));
    EXPECT_GT(rest.tv_sec, 3500);
    EXPECT_LE(rest.tv_sec, 3600);
    EXPECT_EQ(EINTR, clock_nanosleep(kProcess, TIMER_ABSTIME, &hour, nullptr));
}

TEST(CpuSleep, Errors) {
    timespec length{0, 1};
    auto sleep = [&](clockid_t clock) { return syscall(SYS_clock_nanosleep, clock, 0, &length, nullptr); };
    EXPECT_ERRNO(EOPNOTSUPP, sleep(kThread));
    clockid_t own{};
    ASSERT_EQ(0, pthread_getcpuclockid(pthread_self(), &own));
    EXPECT_ERRNO(EINVAL, sleep(own)) << "one's own thread's, which stands still meanwhile";
    EXPECT_ERRNO(EOPNOTSUPP, sleep(CLOCK_MONOTONIC_RAW));
    EXPECT_ERRNO(EOPNOTSUPP, sleep(CLOCK_MONOTONIC_COARSE));
    EXPECT_ERRNO(EINVAL, sleep(99));
    length.tv_nsec = 1'000'000'000;
    EXPECT_ERRNO(EINVAL, sleep(kProcess));
}

TEST(Usage, UserAndSystemTimeNeverGoBack) {
    // Another thread's system calls are system time also while they last.
    std::atomic<bool> end{false};
    std::thread worker([&] {
        std::vector<char> buffer(1 << 20);
        int zero = open("/dev/zero", O_RDONLY);
        while (!end) {
            EXPECT_GT(read(zero, buffer.data(), buffer.size()), 0);
        }
    });
    int64_t user = 0;
    int64_t system = 0;
    for (int64_t until = now_ns() + 100 * kMs; now_ns() < until;) {
        rusage usage{};
        ASSERT_OK(getrusage(RUSAGE_SELF, &usage));
        ASSERT_GE(ns(usage.ru_utime), user);
        ASSERT_GE(ns(usage.ru_stime), system);
        user = ns(usage.ru_utime);
        system = ns(usage.ru_stime);
    }
    end = true;
    worker.join();
}

TEST(Usage, TellsUserModeFromTheKernel) {
    auto used = [](auto what) {
        rusage before{};
        rusage after{};
        EXPECT_OK(getrusage(RUSAGE_SELF, &before));
        for (int64_t until = now_ns(kProcess) + 300 * kMs; now_ns(kProcess) < until;) {
            what();
        }
        EXPECT_OK(getrusage(RUSAGE_SELF, &after));
        return std::pair(ns(after.ru_utime) - ns(before.ru_utime), ns(after.ru_stime) - ns(before.ru_stime));
    };
    const auto [user, little_system] = used(work);
    EXPECT_GT(user, 4 * little_system);
    std::vector<char> buffer(1 << 20);
    int zero = open("/dev/zero", O_RDONLY);
    const auto [little_user, system] = used([&] { EXPECT_GT(read(zero, buffer.data(), buffer.size()), 0); });
    EXPECT_GT(system, 4 * little_user);
}
