// POSIX timers, timerfd and interval timers: what each call tells and refuses. Rule S06.
#include <sys/timerfd.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

timer_t make_timer(clockid_t clock = CLOCK_MONOTONIC, int notify = SIGEV_NONE, int signal = 0) {
    sigevent event{};
    event.sigev_notify = notify;
    event.sigev_signo = signal;
    timer_t timer{};
    EXPECT_OK(timer_create(clock, &event, &timer));
    return timer;
}

itimerspec in(time_t seconds, long nanoseconds = 0, time_t every = 0) {
    return {{every, 0}, {seconds, nanoseconds}};
}

uint64_t expirations(int file) {
    uint64_t count = 0;
    return read(file, &count, 8) == 8 ? count : 0;
}

}  // namespace

TEST(TimerRule, SettimeTellsWhatWasLeft) {  // S06
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1);
    itimerspec first = in(1000, 0, 5);
    itimerspec old{};
    ASSERT_OK(timer_settime(timer, 0, &first, &old));
    EXPECT_EQ(0, old.it_value.tv_sec);
    itimerspec none{};
    ASSERT_OK(timer_settime(timer, 0, &none, &old));
    EXPECT_GE(old.it_value.tv_sec, 990);
    EXPECT_EQ(5, old.it_interval.tv_sec);
    ASSERT_OK(timer_gettime(timer, &old));
    EXPECT_EQ(0, old.it_value.tv_sec) << "disarmed";
}

TEST(TimerRule, SilentTimerRunsOut) {  // S06
    timer_t timer = make_timer();
    itimerspec soon = in(0, 1);
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    itimerspec now{};
    do {
        ASSERT_OK(timer_gettime(timer, &now));
    } while (now.it_value.tv_sec != 0 || now.it_value.tv_nsec != 0);
}

TEST(TimerRule, IntervalWithoutValueIsDisarmed) {  // S06
    timer_t timer = make_timer();
    itimerspec odd{{5, 0}, {0, 0}};
    ASSERT_OK(timer_settime(timer, 0, &odd, nullptr));
    itimerspec now{};
    ASSERT_OK(timer_gettime(timer, &now));
    EXPECT_EQ(0, now.it_value.tv_sec);
}

TEST(TimerRule, AbsoluteTimeInThePastIsAtOnce) {  // S06
    block({SIGRTMIN});
    timer_t timer = make_timer(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN);
    itimerspec past = in(1);
    ASSERT_OK(timer_settime(timer, TIMER_ABSTIME, &past, nullptr));
    sigset_t set = set_of({SIGRTMIN});
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, nullptr));
}

TEST(TimerRule, DeletionTakesItsPendingSignalAway) {  // S06
    block({SIGRTMIN});
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
    itimerspec soon = in(0, 1);
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    sigset_t pending{};
    do {
        sigpending(&pending);
    } while (!sigismember(&pending, SIGRTMIN));
    ASSERT_OK(timer_delete(timer));
    sigset_t set = set_of({SIGRTMIN});
    timespec none{0, 0};
    EXPECT_ERRNO(EAGAIN, sigtimedwait(&set, nullptr, &none));
}

TEST(TimerRule, NewTimeTakesItsPendingSignalAway) {  // S06
    block({SIGRTMIN});
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
    itimerspec soon = in(0, 1);
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    sigset_t pending{};
    do {
        sigpending(&pending);
    } while (!sigismember(&pending, SIGRTMIN));
    itimerspec later = in(1000);
    ASSERT_OK(timer_settime(timer, 0, &later, nullptr));
    sigset_t set = set_of({SIGRTMIN});
    timespec none{0, 0};
    EXPECT_ERRNO(EAGAIN, sigtimedwait(&set, nullptr, &none));
}

TEST(TimerRule, IgnoredSignalDoesNotStopATimer) {  // S06
    handle(SIGRTMIN, SIG_IGN);
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
    itimerspec every{{0, 1'000'000}, {0, 1'000'000}};
    ASSERT_OK(timer_settime(timer, 0, &every, nullptr));
    sleep_ms(5);
    count_signals(SIGRTMIN);
    wait_until_received(SIGRTMIN, 2);
}

TEST(TimerRule, ThreadTimerReachesItsThreadOnly) {  // S06
    block({SIGRTMIN});
    std::thread([] {
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = SIGRTMIN;
        event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
        timer_t timer{};
        ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
        itimerspec soon = in(0, 1);
        ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
        sigset_t set = set_of({SIGRTMIN});
        EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, nullptr));
    }).join();
    sigset_t pending{};
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGRTMIN));
}

TEST(TimerRule, CreateErrors) {  // S06
    sigevent event{};
    timer_t timer{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 0;
    EXPECT_ERRNO(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer)) << "signal 0";
    event.sigev_signo = 65;
    EXPECT_ERRNO(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer));
    event.sigev_signo = SIGUSR1;
    event.sigev_notify = 77;
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    event.sigev_notify = SIGEV_THREAD_ID;
    event._sigev_un._tid = 1;
    EXPECT_ERRNO(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer)) << "another process's thread";
    event.sigev_notify = SIGEV_NONE;
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_create, 77, &event, &timer));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &timer));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, 8));
}

TEST(TimerRule, OtherErrors) {  // S06
    timer_t timer = make_timer();
    int id = *reinterpret_cast<int*>(&timer);
    itimerspec bad{{0, 0}, {0, 1'000'000'000}};
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_settime, id, 0, &bad, nullptr));
    bad = {{0, 0}, {-1, 0}};
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_settime, id, 0, &bad, nullptr));
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_settime, id, 0, nullptr, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timer_settime, id, 0, 8, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timer_gettime, id, 8));
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_gettime, 9999, &bad));
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_getoverrun, 9999));
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_delete, 9999));
    EXPECT_OK(syscall(SYS_timer_delete, id));
    EXPECT_ERRNO(EINVAL, syscall(SYS_timer_delete, id)) << "twice";
}

TEST(TimerFileRule, GettimeOfAnIntervalTimer) {  // S06
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    itimerspec wish = in(1000, 0, 7);
    itimerspec old{};
    ASSERT_OK(timerfd_settime(file, 0, &wish, &old));
    EXPECT_EQ(0, old.it_value.tv_sec);
    ASSERT_OK(timerfd_gettime(file, &old));
    EXPECT_EQ(7, old.it_interval.tv_sec);
    EXPECT_GE(old.it_value.tv_sec, 990);
}

TEST(TimerFileRule, NewTimeForgetsExpirations) {  // S06
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    itimerspec soon = in(0, 1);
    ASSERT_OK(timerfd_settime(file, 0, &soon, nullptr));
    pollfd one{file, POLLIN, 0};
    ASSERT_EQ(1, poll(&one, 1, -1));
    itimerspec later = in(1000);
    ASSERT_OK(timerfd_settime(file, 0, &later, nullptr));
    EXPECT_EQ(0, poll(&one, 1, 0));
    EXPECT_EQ(0u, expirations(file));
}

TEST(TimerFileRule, ReadersOfCopiesShareTheCount) {  // S06
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int copy = dup(file);
    itimerspec soon = in(0, 1);
    ASSERT_OK(timerfd_settime(file, 0, &soon, nullptr));
    pollfd one{copy, POLLIN, 0};
    ASSERT_EQ(1, poll(&one, 1, -1));
    EXPECT_EQ(1u, expirations(copy));
    EXPECT_EQ(0u, expirations(file));
}

TEST(TimerFileRule, SurvivesForkAndGoesOn) {  // S06, F03
    int file = timerfd_create(CLOCK_MONOTONIC, 0);
    itimerspec soon = in(0, 10'000'000);
    ASSERT_OK(timerfd_settime(file, 0, &soon, nullptr));
    child([=] { EXPECT_EQ(1u, expirations(file)); });
}

TEST(TimerFileRule, Errors) {  // S06
    EXPECT_ERRNO(EINVAL, timerfd_create(CLOCK_MONOTONIC, 0x10));
    EXPECT_ERRNO(EINVAL, timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    int file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    itimerspec wish = in(0, 1'000'000'000);
    EXPECT_ERRNO(EINVAL, timerfd_settime(file, 0, &wish, nullptr));
    wish = in(1);
    EXPECT_ERRNO(EINVAL, timerfd_settime(file, 0x10, &wish, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timerfd_settime, file, 0, 8, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_timerfd_gettime, file, 8));
    EXPECT_ERRNO(EINVAL, timerfd_settime(1, 0, &wish, nullptr)) << "another kind of file";
    EXPECT_ERRNO(EBADF, timerfd_settime(600, 0, &wish, nullptr));
    uint64_t value = 1;
    EXPECT_ERRNO(EINVAL, write(file, &value, 8));
    EXPECT_ERRNO(EINVAL, read(file, &value, 7)) << "less than a number";
}

TEST(IntervalRule, AlarmAndItimerAreOne) {  // S06
    alarm(1000);
    itimerval now{};
    ASSERT_OK(getitimer(ITIMER_REAL, &now));
    EXPECT_GE(now.it_value.tv_sec, 990);
    itimerval none{};
    ASSERT_OK(setitimer(ITIMER_REAL, &none, &now));
    EXPECT_EQ(0u, alarm(0));
}

TEST(IntervalRule, NothingLeftIsNotToldOfARunningOne) {  // S06
    // alarm tells whole seconds, and never 0 of an alarm that is still to come.
    itimerval soon{{0, 0}, {100, 200'000}};
    ASSERT_OK(setitimer(ITIMER_REAL, &soon, nullptr));
    unsigned left = alarm(0);
    EXPECT_GE(left, 90u);
    EXPECT_LE(left, 101u);
    soon = {{0, 0}, {0, 400'000}};
    child([&] {
        block({SIGALRM});
        ASSERT_OK(setitimer(ITIMER_REAL, &soon, nullptr));
        unsigned tiny = alarm(0);
        sigset_t pending{};
        sigpending(&pending);
        EXPECT_TRUE(tiny == 1 || sigismember(&pending, SIGALRM)) << tiny;
    });
}

TEST(IntervalRule, Errors) {  // S06
    itimerval now{};
    EXPECT_ERRNO(EINVAL, syscall(SYS_getitimer, 3, &now));
    EXPECT_ERRNO(EINVAL, syscall(SYS_setitimer, -1, &now, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_getitimer, ITIMER_REAL, 8));
    now = {{0, 0}, {0, 1'000'000}};
    EXPECT_ERRNO(EINVAL, setitimer(ITIMER_REAL, &now, nullptr));
    now = {{0, 0}, {-1, 0}};
    EXPECT_ERRNO(EINVAL, setitimer(ITIMER_REAL, &now, nullptr));
    now = {{0, 0}, {1000, 0}};
    EXPECT_ERRNO(EFAULT, syscall(SYS_setitimer, ITIMER_REAL, &now, 8));
    ASSERT_OK(getitimer(ITIMER_REAL, &now));
    EXPECT_GT(now.it_value.tv_sec, 0) << "it was set all the same";
    EXPECT_OK(syscall(SYS_setitimer, ITIMER_REAL, nullptr, nullptr)) << "no new value: disarmed";
    ASSERT_OK(getitimer(ITIMER_REAL, &now));
    EXPECT_EQ(0, now.it_value.tv_sec);
}
