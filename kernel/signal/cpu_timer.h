#pragma once
/// A timer on a clock of processor time: ITIMER_VIRTUAL and ITIMER_PROF, timer_create(2) and clock_nanosleep(2) on
/// processor-time clocks. RLIMIT_CPU is looked at along with them.
///
/// No tick looks at them. Whenever a process's timers are looked at, each of its threads is given the run time after
/// which it has to look again (sched::Thread::watch_run_time): what is left until the process's earliest deadline,
/// divided by the number of its threads, so that however they run one of them looks when the deadline is reached at the
/// latest. Threads of a process without such timers are given none.

#include "kernel/base/list.h"
#include "kernel/signal/signal.h"
#include "kernel/task/process_times.h"

namespace cairn::sched {
class Thread;
}
namespace cairn::sync {
class Completion;
}
namespace cairn::task {
class Task;
class ThreadGroup;
}  // namespace cairn::task

namespace cairn::signal {

class PosixTimer;

/// struct itimerval in nanoseconds.
struct IntervalSetting {
    Nanoseconds interval{};
    Nanoseconds value{};  // until the next expiry; zero: disarmed
};

/// When a periodic timer is due next, and how many periods have gone by meanwhile.
struct NextExpiry {
    Nanoseconds deadline;
    u64 missed;
};
NextExpiry next_expiry(Nanoseconds deadline, Nanoseconds interval, Nanoseconds now);

class CpuTimer {
public:
    /// The clock is that of the thread, or of the whole process if it is null; both outlive the timer.
    enum class Counts : u8 { All, UserTime };
    CpuTimer(task::ThreadGroup& process, task::Task* thread, Counts counts)
        : process_(process), thread_(thread), counts_(counts) {}
    ~CpuTimer() { stop(); }

    /// What is to happen at an expiry; one of these, set before the timer is. All of them empty: nothing, the time is
    /// only told.
    i32 signal = 0;                       // for the process
    sync::Completion* sleeper = nullptr;  // is completed
    PosixTimer* timer = nullptr;          // its expired() is called, with no lock held

    IntervalSetting get();
    struct Change {
        IntervalSetting before;
        /// The time was past already: nothing has been done about it. If there is a `timer`, the caller calls its
        /// expired() with this, and end_expiry(), interrupts off all the time.
        bool due = false;
        u64 missed = 0;
        Nanoseconds deadline{};  // what it is on the clock
    };
    /// No expiry of the setting before is under way afterwards. As stop().
    Change set(const IntervalSetting& setting, bool absolute);
    void end_expiry();
    /// From here on set() has no effect, and no expiry is under way. Not with the lock of a process held.
    void stop();

    // --- Under the lock of the process whose time is counted ---
    ListNode node;  // among the timers of the clock; linked while it can expire
    Nanoseconds deadline = Nanoseconds::never();
    Nanoseconds time_of(const task::CpuTimes& times) const {
        return counts_ == Counts::UserTime ? times.user : times.total();
    }
    bool is_of_user_time() const { return counts_ == Counts::UserTime; }
    /// The deadline has passed: sets the next one, if there is any. Returns how many were missed.
    u64 advance_locked(Nanoseconds now);
    void begin_expiry_locked() { ++expiring_; }
    /// The signal of an earlier expiry is being taken by `receiver`, whose lock is held: the expiries since the last
    /// look, which are dealt with hereby. Of the receiver's own time only; another process's lock is not ours to take.
    u64 catch_up_locked(const task::ThreadGroup& receiver);

private:
    Change set_locked(const IntervalSetting& setting, bool absolute);
    Nanoseconds now_locked() const;
    IntervalSetting setting_locked(Nanoseconds now) const;

    task::ThreadGroup& process_;
    task::Task* const thread_;
    const Counts counts_;
    bool stopped_ = false;
    u32 expiring_ = 0;  // expiries that begin_expiry_locked() began
    Nanoseconds interval_{};
};

/// User and system time of all threads, those that have ended included; the process's lock is held.
task::CpuTimes cpu_times_locked(task::ThreadGroup& process);
/// Whether there is a limit or a timer of the whole process; its lock is held.
bool has_cpu_deadline_locked(const task::ThreadGroup& process);
/// Has the threads look again in time; only the given one where timers of the whole process are not concerned. After
/// each change of timers, of RLIMIT_CPU, or of the number of threads; the process's lock is held.
void watch_cpu_time_locked(task::ThreadGroup& process, task::Task* only = nullptr);
/// Scheduler::run_time_reached.
void run_time_reached(sched::Thread& thread);

}  // namespace cairn::signal
