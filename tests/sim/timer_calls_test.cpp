/// What the calls of time do: clocks, sleeps, interval timers, POSIX timers, timer descriptors; and waiting for
/// descriptors and signals.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

/// struct timespec (or timeval) at a word; two of them are an interval and a value.
VirtualAddress time_at(UserMachine& u, u32 place, i64 seconds, i64 fraction) {
    const i64 time[] = {seconds, fraction};
    u.store(word(place), time);
    return word(place);
}
VirtualAddress setting(UserMachine& u, i64 interval, i64 value) {
    const i64 times[] = {0, interval, 0, value};
    u.store(word(60), times);
    return word(60);
}
i64 now(UserMachine& u, int clock) {
    expect(u, 0, SYS_clock_gettime, clock, word(70));
    return u.load<i64>(word(70)) * 1'000'000'000 + u.load<i64>(word(70) + 8);
}
void count(UserMachine& h) {
    ++board.words[h.argument(0) % std::size(board.words)];
}

TEST(TimerCalls, ClocksAndSleeps) {
    check_calls("clock_gettime, clock_nanosleep", [](UserMachine& u) {
        for (int clock : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11}) {
            expect(u, 0, SYS_clock_gettime, clock, word(0));
            expect(u, 0, SYS_clock_getres, clock, word(0));
        }
        expect(u, -EINVAL, SYS_clock_gettime, 10, word(0));
        expect(u, -EFAULT, SYS_clock_gettime, 0, 8);
        expect(u, 0, SYS_clock_gettime, ~u.syscall(SYS_getpid) << 3 | 2, word(0));  // a process's CPU time
        expect(u, -EINVAL, SYS_clock_gettime, ~i64{29'999} << 3 | 2, word(0));
        const i64 start = now(u, CLOCK_MONOTONIC);
        expect(u, 0, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, time_at(u, 0, 1, 0), 0);
        require(now(u, CLOCK_MONOTONIC) >= start + 1'000'000'000, "a sleep was too short");
        expect(u, 0, SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, time_at(u, 0, 0, 1), 0);
        expect(u, 0, SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, time_at(u, 0, 1, 1), 0);
        expect(u, -EOPNOTSUPP, SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, time_at(u, 0, 0, 1), 0);
        expect(u, -EINVAL, SYS_clock_nanosleep, 10, 0, time_at(u, 0, 0, 1), 0);
        expect(u, -EINVAL, SYS_nanosleep, time_at(u, 0, 0, 1'000'000'000), 0);
        expect(u, -EFAULT, SYS_nanosleep, 8, 0);
        // An interrupted one tells what is left.
        set_handler(u, SIGALRM, address_of(count).value);
        const i64 timer[] = {0, 0, 0, 1000};
        u.store(word(4), timer);
        expect(u, 0, SYS_setitimer, ITIMER_REAL, word(4), 0);
        expect(u, -EINTR, SYS_nanosleep, time_at(u, 0, 10, 0), word(2));
        require(u.load<i64>(word(2)) == 9, "the rest of a sleep");
        // The wall clock is set by who may; waiting for a time of it ends then.
        const i64 before = now(u, CLOCK_MONOTONIC);
        for (int clock : {CLOCK_REALTIME, CLOCK_TAI}) {
            const i64 soon = now(u, clock) + 1'000'000;
            expect(u, 0, SYS_clock_nanosleep, clock, TIMER_ABSTIME,
                   time_at(u, 0, soon / 1'000'000'000, soon % 1'000'000'000), 0);
        }
        require(now(u, CLOCK_MONOTONIC) - before < 1'000'000'000, "an absolute sleep by clocks of the wall");
        expect(u, 0, SYS_clock_settime, CLOCK_REALTIME, time_at(u, 0, 2'000'000'000, 0));
        require(now(u, CLOCK_REALTIME) / 1'000'000'000 == 2'000'000'000, "clock_settime");
        expect(u, 0, SYS_settimeofday, time_at(u, 0, 2'000'000'100, 0), 0);
        expect(u, 0, SYS_gettimeofday, word(0), word(1) + 8);
        require(u.load<i64>(word(0)) == 2'000'000'100, "settimeofday");
        expect(u, 2'000'000'100, SYS_time, word(0));
        expect(u, -EINVAL, SYS_clock_settime, CLOCK_MONOTONIC, time_at(u, 0, 1, 0));
        for (i64 microseconds : {i64{1'000'000}, i64{-1}, INT64_MIN, INT64_MAX}) {
            expect(u, -EINVAL, SYS_settimeofday, time_at(u, 0, 1, microseconds), 0);
        }
        const u64 zeroes[26] = {};
        u.store(kBuffer, zeroes);
        expect(u, 5, SYS_adjtimex, kBuffer);  // TIME_ERROR: nobody keeps it right
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect(c, -EPERM, SYS_clock_settime, CLOCK_REALTIME, time_at(c, 0, 1, 0));
            expect(c, -EPERM, SYS_settimeofday, time_at(c, 0, 1, 0), 0);
            c.store<u32>(kBuffer, 1);
            expect(c, -EPERM, SYS_adjtimex, kBuffer);
            exit(c, 0);
        });
    });
}

TEST(TimerCalls, IntervalTimers) {
    check_calls("setitimer, alarm", [](UserMachine& u) {
        set_handler(u, SIGALRM, address_of(count).value);
        expect(u, 0, SYS_alarm, 100);
        expect(u, 100, SYS_alarm, 0);
        const i64 timer[] = {0, 1000, 0, 2000};
        u.store(word(0), timer);
        expect(u, 0, SYS_setitimer, ITIMER_REAL, word(0), 0);
        while (board.words[SIGALRM] < 3) {
            expect(u, -EINTR, SYS_pause);
        }
        expect(u, 0, SYS_getitimer, ITIMER_REAL, word(4));
        expect_memory<i64>(u, word(4) + 8, 1000);
        const i64 none[4] = {};
        u.store(word(0), none);
        expect(u, 0, SYS_setitimer, ITIMER_REAL, word(0), word(4));
        expect_memory<i64>(u, word(4) + 8, 1000);
        expect(u, 0, SYS_getitimer, ITIMER_REAL, word(4));
        expect_memory<i64>(u, word(4) + 24, 0);
        expect(u, -EINVAL, SYS_getitimer, 3, word(4));
        const i64 wrong[] = {0, 0, 0, 1'000'000};
        u.store(word(0), wrong);
        expect(u, -EINVAL, SYS_setitimer, ITIMER_REAL, word(0), 0);
        // Of processor time: only while it runs.
        set_handler(u, SIGVTALRM, address_of(count).value);
        set_handler(u, SIGPROF, address_of(count).value);
        const i64 soon[] = {0, 0, 0, 50};
        u.store(word(0), soon);
        expect(u, 0, SYS_setitimer, ITIMER_PROF, word(0), 0);
        expect(u, 0, SYS_setitimer, ITIMER_VIRTUAL, word(0), 0);
        while (board.words[SIGPROF] == 0) {
            u.syscall(SYS_sched_yield);
        }
        expect(u, 0, SYS_getitimer, ITIMER_PROF, word(4));
        expect_memory<i64>(u, word(4) + 24, 0);
    });
}

TEST(TimerCalls, PosixTimers) {
    check_calls("timer_create", [](UserMachine& u) {
        sigevent event = {};
        event.sigev_signo = 34;
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_value.sival_int = 55;
        u.store(kBuffer, event);
        expect(u, 0, SYS_timer_create, CLOCK_MONOTONIC, kBuffer, word(0));
        const i32 timer = u.load<i32>(word(0));
        // The signal waits, and counts what came after it.
        set_mask(u, SIG_BLOCK, bit(34));
        expect(u, 0, SYS_timer_settime, timer, 0, setting(u, 1'000'000, 1'000'000), 0);
        sleep_nanoseconds(u, 5'500'000, 5);
        u.store<u64>(word(2), bit(34));
        expect(u, 34, SYS_rt_sigtimedwait, word(2), kBuffer + 128, 0, 8);
        expect_memory<i32>(u, kBuffer + 128 + 8, SI_TIMER);
        expect_memory<i32>(u, kBuffer + 128 + 16, timer);
        expect_memory<i32>(u, kBuffer + 128 + 24, 55);
        require(u.syscall(SYS_timer_getoverrun, timer) >= 4, "overruns");
        expect(u, 0, SYS_timer_gettime, timer, word(4));
        expect_memory<i64>(u, word(4) + 8, 1'000'000);
        expect(u, 0, SYS_timer_settime, timer, 0, setting(u, 0, 0), word(4));
        expect_memory<i64>(u, word(4) + 8, 1'000'000);
        expect(u, -EINVAL, SYS_timer_settime, timer, 0, setting(u, 0, 2'000'000'000), 0);
        expect(u, -EINVAL, SYS_timer_settime, timer, 0, 0, 0);
        expect(u, 0, SYS_timer_settime, timer, TIMER_ABSTIME, setting(u, 0, 1), 0);  // at once
        expect(u, 34, SYS_rt_sigtimedwait, word(2), 0, 0, 8);
        // A tiny interval whose signal nobody takes leaves the CPU free, and every expiry counts.
        expect(u, 0, SYS_timer_settime, timer, 0, setting(u, 1, 1'000), 0);
        sleep_nanoseconds(u, 5'000'000);
        expect(u, 34, SYS_rt_sigtimedwait, word(2), kBuffer + 128, 0, 8);
        require(u.load<i32>(kBuffer + 128 + 20) >= 4'990, "overruns of the siginfo");
        expect(u, 0, SYS_timer_delete, timer);
        expect(u, -EINVAL, SYS_timer_delete, timer);
        expect(u, -EINVAL, SYS_timer_gettime, timer, word(4));
        expect(u, -EINVAL, SYS_timer_getoverrun, 9);
        event.sigev_signo = 65;
        u.store(kBuffer, event);
        expect(u, -EINVAL, SYS_timer_create, CLOCK_MONOTONIC, kBuffer, word(0));
        event.sigev_signo = 34;
        event.sigev_notify = SIGEV_THREAD_ID;
        event._sigev_un._tid = 1;
        u.store(kBuffer, event);
        expect(u, -EINVAL, SYS_timer_create, CLOCK_MONOTONIC, kBuffer, word(0));  // no thread of this process
        event._sigev_un._tid = static_cast<i32>(u.syscall(SYS_gettid));
        u.store(kBuffer, event);
        for (int clock : {CLOCK_REALTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_BOOTTIME}) {
            expect(u, 0, SYS_timer_create, clock, kBuffer, word(0));
            expect(u, 0, SYS_timer_settime, u.load<i32>(word(0)), 0, setting(u, 0, 1000), 0);
            while (u.syscall(SYS_rt_sigtimedwait, word(2), 0, time_at(u, 8, 0, 0), 8) != 34) {
                u.syscall(SYS_sched_yield);
            }
        }
        expect(u, -EINVAL, SYS_timer_create, 10, kBuffer, word(0));
        expect(u, 0, SYS_timer_create, CLOCK_MONOTONIC, 0, word(0));  // SIGALRM, unless told
        expect(u, -EFAULT, SYS_timer_create, CLOCK_MONOTONIC, kBuffer, 8);
    });
}

TEST(TimerCalls, TimerDescriptors) {
    check_calls("timerfd, eventfd, signalfd", [](UserMachine& u) {
        const i64 timer = check_made(u.syscall(SYS_timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK));
        expect(u, -EAGAIN, SYS_read, timer, kBuffer, 8);
        expect(u, 0, SYS_timerfd_settime, timer, 0, setting(u, 1'000'000, 1'000'000), 0);
        sleep_nanoseconds(u, 3'500'000, 5);
        expect(u, 8, SYS_read, timer, kBuffer, 8);
        require(u.load<u64>(kBuffer) >= 3, "expirations");
        expect(u, -EINVAL, SYS_read, timer, kBuffer, 7);
        expect(u, 0, SYS_timerfd_gettime, timer, word(0));
        expect_memory<i64>(u, word(0) + 8, 1'000'000);
        expect(u, 0, SYS_timerfd_settime, timer, 1, setting(u, 0, 1), word(0));
        // Long ago, and so as soon as the interrupt comes.
        const pollfd polled = {static_cast<i32>(timer), POLLIN, 0};
        u.store(kBuffer, polled);
        expect(u, 1, SYS_poll, kBuffer, 1, -1);
        expect(u, 8, SYS_read, timer, kBuffer, 8);
        expect(u, -EINVAL, SYS_timerfd_settime, timer, 64, setting(u, 0, 1), 0);
        expect(u, -EINVAL, SYS_timerfd_settime, 0, 0, setting(u, 0, 1), 0);
        expect(u, -EINVAL, SYS_timerfd_create, CLOCK_THREAD_CPUTIME_ID, 0);
        expect(u, -EINVAL, SYS_timerfd_create, CLOCK_MONOTONIC, 1);
        const i64 event = check_made(u.syscall(SYS_eventfd2, 3, O_NONBLOCK));
        expect(u, 8, SYS_read, event, kBuffer, 8);
        expect_memory<u64>(u, kBuffer, 3);
        expect(u, -EAGAIN, SYS_read, event, kBuffer, 8);
        u.store<u64>(kBuffer, ~u64{0} - 1);
        expect(u, 8, SYS_write, event, kBuffer, 8);
        u.store<u64>(kBuffer, 1);
        expect(u, -EAGAIN, SYS_write, event, kBuffer, 8);
        u.store<u64>(kBuffer, ~u64{0});
        expect(u, -EINVAL, SYS_write, event, kBuffer, 8);
        const i64 semaphore = check_made(u.syscall(SYS_eventfd2, 2, 1 | O_NONBLOCK));
        expect(u, 8, SYS_read, semaphore, kBuffer, 8);
        expect_memory<u64>(u, kBuffer, 1);
        expect(u, -EINVAL, SYS_eventfd2, 0, 2);
        set_mask(u, SIG_BLOCK, bit(SIGUSR1) | bit(34));
        u.store<u64>(kBuffer, bit(SIGUSR1) | bit(34));
        const i64 signals = check_made(u.syscall(SYS_signalfd4, -1, kBuffer, 8, O_NONBLOCK));
        expect(u, -EAGAIN, SYS_read, signals, kBuffer + 64, 128);
        expect(u, 0, SYS_kill, u.syscall(SYS_getpid), SIGUSR1);
        expect(u, 0, SYS_tgkill, u.syscall(SYS_getpid), u.syscall(SYS_gettid), 34);
        expect(u, 256, SYS_read, signals, kBuffer + 64, 512);
        expect_memory<u32>(u, kBuffer + 64 + 12, static_cast<u32>(u.syscall(SYS_getpid)));
        expect(u, -EINVAL, SYS_read, signals, kBuffer + 64, 100);
        expect(u, signals, SYS_signalfd4, signals, kBuffer, 8, 0);
        expect(u, -EINVAL, SYS_signalfd4, event, kBuffer, 8, 0);
        expect(u, -EINVAL, SYS_signalfd4, -1, kBuffer, 4, 0);
        expect(u, -EINVAL, SYS_signalfd4, -1, kBuffer, 8, 1);
    });
}

TEST(TimerCalls, WaitingForDescriptors) {
    check_calls("poll, select, epoll", [](UserMachine& u) {
        const Pipe ends = pipe(u, 0);
        const pollfd polled[] = {{static_cast<i32>(ends.reader), POLLIN, 0},
                                 {static_cast<i32>(ends.writer), POLLOUT, 0},
                                 {-1, POLLIN, 0},
                                 {99, POLLIN, 0}};
        u.store(kBuffer, polled);
        expect(u, 2, SYS_poll, kBuffer, 4, -1);
        expect_memory<i16>(u, kBuffer + 6, 0);
        expect_memory<i16>(u, kBuffer + 14, POLLOUT);
        expect_memory<i16>(u, kBuffer + 30, POLLNVAL);
        expect(u, 0, SYS_poll, kBuffer, 1, 5);
        expect(u, 0, SYS_ppoll, kBuffer, 1, time_at(u, 2, 0, 5000), 0, 8);
        expect_memory<i64>(u, word(2) + 8, 0);  // what is left of it
        expect(u, -EINVAL, SYS_ppoll, kBuffer, 1, time_at(u, 2, -1, 0), 0, 8);
        expect(u, -EFAULT, SYS_poll, 8, 1, 0);
        expect(u, -EINVAL, SYS_poll, kBuffer, ~0u, 0);
        const u64 both = u64{1} << ends.reader | u64{1} << ends.writer;
        const auto sets = [](UserMachine& c, u64 readable, u64 writable) {
            c.store<u64>(word(4), readable);
            c.store<u64>(word(5), writable);
        };
        sets(u, u64{1} << ends.reader, u64{1} << ends.writer);
        expect(u, 1, SYS_select, 64, word(4), word(5), 0, time_at(u, 2, 1, 0));
        expect_memory<u64>(u, word(4), 0);
        expect_memory<u64>(u, word(5), u64{1} << ends.writer);
        sets(u, u64{1} << ends.reader, 0);
        expect(u, 0, SYS_select, 64, word(4), 0, 0, time_at(u, 2, 0, 10));
        sets(u, u64{1} << 63, 0);
        expect(u, -EBADF, SYS_select, 64, word(4), 0, 0, time_at(u, 2, 0, 0));
        expect(u, -EINVAL, SYS_select, -1, word(4), 0, 0, 0);
        expect(u, 3, SYS_write, ends.writer, kBuffer, 3);
        sets(u, both, 0);
        const u64 mask[] = {0, 8};
        u.store(word(6), mask);
        expect(u, 1, SYS_pselect6, 64, word(4), 0, 0, 0, word(6));
        expect_memory<u64>(u, word(4), u64{1} << ends.reader);
        // epoll: level, edge, one shot; nesting and its limits.
        const i64 instance = check_made(u.syscall(SYS_epoll_create1, 0));
        const auto control = [](UserMachine& c, i64 fd, int operation, i64 what, u32 events) {
            epoll_event event = {};
            event.events = events;
            event.data.u64 = 77;
            c.store(word(8), event);
            return c.syscall(SYS_epoll_ctl, fd, operation, what, word(8));
        };
        check(control(u, instance, EPOLL_CTL_ADD, ends.reader, EPOLLIN), 0);
        check(control(u, instance, EPOLL_CTL_ADD, ends.reader, EPOLLIN), -EEXIST);
        check(control(u, instance, EPOLL_CTL_MOD, ends.writer, EPOLLIN), -ENOENT);
        check(control(u, instance, EPOLL_CTL_DEL, ends.writer, EPOLLIN), -ENOENT);
        check(control(u, instance, 9, ends.reader, EPOLLIN), -EINVAL);
        check(control(u, instance, EPOLL_CTL_ADD, instance, EPOLLIN), -EINVAL);
        check(control(u, instance, EPOLL_CTL_ADD, open_at(u, "/d/f", O_RDONLY), EPOLLIN), -EPERM);
        expect(u, 1, SYS_epoll_wait, instance, kBuffer, 4, -1);
        expect_memory<u32>(u, kBuffer, EPOLLIN);
        expect_memory<u64>(u, kBuffer + 4, 77);
        expect(u, 1, SYS_epoll_pwait, instance, kBuffer, 4, -1, 0, 8);
        check(control(u, instance, EPOLL_CTL_MOD, ends.reader, EPOLLIN | EPOLLONESHOT), 0);
        expect(u, 1, SYS_epoll_wait, instance, kBuffer, 4, 0);
        expect(u, 0, SYS_epoll_wait, instance, kBuffer, 4, 0);
        check(control(u, instance, EPOLL_CTL_MOD, ends.reader, EPOLLIN | EPOLLET), 0);
        expect(u, 1, SYS_epoll_pwait2, instance, kBuffer, 4, time_at(u, 2, 1, 0), 0, 8);
        expect(u, 0, SYS_epoll_pwait2, instance, kBuffer, 4, time_at(u, 2, 0, 1000), 0, 8);
        expect(u, -EINVAL, SYS_epoll_wait, instance, kBuffer, 0, 0);
        expect(u, -EINVAL, SYS_epoll_wait, ends.reader, kBuffer, 4, 0);
        const i64 outer = check_made(u.syscall(SYS_epoll_create, 1));
        check(control(u, outer, EPOLL_CTL_ADD, instance, EPOLLIN), 0);
        check(control(u, instance, EPOLL_CTL_ADD, outer, EPOLLIN), -ELOOP);
        expect(u, -EINVAL, SYS_epoll_create, 0);
        expect(u, -EINVAL, SYS_epoll_create1, 1);
        check(control(u, instance, EPOLL_CTL_DEL, ends.reader, 0), 0);
    });
}

TEST(TimerCalls, Signals) {
    check_calls("rt_sig..., queues", [](UserMachine& u) {
        const i64 self = u.syscall(SYS_getpid);
        set_mask(u, SIG_BLOCK, bit(34) | bit(35) | bit(SIGUSR1));
        i32 information[32] = {};
        information[2] = SI_QUEUE;
        for (i32 value : {1, 2}) {
            information[6] = value;
            u.store(kBuffer, information);
            expect(u, 0, SYS_rt_sigqueueinfo, self, 34, kBuffer);
            expect(u, 0, SYS_rt_sigqueueinfo, self, SIGUSR1, kBuffer);  // only one is kept
        }
        expect(u, 0, SYS_rt_sigpending, word(0), 8);
        expect_memory<u64>(u, word(0), bit(34) | bit(SIGUSR1));
        u.store<u64>(word(0), bit(34) | bit(SIGUSR1));
        for (i32 wanted : {SIGUSR1, 34, 34}) {
            expect(u, wanted, SYS_rt_sigtimedwait, word(0), kBuffer + 256, 0, 8);
        }
        expect_memory<i32>(u, kBuffer + 256 + 24, 2);  // in order
        expect(u, -EAGAIN, SYS_rt_sigtimedwait, word(0), 0, time_at(u, 2, 0, 1000), 8);
        expect(u, -EINVAL, SYS_rt_sigtimedwait, word(0), 0, time_at(u, 2, 0, -1), 8);
        expect(u, 0, SYS_rt_tgsigqueueinfo, self, u.syscall(SYS_gettid), 35, kBuffer);
        expect(u, -EINVAL, SYS_rt_tgsigqueueinfo, self, 0, 35, kBuffer);
        expect(u, -ESRCH, SYS_rt_sigqueueinfo, 29'999, 35, kBuffer);
        information[2] = SI_USER;
        u.store(kBuffer, information);
        expect(u, -EPERM, SYS_rt_sigqueueinfo, 1, 35, kBuffer);  // a lie
        expect(u, -EINVAL, SYS_rt_sigaction, SIGKILL, kBuffer, 0, 8);
        expect(u, -EINVAL, SYS_rt_sigaction, 65, 0, 0, 8);
        expect(u, -EINVAL, SYS_rt_sigaction, SIGUSR1, 0, 0, 4);
        expect(u, -EINVAL, SYS_rt_sigprocmask, 9, kBuffer, 0, 8);
        expect(u, -EINVAL, SYS_rt_sigprocmask, 0, kBuffer, 0, 16);
        set_mask(u, SIG_SETMASK, ~u64{0});
        expect(u, 0, SYS_rt_sigprocmask, 0, 0, word(0), 8);
        expect_memory<u64>(u, word(0), ~(bit(SIGKILL) | bit(SIGSTOP)));
        set_mask(u, SIG_SETMASK, bit(35));
        // sigsuspend: with another mask for as long as it lasts.
        set_handler(u, 35, address_of(count).value);
        u.store<u64>(word(0), 0);
        expect(u, -EINTR, SYS_rt_sigsuspend, word(0), 8);
        require(board.words[35 % std::size(board.words)] == 1, "the handler of a signal that was let through");
        expect(u, 0, SYS_rt_sigprocmask, 0, 0, word(0), 8);
        expect_memory<u64>(u, word(0), bit(35));
        // RLIMIT_SIGPENDING.
        run_child(u, [](UserMachine& c) {
            const u64 few[] = {1, 1};
            c.store(word(0), few);
            expect(c, 0, SYS_setrlimit, 11, word(0));
            drop_privileges(c);
            const i64 me = c.syscall(SYS_getpid);
            i32 queued[32] = {};
            queued[2] = SI_QUEUE;
            c.store(kBuffer, queued);
            expect(c, 0, SYS_rt_sigqueueinfo, me, 35, kBuffer);
            expect(c, -EAGAIN, SYS_rt_sigqueueinfo, me, 35, kBuffer);
            expect(c, 0, SYS_kill, me, 35);  // without its information
            exit(c, 0);
        });
    });
}

}  // namespace
}  // namespace cairn
