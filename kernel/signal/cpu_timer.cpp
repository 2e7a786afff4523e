#include "kernel/signal/cpu_timer.h"

#include <algorithm>

#include "kernel/signal/process_timers.h"
#include "kernel/signal/send.h"

namespace cairn::signal {

using task::CpuTimes;
using task::Task;
using task::ThreadGroup;

namespace {

using Timers = List<CpuTimer, &CpuTimer::node>;

/// Threads do not look more often than this.
constexpr Nanoseconds kShortestWatch = Nanoseconds::from_microseconds(50);
/// A clock of user time that stands still: what is left is no reason to look soon.
constexpr Nanoseconds kShortestWatchInKernel = Nanoseconds::from_milliseconds(1);

Nanoseconds limit_of(u64 seconds) {
    constexpr u64 kSecond = 1'000'000'000;
    return seconds < Nanoseconds::never().value / kSecond ? Nanoseconds::from_seconds(seconds) : Nanoseconds::never();
}

/// How much time is left until the first of the timers.
Nanoseconds time_left(const Timers& timers, const CpuTimes& now) {
    const Task* self = task::find_current_task();
    const bool stands_still = self != nullptr && self->thread().user_time_stands_still();
    Nanoseconds left = Nanoseconds::never();
    for (const CpuTimer& timer : timers) {
        Nanoseconds own = timer.deadline - timer.time_of(now);
        if (stands_still && timer.is_of_user_time()) {
            own = std::max(own, kShortestWatchInKernel);
        }
        left = std::min(left, own);
    }
    return left;
}

/// Sets what has expired to its next deadline. Stops at one that sends a signal, which has to be done when the lock is
/// free; null: all is done.
CpuTimer* expire_locked(Timers& timers, const CpuTimes& now, u64& missed) {
    for (CpuTimer* next = timers.front(); next != nullptr;) {
        CpuTimer& timer = *next;
        next = timers.next(timer);
        const Nanoseconds clock = timer.time_of(now);
        if (timer.deadline > clock) {
            continue;
        }
        missed = timer.advance_locked(clock);
        if (timer.sleeper == nullptr) {
            timer.begin_expiry_locked();
            return &timer;
        }
        timer.sleeper->complete();
    }
    return nullptr;
}

/// SIGXCPU at the soft limit, which thereby becomes a second longer, and SIGKILL at the hard one (setrlimit(2)).
void check_limit_locked(ThreadGroup& process, Nanoseconds used, SignalSet& signals) {
    task::ResourceLimit& limit = process.limits[task::Resource::CpuTime];
    if (limit.soft == task::kUnlimited) {
        return;
    }
    if (limit.hard != task::kUnlimited && used >= limit_of(limit.hard)) {
        signals.add(kSigKill);
    } else if (used >= limit_of(limit.soft)) {
        signals.add(kSigXcpu);
        ++limit.soft;
    }
}

}  // namespace

NextExpiry next_expiry(Nanoseconds deadline, Nanoseconds interval, Nanoseconds now) {
    Nanoseconds next = deadline + interval;
    if (next > now) {
        return {next, 0};
    }
    const u64 missed = (now - next).value / interval.value + 1;
    return {{next.value + missed * interval.value}, missed};
}

CpuTimes cpu_times_locked(ThreadGroup& process) {
    CpuTimes total = process.ended_threads;
    task::for_each_thread(process, [&](Task& task) {
        const CpuTimes times = task.cpu_times();
        total.user += times.user;
        total.system += times.system;
    });
    return total;
}

bool has_cpu_deadline_locked(const ThreadGroup& process) {
    return !process.cpu_timers.empty() || process.limits[task::Resource::CpuTime].soft != task::kUnlimited;
}

void watch_cpu_time_locked(ThreadGroup& process, Task* only) {
    const u64 soft_limit = process.limits[task::Resource::CpuTime].soft;
    const u64 threads = process.thread_count;
    if (threads == 0) {
        return;
    }
    Nanoseconds share = Nanoseconds::never();
    if (has_cpu_deadline_locked(process)) {
        const CpuTimes now = cpu_times_locked(process);
        Nanoseconds left = time_left(process.cpu_timers, now);
        if (soft_limit != task::kUnlimited) {
            left = std::min(left, limit_of(soft_limit) - now.total());
        }
        share = std::max(Nanoseconds{left.value / threads}, kShortestWatch);
        only = nullptr;
    }
    const auto watch = [share](Task& task) {
        Nanoseconds left = share;
        if (!task.cpu_timers.empty()) {
            left = std::min(left, std::max(time_left(task.cpu_timers, task.cpu_times()), kShortestWatch));
        }
        task.thread().watch_run_time(task.thread().run_time() + left);
    };
    if (only != nullptr) {
        watch(*only);
    } else {
        task::for_each_thread(process, watch);
    }
}

void run_time_reached(sched::Thread& thread) {
    Task* task = thread.task();
    if (task == nullptr) {
        thread.watch_run_time(Nanoseconds::never());  // it is just ending
        return;
    }
    ThreadGroup& process = task->group();
    SignalSet signals;
    CpuTimes process_times;
    CpuTimes thread_times;
    {
        SpinLockGuard guard(process.lock);
        process_times = cpu_times_locked(process);
        thread_times = task->cpu_times();
        check_limit_locked(process, process_times.total(), signals);
    }
    for (;;) {
        CpuTimer* expired = nullptr;
        u64 missed = 0;
        {
            SpinLockGuard guard(process.lock);
            if (task->exited) {
                thread.watch_run_time(Nanoseconds::never());
                break;
            }
            expired = expire_locked(process.cpu_timers, process_times, missed);
            if (expired == nullptr) {
                expired = expire_locked(task->cpu_timers, thread_times, missed);
            }
            if (expired == nullptr) {
                watch_cpu_time_locked(process, task);
                break;
            }
        }
        if (expired->timer != nullptr) {
            static_cast<void>(expired->timer->expired(missed));
        } else {
            static_cast<void>(send_to_process(process, SignalInfo::from_kernel(expired->signal)));
        }
        expired->end_expiry();
    }
    if (signals.has(kSigKill)) {
        kill_process(process);
        return;
    }
    if (signals.has(kSigXcpu)) {
        static_cast<void>(send_to_process(process, SignalInfo::from_kernel(kSigXcpu)));
    }
}

// --- One timer ------------------------------------------------------------------------------------------------------

Nanoseconds CpuTimer::now_locked() const {
    return time_of(thread_ != nullptr ? thread_->cpu_times() : cpu_times_locked(process_));
}

IntervalSetting CpuTimer::setting_locked(Nanoseconds now) const {
    if (deadline == Nanoseconds::never()) {
        return {interval_, {}};
    }
    if (deadline > now) {
        return {interval_, deadline - now};
    }
    if (node.linked()) {
        return {interval_, {1}};  // just about to expire
    }
    return {interval_, interval_.value == 0 ? Nanoseconds{} : next_expiry(deadline, interval_, now).deadline - now};
}

IntervalSetting CpuTimer::get() {
    SpinLockGuard guard(process_.lock);
    return setting_locked(now_locked());
}

CpuTimer::Change CpuTimer::set(const IntervalSetting& setting, bool absolute) {
    for (;; arch::cpu_relax()) {
        SpinLockGuard guard(process_.lock);
        if (expiring_ == 0) {
            return set_locked(setting, absolute);
        }
    }
}

CpuTimer::Change CpuTimer::set_locked(const IntervalSetting& setting, bool absolute) {
    const Nanoseconds now = now_locked();
    Change change{.before = setting_locked(now)};
    if (node.linked()) {
        node.unlink();
    }
    if (stopped_) {
        return change;
    }
    interval_ = setting.interval;
    constexpr Nanoseconds kLatest{Nanoseconds::never().value / 2};
    const Nanoseconds value = std::min(setting.value, kLatest);
    deadline = value.value == 0 ? Nanoseconds::never() : absolute ? value : now + value;
    change.deadline = deadline;
    if (signal == 0 && sleeper == nullptr && timer == nullptr) {
        return change;
    }
    if (deadline <= now) {
        change.due = true;
        change.missed = advance_locked(now);
        expiring_ += timer != nullptr ? 1 : 0;
    }
    if (deadline != Nanoseconds::never()) {
        (thread_ != nullptr ? thread_->cpu_timers : process_.cpu_timers).push_back(*this);
        watch_cpu_time_locked(process_, thread_);
    }
    return change;
}

u64 CpuTimer::advance_locked(Nanoseconds now) {
    if (interval_.value != 0) {
        const NextExpiry next = next_expiry(deadline, interval_, now);
        deadline = next.deadline;
        return next.missed;
    }
    deadline = Nanoseconds::never();
    if (node.linked()) {
        node.unlink();
    }
    return 0;
}

u64 CpuTimer::catch_up_locked(const ThreadGroup& receiver) {
    if (&process_ != &receiver || !node.linked() || interval_.value == 0) {
        return 0;
    }
    const Nanoseconds now = now_locked();
    return deadline <= now ? advance_locked(now) + 1 : 0;
}

void CpuTimer::end_expiry() {
    SpinLockGuard guard(process_.lock);
    --expiring_;
}

void CpuTimer::stop() {
    for (;;) {
        {
            SpinLockGuard guard(process_.lock);
            stopped_ = true;
            if (node.linked()) {
                node.unlink();
            }
            if (expiring_ == 0) {
                return;
            }
        }
        arch::cpu_relax();
    }
}

}  // namespace cairn::signal
