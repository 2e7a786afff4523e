#pragma once
/// The timers of a process: setitimer(2) and alarm(2), which execve keeps, and those of timer_create(2), which it
/// deletes (E13, S06).

#include <optional>

#include "kernel/base/rb_tree.h"
#include "kernel/signal/cpu_clock.h"
#include "kernel/signal/pending.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/task/thread_group.h"
#include "kernel/time/timer.h"

namespace cairn::task {
class Task;
}

namespace cairn::signal {

/// ITIMER_REAL of one process.
class RealTimer {
public:
    explicit RealTimer(task::ThreadGroup& process) : process_(process), timer_(&expired) {}
    ~RealTimer() { static_cast<void>(timer_.cancel_and_wait()); }

    task::ThreadGroup& process() const { return process_; }
    IntervalSetting get();
    /// Returns the setting before, of which no signal comes any more. Thread context.
    IntervalSetting set(const IntervalSetting& setting);

private:
    static void expired(time::Timer& timer);
    IntervalSetting get_locked() REQUIRES(lock_);
    task::ThreadGroup& process_;
    SpinLock<LockRank::ProcessTimers> lock_;
    time::Timer timer_;
    Nanoseconds interval_ GUARDED_BY(lock_){};
    Nanoseconds deadline_ GUARDED_BY(lock_) = Nanoseconds::never();
};

/// A timer of timer_create(2).
class PosixTimer : public RefCounted<PosixTimer> {
public:
    enum class Notify : u8 { Signal, None, Thread };
    PosixTimer(task::ThreadGroup& process, i32 id, i32 clock, std::optional<CpuClock> cpu_clock,
               Own<QueuedSignal> entry);
    ~PosixTimer();

    i32 id() const { return id_; }
    i32 clock() const { return clock_; }
    IntervalSetting get();
    /// Returns the setting before, which expires no more. Thread context.
    IntervalSetting set(const IntervalSetting& setting, bool absolute);
    /// The thread or process whose processor time it counts is no more.
    bool is_clock_gone() const;
    i32 overrun();
    /// It will not expire any more, whoever still sets it, and no expiry is under way.
    void stop();
    /// An expiry, and the number of those before it that there was no time for. No lock is held. Whether a signal was
    /// queued.
    bool expired(u64 missed);
    /// Its signal is taken by a thread: the overruns until now are what the siginfo and timer_getoverrun say. The
    /// group's lock is held.
    void delivered(SignalInfo& info);

    Notify notify = Notify::Signal;
    std::optional<Ref<task::Task>> thread;  // SIGEV_THREAD_ID
    RbNode tree_node;
    QueuedSignal& entry() { return *entry_; }

private:
    static void expired_at(time::Timer& timer);
    Nanoseconds now() const;
    IntervalSetting get_locked() REQUIRES(lock_);
    IntervalSetting set_cpu_timer(const IntervalSetting& setting, bool absolute);
    task::ThreadGroup& process_;
    const i32 id_;
    const i32 clock_;
    const std::optional<CpuClock> cpu_clock_;
    std::optional<CpuTimer> cpu_timer_;  // instead of timer_, interval_ and deadline_
    Own<QueuedSignal> entry_;
    SpinLock<LockRank::ProcessTimers> lock_;
    time::Timer timer_;
    Nanoseconds interval_ GUARDED_BY(lock_){};
    Nanoseconds deadline_ GUARDED_BY(lock_) = Nanoseconds::never();
    u64 overruns_ GUARDED_BY(lock_) = 0;
    u64 last_overrun_ GUARDED_BY(lock_) = 0;
    bool stopped_ GUARDED_BY(lock_) = false;
};

/// ThreadGroup::timers.
class ProcessTimers {
public:
    explicit ProcessTimers(task::ThreadGroup& process);
    ~ProcessTimers();
    RealTimer real;      // ITIMER_REAL
    CpuTimer user_time;  // ITIMER_VIRTUAL
    CpuTimer cpu_time;   // ITIMER_PROF

    /// With a clock of processor time or without. Nobody finds it before it is added.
    Result<Ref<PosixTimer>> create(task::ThreadGroup& process, i32 clock, std::optional<CpuClock> cpu_clock,
                                   Own<QueuedSignal> entry);
    void add(PosixTimer& timer);
    Result<Ref<PosixTimer>> find(i32 id);
    /// Arms it anew. A signal of its time before that is still queued goes (timer_settime(2)).
    IntervalSetting set(PosixTimer& timer, const IntervalSetting& setting, bool absolute);
    Result<void> remove(i32 id);
    void remove_all();

private:
    struct ById {
        static bool less(const PosixTimer& a, const PosixTimer& b) { return a.id() < b.id(); }
    };
    SpinLock<LockRank::TimerTable> lock_;
    RbTree<PosixTimer, &PosixTimer::tree_node, ById> timers_ GUARDED_BY(lock_);
    i32 next_id_ GUARDED_BY(lock_) = 0;
};

/// The process's timers, made at first use. ENOMEM.
Result<ProcessTimers*> timers_of(task::ThreadGroup& process);
/// E13.
void delete_posix_timers(task::ThreadGroup& process);
/// A timer's signal is being taken; the group's lock is held.
void note_timer_delivered_locked(PosixTimer& timer, SignalInfo& info);

}  // namespace cairn::signal
