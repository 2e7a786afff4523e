// Clocks, sleeps, itimers, POSIX timers, timerfd. Rules S06 and E13. Nothing here may fail for being slow: only
// what came too early is wrong.
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

constexpr int64_t kMs = 1'000'000;

itimerspec spec(int64_t first, int64_t every) {
    return {{every / 1'000'000'000, every % 1'000'000'000}, {first / 1'000'000'000, first % 1'000'000'000}};
}

// Whether the check holds in one of twenty tries.
bool succeeds_once(const std::function<bool()>& check) {
    for (int i = 0; i < 20; i++) {
        if (check()) {
            return true;
        }
    }
    return false;
}

timer_t make_timer(int signal, clockid_t clock = CLOCK_MONOTONIC, int value = 0) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = value;
    timer_t timer{};
    EXPECT_OK(timer_create(clock, &event, &timer));
    return timer;
}

uint64_t read_count(int file) {
    uint64_t count = 0;
    EXPECT_EQ(8, read(file, &count, 8)) << errno_name(errno);
    return count;
}

}  // namespace

TEST(Clock, AllOfThemRun) {
    for (clockid_t clock :
         {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
          CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI}) {
        timespec now{};
        EXPECT_OK(clock_gettime(clock, &now)) << clock;
        EXPECT_OK(syscall(SYS_clock_gettime, clock, &now)) << clock;
        EXPECT_LT(now.tv_nsec, 1'000'000'000);
        timespec grain{};
        EXPECT_OK(clock_getres(clock, &grain));
        note(std::to_string(clock) +
             " grain below 11 ms: " + (grain.tv_sec == 0 && grain.tv_nsec < 11'000'000 ? "yes" : "no"));
    }
    timespec now{};
    EXPECT_ERRNO(EINVAL, clock_gettime(99, &now));
    EXPECT_ERRNO(EFAULT, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8));
    EXPECT_OK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, nullptr));
}

TEST(Clock, NeverGoesBack) {
    auto watch = [](clockid_t clock) {
        int64_t last = 0;
        for (int i = 0; i < 20'000; i++) {
            int64_t now = now_ns(clock);
            ASSERT_GE(now, last);
            last = now;
        }
    };
    watch(CLOCK_MONOTONIC);
    std::thread other([&] { watch(CLOCK_MONOTONIC); });
    watch(CLOCK_BOOTTIME);
    watch(CLOCK_MONOTONIC_RAW);
    other.join();
}

TEST(Clock, IsTheSameOnEveryCpu) {
    static std::atomic<int64_t> latest{0};
    auto watch = [] {
        for (int i = 0; i < 5000; i++) {
            int64_t seen = latest;
            int64_t now = now_ns();
            ASSERT_GE(now, seen);
            while (seen < now && !latest.compare_exchange_weak(seen, now)) {
            }
        }
    };
    std::thread a(watch);
    std::thread b(watch);
    watch();
    a.join();
    b.join();
}

TEST(Clock, ReadWithoutASystemCallAgreesWithOne) {
    for (int i = 0; i < 100; i++) {
        timespec one{};
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &one);
        int64_t first = one.tv_sec * 1'000'000'000 + one.tv_nsec;
        int64_t second = now_ns();
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &one);
        int64_t third = one.tv_sec * 1'000'000'000 + one.tv_nsec;
        ASSERT_LE(first, second);
        ASSERT_LE(second, third);
    }
}

TEST(Clock, TimeAndGettimeofday) {
    timeval tv{};
    ASSERT_OK(gettimeofday(&tv, nullptr));
    time_t t = time(nullptr);
    EXPECT_LE(t - tv.tv_sec, 5);
    EXPECT_GE(t - tv.tv_sec, -1);
    time_t stored = 0;
    EXPECT_EQ(syscall(SYS_time, &stored), stored);
    EXPECT_GT(t, 1'600'000'000) << "the machine knows the date";
    EXPECT_ERRNO(EFAULT, syscall(SYS_gettimeofday, 8, 0));
}

TEST(Clock, CpuTimeCountsWorkNotSleep) {
    // A machine whose CPUs are taken away now and then counts that as work: one sleep of several must be cheap.
    int64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    EXPECT_TRUE(succeeds_once([] {
        int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        sleep_ms(30);
        return now_ns(CLOCK_PROCESS_CPUTIME_ID) - before < 25 * kMs;
    }));
    clockid_t clock;
    ASSERT_EQ(0, clock_getcpuclockid(0, &clock));
    EXPECT_OK(syscall(SYS_clock_gettime, clock, nullptr) == -1 && errno == EFAULT ? 0 : -1);
    EXPECT_EQ(ESRCH, clock_getcpuclockid(0x3fffff, &clock));
    EXPECT_TRUE(succeeds_once([] {
        int64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
        std::thread([] {
            int64_t until = now_ns(CLOCK_THREAD_CPUTIME_ID) + 20 * kMs;
            while (now_ns(CLOCK_THREAD_CPUTIME_ID) < until) {
            }
        }).join();
        return now_ns(CLOCK_THREAD_CPUTIME_ID) - before < 15 * kMs;
    }));
    EXPECT_GE(now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin, 20 * kMs) << "the process counts all threads";
}

TEST(Clock, SettingNeedsPrivilege) {
    as_user(1000, [] {
        timespec now{1'000'000'000, 0};
        EXPECT_ERRNO(EPERM, clock_settime(CLOCK_REALTIME, &now));
    });
    timespec now{1, 0};
    EXPECT_ERRNO(EINVAL, clock_settime(CLOCK_MONOTONIC, &now));
}

TEST(Sleep, LastsAtLeastAsAsked) {
    for (int64_t length : {0L, 1L, 1000L, kMs, 20 * kMs}) {
        int64_t begin = now_ns();
        timespec one{0, length};
        EXPECT_OK(nanosleep(&one, nullptr));
        EXPECT_GE(now_ns() - begin, length);
    }
    timespec wrong{0, 1'000'000'000};
    EXPECT_ERRNO(EINVAL, nanosleep(&wrong, nullptr));
    wrong = {-1, 0};
    EXPECT_ERRNO(EINVAL, nanosleep(&wrong, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_nanosleep, 8, 0));
}

TEST(Sleep, UntilAPointInTime) {
    int64_t when = now_ns() + 20 * kMs;
    timespec at{when / 1'000'000'000, when % 1'000'000'000};
    EXPECT_EQ(0, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr));
    EXPECT_GE(now_ns(), when);
    at = {1, 0};
    EXPECT_EQ(0, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr)) << "long past";
    EXPECT_EQ(0, clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, nullptr));
    EXPECT_EQ(EINVAL, clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &at, nullptr));
}

TEST(Alarm, RingsAndTellsWhatIsLeft) {  // S06
    EXPECT_EQ(0u, alarm(1000));
    unsigned left = alarm(0);
    EXPECT_GE(left, 900u);
    EXPECT_LE(left, 1000u);
    count_signals(SIGALRM);
    ualarm(1000, 0);
    wait_until_received(SIGALRM, 1);
    EXPECT_EQ(1, received(SIGALRM));
}

TEST(Itimer, RealRepeats) {  // S06
    count_signals(SIGALRM);
    itimerval timer{{0, 2000}, {0, 2000}};
    int64_t begin = now_ns();
    ASSERT_OK(setitimer(ITIMER_REAL, &timer, nullptr));
    while (received(SIGALRM) < 5) {
        pause();
    }
    EXPECT_GE(now_ns() - begin, 10 * kMs);
    itimerval old{};
    timer = {};
    ASSERT_OK(setitimer(ITIMER_REAL, &timer, &old));
    EXPECT_EQ(2000, old.it_interval.tv_usec);
    ASSERT_OK(getitimer(ITIMER_REAL, &old));
    EXPECT_EQ(0, old.it_value.tv_usec);
}

TEST(Itimer, VirtualAndProfCountCpuTime) {  // S06
    count_signals(SIGVTALRM);
    count_signals(SIGPROF);
    itimerval timer{{0, 0}, {0, 40'000}};
    EXPECT_TRUE(succeeds_once([&] {
        int before = received(SIGVTALRM) + received(SIGPROF);
        EXPECT_OK(setitimer(ITIMER_VIRTUAL, &timer, nullptr));
        EXPECT_OK(setitimer(ITIMER_PROF, &timer, nullptr));
        sleep_ms(60);
        return received(SIGVTALRM) + received(SIGPROF) == before;
    })) << "asleep no time is used";
    while (received(SIGVTALRM) == 0 || received(SIGPROF) == 0) {
    }
}

TEST(Itimer, Errors) {  // S06
    itimerval timer{{0, 0}, {0, 1'000'000}};
    EXPECT_ERRNO(EINVAL, setitimer(ITIMER_REAL, &timer, nullptr));
    EXPECT_ERRNO(EINVAL, syscall(SYS_setitimer, 9, &timer, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_setitimer, ITIMER_REAL, 8, nullptr));
}

TEST(PosixTimer, SignalsWithItsValue) {  // S06
    static siginfo_t seen;
    static volatile bool rung;
    handle_info(SIGRTMIN, [](int, siginfo_t* info, void*) {
        seen = *info;
        rung = true;
    });
    timer_t timer = make_timer(SIGRTMIN, CLOCK_MONOTONIC, 4711);
    itimerspec soon = spec(5 * kMs, 0);
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    while (!rung) {
        pause();
    }
    EXPECT_EQ(SI_TIMER, seen.si_code);
    EXPECT_EQ(4711, seen.si_value.sival_int);
    EXPECT_EQ(0, seen.si_overrun);
    itimerspec left{};
    ASSERT_OK(timer_gettime(timer, &left));
    EXPECT_EQ(0, left.it_value.tv_sec + left.it_value.tv_nsec);
    EXPECT_OK(timer_delete(timer));
    EXPECT_ERRNO(EINVAL, timer_delete(timer));
}

TEST(PosixTimer, OverrunsAreCounted) {  // S06
    block({SIGRTMIN});
    timer_t timer = make_timer(SIGRTMIN);
    itimerspec often = spec(kMs, kMs);
    ASSERT_OK(timer_settime(timer, 0, &often, nullptr));
    sleep_ms(30);
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t info{};
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
    EXPECT_GE(info.si_overrun, 20);
    EXPECT_EQ(info.si_overrun, timer_getoverrun(timer));
    timer_delete(timer);
}

TEST(PosixTimer, AbsoluteAndDisarm) {  // S06
    count_signals(SIGRTMIN);
    timer_t timer = make_timer(SIGRTMIN);
    itimerspec past = spec(kMs, 0);
    ASSERT_OK(timer_settime(timer, TIMER_ABSTIME, &past, nullptr));
    wait_until_received(SIGRTMIN, 1);
    itimerspec hour = spec(3600'000 * kMs, 0);
    ASSERT_OK(timer_settime(timer, 0, &hour, nullptr));
    itimerspec off{};
    itimerspec old{};
    ASSERT_OK(timer_settime(timer, 0, &off, &old));
    EXPECT_GT(old.it_value.tv_sec, 3500);
    ASSERT_OK(timer_gettime(timer, &old));
    EXPECT_EQ(0, old.it_value.tv_sec);
}

TEST(PosixTimer, KindsOfNotification) {  // S06
    sigevent event{};
    event.sigev_notify = SIGEV_NONE;
    timer_t timer{};
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    itimerspec soon = spec(kMs, 0);
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    itimerspec left = spec(1, 0);
    while (left.it_value.tv_nsec != 0) {
        ASSERT_OK(timer_gettime(timer, &left));
    }
    // To one thread.
    static std::atomic<pid_t> taker;
    handle(SIGRTMIN, [](int) { taker = static_cast<pid_t>(syscall(SYS_gettid)); });
    std::thread([&] {
        auto tid = static_cast<pid_t>(syscall(SYS_gettid));
        sigevent to_thread{};
        to_thread.sigev_notify = SIGEV_THREAD_ID;
        to_thread.sigev_signo = SIGRTMIN;
        to_thread._sigev_un._tid = tid;
        timer_t own{};
        ASSERT_OK(timer_create(CLOCK_MONOTONIC, &to_thread, &own));
        ASSERT_OK(timer_settime(own, 0, &soon, nullptr));
        while (taker == 0) {
            sleep_ms(1);
        }
        EXPECT_EQ(tid, taker);
        timer_delete(own);
    }).join();
}

TEST(PosixTimer, OfCpuTime) {  // S06
    count_signals(SIGRTMIN);
    timer_t timer = make_timer(SIGRTMIN, CLOCK_PROCESS_CPUTIME_ID);
    itimerspec soon = spec(10 * kMs, 0);
    int64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    while (received(SIGRTMIN) == 0) {
    }
    EXPECT_GE(now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin, 9 * kMs);
}

TEST(PosixTimer, Errors) {  // S06
    timer_t timer{};
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_create, 99, nullptr, &timer));
    sigevent event{};
    event.sigev_notify = 77;
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timer_create, CLOCK_MONOTONIC, nullptr, 8));
    timer = make_timer(SIGRTMIN);
    itimerspec wrong = {{0, 0}, {0, 1'000'000'000}};
    EXPECT_ERRNO(EINVAL, timer_settime(timer, 0, &wrong, nullptr));
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_gettime, 12345, &wrong));
}

TEST(Timerfd, CountsExpirations) {  // S06
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    ASSERT_OK(file);
    itimerspec often = spec(2 * kMs, 2 * kMs);
    ASSERT_OK(timerfd_settime(file, 0, &often, nullptr));
    EXPECT_GE(read_count(file), 1u);
    sleep_ms(20);
    EXPECT_GE(read_count(file), 5u);
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, -1));
    itimerspec off{};
    itimerspec old{};
    ASSERT_OK(timerfd_settime(file, 0, &off, &old));
    EXPECT_EQ(2 * kMs, old.it_interval.tv_nsec);
    EXPECT_EQ(0, poll(&one, 1, 0)) << "disarming forgets what was not read";
}

TEST(Timerfd, NonblockingAndAbsolute) {  // S06
    int file = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    uint64_t count = 0;
    EXPECT_ERRNO(EAGAIN, read(file, &count, 8));
    itimerspec past = spec(kMs, 0);
    ASSERT_OK(timerfd_settime(file, TFD_TIMER_ABSTIME, &past, nullptr));
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, -1));
    EXPECT_EQ(1u, read_count(file));
    EXPECT_ERRNO(EINVAL, read(file, &count, 7));
    itimerspec left{};
    ASSERT_OK(timerfd_gettime(file, &left));
    EXPECT_EQ(0, left.it_value.tv_nsec);
    EXPECT_ERRNO(EINVAL, timerfd_create(99, 0));
    EXPECT_ERRNO(EINVAL, timerfd_create(CLOCK_MONOTONIC, 1));
    EXPECT_ERRNO(EINVAL, timerfd_gettime(0, &left));
    EXPECT_ERRNO(EINVAL, write(file, &count, 8));
}

TEST(Usage, TimesAndGetrusage) {
    tms used{};
    clock_t begin = times(&used);
    EXPECT_NE(static_cast<clock_t>(-1), begin);
    int64_t until = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 60 * kMs;
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < until) {
    }
    tms after{};
    times(&after);
    EXPECT_GE(after.tms_utime + after.tms_stime - used.tms_utime - used.tms_stime, 3);
    rusage usage{};
    ASSERT_OK(getrusage(RUSAGE_SELF, &usage));
    EXPECT_GE(usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec, 50'000);
    EXPECT_GT(usage.ru_maxrss, 100);
    EXPECT_GT(usage.ru_minflt, 0);
    ASSERT_OK(getrusage(RUSAGE_THREAD, &usage));
    EXPECT_ERRNO(EINVAL, getrusage(static_cast<__rusage_who>(5), &usage));
}

TEST(Usage, AdjtimexReads) {
    timex state{};
    EXPECT_OK(adjtimex(&state));
    EXPECT_GT(state.tick, 8000);
    // As glibc's adjtime(3) asks what of its last adjustment is left; everybody may.
    state = {};
    state.modes = ADJ_OFFSET_SS_READ;
    EXPECT_OK(adjtimex(&state));
    EXPECT_EQ(unsigned{ADJ_OFFSET_SS_READ}, state.modes);
    EXPECT_EQ(0, state.offset);
    timeval left{1, 1};
    EXPECT_OK(adjtime(nullptr, &left));
    EXPECT_EQ(0, left.tv_sec);
    EXPECT_EQ(0, left.tv_usec);
    // Nothing to adjust by: that ends an adjustment under way.
    const timeval nothing{};
    left = {1, 1};
    EXPECT_OK(adjtime(&nothing, &left));
    EXPECT_EQ(0, left.tv_usec);
    child([&] {
        become_user(40001, 40001);
        EXPECT_ERRNO(EPERM, adjtime(&nothing, &left));
        EXPECT_OK(adjtime(nullptr, &left));
    });
    state.modes = 0x8000;
    EXPECT_ERRNO(EINVAL, adjtimex(&state));
}
