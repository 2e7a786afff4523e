/// Timers of processor time with threads on several CPUs (S06).
///
/// None expires early or is lost, however the threads of a process take turns; one that is deleted or whose process
/// ends while it expires leaves nothing behind.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u64 kMicrosecond = 1'000;
constexpr VirtualAddress kFired = word(10);
constexpr VirtualAddress kEnd = word(11);
constexpr VirtualAddress kTimerId = word(12);

void count_signal(UserMachine& u) {
    u.store<u32>(kFired, u.load<u32>(kFired) + 1);
}

u64 clock_now(UserMachine& u, i64 clock, u32 slot = 0) {
    const VirtualAddress at = kBuffer + 256 + 16 * u64{slot};
    require(u.syscall(SYS_clock_gettime, clock, at) == 0, "clock_gettime");
    return u.load<u64>(at) * 1'000'000'000 + u.load<u64>(at + 8);
}

i64 create_timer(UserMachine& u, i64 clock, int signal) {
    struct {
        u64 value;
        int signal, notify;
        u64 rest[6];
    } const event{0, signal, 0 /* SIGEV_SIGNAL */, {}};
    u.store(kBuffer, event);
    return u.syscall(SYS_timer_create, clock, kBuffer, kTimerId);
}

i64 start_timer(UserMachine& u, u64 first, u64 interval = 0) {
    const u64 setting[4] = {0, interval, 0, first};
    u.store_bytes(kBuffer + 64, setting, sizeof setting);
    return u.syscall(SYS_timer_settime, u.load<u32>(kTimerId), 0, kBuffer + 64, 0);
}

/// A thread that runs in user mode, now and then in the kernel, until it is told to end.
void run_until_the_end(UserMachine& t) {
    while (t.load<u32>(kEnd) == 0) {
        t.pause();
    }
    exit_thread(t);
}
void call_until_the_end(UserMachine& t) {
    while (t.load<u32>(kEnd) == 0) {
        t.syscall(SYS_sched_yield);
    }
    exit_thread(t);
}

void await_signal(UserMachine& u, u32 count = 1) {
    while (u.load<u32>(kFired) < count) {
        u.pause();
    }
}

void end_threads(UserMachine& u, u32 count) {
    u.store<u32>(kEnd, 1);
    for (u32 i = 0; i < count; ++i) {
        join_thread(u, i);
    }
}

TEST(CpuTimer, CountsTheThreadsOfAProcessOnSeveralCpus) {
    EXPLORE_PROCESSES("a process's timer, four threads", {.cpus = 3}, [](UserMachine& u) {
        constexpr u64 kFirst = 60 * kMicrosecond, kInterval = 40 * kMicrosecond;
        set_handler(u, SIGUSR1, address_of(count_signal).value);
        start_thread(u, run_until_the_end, 0);
        start_thread(u, call_until_the_end, 1);
        require(create_timer(u, CLOCK_PROCESS_CPUTIME_ID, SIGUSR1) == 0, "timer_create");
        const u64 begin = clock_now(u, CLOCK_PROCESS_CPUTIME_ID);
        require(start_timer(u, kFirst, kInterval) == 0, "timer_settime");
        start_thread(u, run_until_the_end, 2);
        await_signal(u);
        require(clock_now(u, CLOCK_PROCESS_CPUTIME_ID) >= begin + kFirst, "it expired early");
        await_signal(u, 2);
        require(clock_now(u, CLOCK_PROCESS_CPUTIME_ID) >= begin + kFirst + kInterval, "it expired early");
        require(u.syscall(SYS_timer_delete, u.load<u32>(kTimerId)) == 0, "timer_delete");
        end_threads(u, 3);
    });
}

TEST(CpuTimer, OfAnotherThreadThatSleepsNowAndThen) {
    EXPLORE_PROCESSES("a thread's timer, set by another", {.cpus = 2}, [](UserMachine& u) {
        set_handler(u, SIGUSR1, address_of(count_signal).value);
        start_thread(
            u,
            [](UserMachine& t) {
                while (t.load<u32>(kFired) == 0) {
                    sleep_nanoseconds(t, 100, 1);
                    t.pause();
                }
                exit_thread(t);
            },
            0);
        const u32 thread = u.load<u32>(word(kThreadWord));
        const i64 clock = ~static_cast<i64>(thread) * 8 + 6;
        require(create_timer(u, clock, SIGUSR1) == 0, "timer_create");
        require(start_timer(u, 20 * kMicrosecond) == 0, "timer_settime");
        join_thread(u, 0);
        require(u.load<u32>(kFired) == 1, "it expired twice");
        i64 result = 0;
        while ((result = start_timer(u, 999'999'999)) == 0) {
            u.syscall(SYS_sched_yield);  // it is joined shortly before it has ended
        }
        require(result == -ESRCH, "the clock of a thread that has ended");
    });
}

TEST(CpuTimer, IsDeletedWhileItExpires) {
    EXPLORE_PROCESSES("timer_delete against an expiry", {.cpus = 3}, [](UserMachine& u) {
        set_handler(u, SIGUSR1, address_of(count_signal).value);
        start_thread(u, run_until_the_end, 0);
        start_thread(u, run_until_the_end, 1);
        for (u32 i = 0; i < 3; ++i) {
            require(create_timer(u, CLOCK_PROCESS_CPUTIME_ID, SIGUSR1) == 0, "timer_create");
            require(start_timer(u, kMicrosecond, kMicrosecond) == 0, "timer_settime");
            while (u.load<u32>(kFired) <= i) {
                u.pause();
            }
            require(u.syscall(SYS_timer_delete, u.load<u32>(kTimerId)) == 0, "timer_delete");
        }
        require(create_timer(u, CLOCK_PROCESS_CPUTIME_ID, SIGUSR1) == 0, "timer_create");
        require(start_timer(u, kMicrosecond, kMicrosecond) == 0, "timer_settime");
        exit(u);  // with it, and with the other threads
    });
}

TEST(CpuTimer, OfAProcessThatEnds) {
    EXPLORE_PROCESSES("a timer on a child's clock", {.cpus = 3}, [](UserMachine& u) {
        set_handler(u, SIGUSR1, address_of(count_signal).value);
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, run_until_the_end, 0);
            for (u32 i = 0; i < 200; ++i) {
                c.pause();
            }
            exit(c);
        });
        require(create_timer(u, ~child * 8 + 2, SIGUSR1) == 0, "timer_create");
        require(start_timer(u, kMicrosecond, kMicrosecond) == 0, "timer_settime");
        while (wait(u, child) != child) {
        }
        require(start_timer(u, 1) == -ESRCH, "the clock of a process that was waited for");
        require(u.syscall(SYS_timer_delete, u.load<u32>(kTimerId)) == 0, "timer_delete");
    });
}

TEST(CpuTimer, IntervalTimersAndSleepsAndTheLimit) {
    EXPLORE_PROCESSES("setitimer, clock_nanosleep, RLIMIT_CPU", {.cpus = 2}, [](UserMachine& u) {
        set_handler(u, SIGPROF, address_of(count_signal).value, 0x1000'0000);
        set_handler(u, SIGXCPU, address_of(count_signal).value, 0x1000'0000);
        start_thread(u, run_until_the_end, 0);
        set_mask(u, SIG_BLOCK, bit(SIGPROF) | bit(SIGXCPU));  // the other thread takes them
        const u64 profile[4] = {0, 0, 0, 20};
        u.store_bytes(kBuffer, profile, sizeof profile);
        require(u.syscall(SYS_setitimer, ITIMER_PROF, kBuffer, 0) == 0, "setitimer");
        const u64 begin = clock_now(u, CLOCK_PROCESS_CPUTIME_ID);
        const u64 length[2] = {0, 30 * kMicrosecond};
        u.store_bytes(kBuffer + 64, length, sizeof length);
        require(u.syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, kBuffer + 64, 0) == 0, "clock_nanosleep");
        require(clock_now(u, CLOCK_PROCESS_CPUTIME_ID) >= begin + length[1], "it woke early");
        await_signal(u, 1);
        const rlimit limit{0, RLIM_INFINITY};
        u.store(kBuffer, limit);
        require(u.syscall(SYS_setrlimit, RLIMIT_CPU, kBuffer) == 0, "setrlimit");
        await_signal(u, 2);
        require(u.syscall(SYS_getrlimit, RLIMIT_CPU, kBuffer) == 0, "getrlimit");
        require(u.load<u64>(kBuffer) == 1, "the soft limit after the first signal");
        const i64 child = fork(u, [](UserMachine& c) {
            require(c.syscall(SYS_getitimer, ITIMER_PROF, kBuffer) == 0, "getitimer");
            require(c.load<u64>(kBuffer + 24) == 0, "a child has no timers");
            exit(c);
        });
        expect_end(u, child, exited(0), "the child");
        end_threads(u, 1);
    });
}

}  // namespace
}  // namespace cairn
