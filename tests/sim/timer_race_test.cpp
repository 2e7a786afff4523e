/// Timers that are set anew, or made, while they expire on another CPU.

#include <gtest/gtest.h>
#include <sys/time.h>
#include <time.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

void count(UserMachine& h) {
    ++board.words[h.argument(0) % 32];
}

/// Where on the board: the timer is set.
constexpr u32 kArmed = 1;

/// What was sent before has been delivered by now; nothing comes after that.
void expect_no_more(UserMachine& u, int signal) {
    const u64 before = board.words[signal % 32];
    for (u32 i = 0; i < 8; ++i) {
        u.syscall(SYS_sched_yield);
    }
    require(board.words[signal % 32] == before, "a signal of the setting that was taken back");
}

/// The timer is set, and may expire from now on.
void await_armed(UserMachine& u) {
    await(u, kArmed);
    for (u32 i = 0; i < 4; ++i) {
        u.syscall(SYS_getpid);
    }
}

VirtualAddress setting(UserMachine& u, u32 place, i64 interval, i64 value) {
    const i64 times[] = {0, interval, 0, value};
    u.store(word(place), times);
    return word(place);
}

TEST(TimerRace, NoAlarmAfterItWasTakenBack) {
    EXPLORE_PROCESSES("alarm, taken back on another CPU", {}, [](UserMachine& u) {
        set_handler(u, SIGALRM, address_of(count).value);
        start_thread(
            u,
            [](UserMachine& t) {
                t.syscall(SYS_setitimer, ITIMER_REAL, setting(t, 0, 0, 20), 0);
                arrive(kArmed);
                exit_thread(t);
            },
            0);
        await_armed(u);
        u.syscall(SYS_alarm, 0);
        expect_no_more(u, SIGALRM);
        join_thread(u, 0);
    });
}

TEST(TimerRace, NoSignalOfATimerAfterItWasTakenBack) {
    EXPLORE_PROCESSES("timer_settime, taken back on another CPU", {}, [](UserMachine& u) {
        constexpr int kSignal = 34;
        set_handler(u, kSignal, address_of(count).value);
        sigevent event = {};
        event.sigev_signo = kSignal;
        event.sigev_notify = SIGEV_SIGNAL;
        u.store(kBuffer, event);
        require(u.syscall(SYS_timer_create, CLOCK_MONOTONIC, kBuffer, word(0)) == 0, "timer_create");
        start_thread(
            u,
            [](UserMachine& t) {
                t.syscall(SYS_timer_settime, t.load<i32>(word(0)), 0, setting(t, 4, 0, 20'000), 0);
                arrive(kArmed);
                exit_thread(t);
            },
            0);
        await_armed(u);
        u.syscall(SYS_timer_settime, u.load<i32>(word(0)), 0, setting(u, 8, 0, 0), 0);
        expect_no_more(u, kSignal);
        join_thread(u, 0);
    });
}

TEST(TimerRace, NoSignalOfProcessorTimeAfterItWasTakenBack) {
    EXPLORE_PROCESSES("ITIMER_PROF, taken back on another CPU", {}, [](UserMachine& u) {
        set_handler(u, SIGPROF, address_of(count).value);
        start_thread(
            u,
            [](UserMachine& t) {
                while (board.words[kArmed] == 0) {
                    t.pause();
                }
                exit_thread(t);
            },
            0);
        u.syscall(SYS_setitimer, ITIMER_PROF, setting(u, 0, 0, 20), 0);
        for (u32 i = 0; i < 8; ++i) {
            u.syscall(SYS_getpid);
        }
        u.syscall(SYS_setitimer, ITIMER_PROF, setting(u, 0, 0, 0), 0);
        expect_no_more(u, SIGPROF);
        arrive(kArmed);
        join_thread(u, 0);
    });
}

TEST(TimerRace, ATimerIsNotFoundBeforeItIsComplete) {
    // The numbers can be guessed.
    EXPLORE_PROCESSES("timer_create and timer_settime", {}, [](UserMachine& u) {
        constexpr int kSignal = 34;
        set_mask(u, SIG_BLOCK, bit(kSignal));
        sigevent event = {};
        event.sigev_signo = kSignal;
        event.sigev_notify = SIGEV_THREAD_ID;
        event._sigev_un._tid = static_cast<i32>(u.syscall(SYS_gettid));
        u.store(kBuffer, event);
        start_thread(
            u,
            [](UserMachine& t) {
                while (t.syscall(SYS_timer_settime, 0, TIMER_ABSTIME, setting(t, 4, 0, 1), 0) != 0) {
                }
                sleep_nanoseconds(t, 100'000, 1);
                t.store<u64>(word(12), bit(kSignal));
                const i64 none[] = {0, 0};
                t.store(word(16), none);
                require(t.syscall(SYS_rt_sigtimedwait, word(12), 0, word(16), 8) == -EAGAIN, "another thread's");
                exit_thread(t);
            },
            0);
        require(u.syscall(SYS_timer_create, CLOCK_MONOTONIC, kBuffer, word(0)) == 0, "timer_create");
        join_thread(u, 0);
        require(u.syscall(SYS_timer_delete, 0) == 0, "timer_delete");
    });
}

}  // namespace
}  // namespace cairn
