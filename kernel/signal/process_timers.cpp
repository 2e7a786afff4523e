#include "kernel/signal/process_timers.h"

#include "kernel/signal/send.h"
#include "kernel/time/clock.h"

namespace cairn::signal {

using task::ThreadGroup;

namespace {

constexpr i32 kClockRealtime = 0;

/// When a periodic timer is due next, and how many periods have gone by meanwhile.
struct NextExpiry {
    Nanoseconds deadline;
    u64 missed;
};

NextExpiry next_expiry(Nanoseconds deadline, Nanoseconds interval, Nanoseconds now) {
    Nanoseconds next = deadline + interval;
    if (next > now) {
        return {next, 0};
    }
    const u64 missed = (now - next).value / interval.value + 1;
    return {{next.value + missed * interval.value}, missed};
}

}  // namespace

// --- ITIMER_REAL --------------------------------------------------------------------------------------------------

IntervalSetting RealTimer::get() {
    SpinLockGuard guard(lock_);
    if (deadline_ == Nanoseconds::never()) {
        return {interval_, {}};
    }
    // A timer that is armed never shows zero, which would mean that it is not.
    const Nanoseconds left = deadline_ - time::now();
    return {interval_, left.value == 0 ? Nanoseconds{1000} : left};
}

IntervalSetting RealTimer::set(const IntervalSetting& setting) {
    const IntervalSetting before = get();
    SpinLockGuard guard(lock_);
    interval_ = setting.interval;
    deadline_ = setting.value.value == 0 ? Nanoseconds::never() : time::now() + setting.value;
    timer_.arm(deadline_);
    return before;
}

void RealTimer::expired(time::Timer& timer) {
    RealTimer& self = *object_of_member<RealTimer, time::Timer, &RealTimer::timer_>(&timer);
    {
        SpinLockGuard guard(self.lock_);
        if (self.deadline_ > time::now()) {
            return;  // it was set anew while this expiry was on its way
        }
        if (self.interval_.value != 0) {
            self.deadline_ = next_expiry(self.deadline_, self.interval_, time::now()).deadline;
            self.timer_.arm(self.deadline_);
        } else {
            self.deadline_ = Nanoseconds::never();
        }
    }
    static_cast<void>(send_to_process(self.process_, SignalInfo::from_kernel(kSigAlrm)));
}

// --- timer_create(2) ------------------------------------------------------------------------------------------------

PosixTimer::PosixTimer(ThreadGroup& process, i32 id, i32 clock, Own<QueuedSignal> entry)
    : process_(process), id_(id), clock_(clock), entry_(std::move(entry)), timer_(&expired) {
    entry_->timer = this;
}

PosixTimer::~PosixTimer() {
    static_cast<void>(timer_.cancel_and_wait());
    entry_->account->pending_signals.fetch_sub(1, Order::relaxed);
}

Nanoseconds PosixTimer::now() const {
    return clock_ == kClockRealtime ? time::wall_now() : time::now();
}

IntervalSetting PosixTimer::get() {
    SpinLockGuard guard(lock_);
    if (deadline_ == Nanoseconds::never()) {
        return {interval_, {}};
    }
    const Nanoseconds left = deadline_ - time::now();
    if (left.value == 0 && interval_.value == 0) {
        return {interval_, notify == Notify::None ? Nanoseconds{} : Nanoseconds{1}};
    }
    return {interval_, left.value == 0 ? Nanoseconds{1} : left};
}

IntervalSetting PosixTimer::set(const IntervalSetting& setting, bool absolute) {
    const IntervalSetting before = get();
    SpinLockGuard guard(lock_);
    interval_ = setting.interval;
    overruns_ = 0;
    last_overrun_ = 0;
    if (setting.value.value == 0) {
        deadline_ = Nanoseconds::never();
    } else if (absolute) {
        deadline_ = time::now() + (setting.value - now());
    } else {
        deadline_ = time::now() + setting.value;
    }
    timer_.arm(notify == Notify::None ? Nanoseconds::never() : deadline_);
    return before;
}

i32 PosixTimer::overrun() {
    SpinLockGuard guard(lock_);
    constexpr u64 kMost = 0x7fff'ffff;  // DELAYTIMER_MAX
    return static_cast<i32>(last_overrun_ < kMost ? last_overrun_ : kMost);
}

void PosixTimer::expired(time::Timer& timer) {
    PosixTimer& self = *object_of_member<PosixTimer, time::Timer, &PosixTimer::timer_>(&timer);
    {
        SpinLockGuard guard(self.lock_);
        const Nanoseconds now = time::now();
        if (self.deadline_ > now) {
            return;
        }
        if (self.entry_->node.linked()) {
            ++self.overruns_;  // the signal of an earlier expiry has not been taken yet
        }
        if (self.interval_.value != 0) {
            const NextExpiry next = next_expiry(self.deadline_, self.interval_, now);
            self.overruns_ += next.missed;
            self.deadline_ = next.deadline;
            self.timer_.arm(next.deadline);
        } else {
            self.deadline_ = Nanoseconds::never();
        }
    }
    task::Task* thread = self.thread ? &**self.thread : nullptr;
    send_timer_signal(self.process_, thread, *self.entry_);
}

void PosixTimer::delivered(SignalInfo& info) {
    SpinLockGuard guard(lock_);
    last_overrun_ = std::exchange(overruns_, 0);
    // si_tid and si_overrun (sigaction(2)).
    info.words[0] = SignalInfo::pack(static_cast<u32>(id_), static_cast<u32>(last_overrun_));
}

void note_timer_delivered_locked(PosixTimer& timer, SignalInfo& info) {
    timer.delivered(info);
}

// --- The table of a process
// ---------------------------------------------------------------------------------------------

ProcessTimers::~ProcessTimers() {
    remove_all();
}

Result<Ref<PosixTimer>> ProcessTimers::create(ThreadGroup& process, i32 clock, Own<QueuedSignal> entry) {
    i32 id = 0;
    {
        SpinLockGuard guard(lock_);
        id = next_id_;
        next_id_ = (next_id_ + 1) & 0x7fff'ffff;
    }
    Ref<PosixTimer> timer = TRY(try_new_ref<PosixTimer>(process, id, clock, std::move(entry)));
    SpinLockGuard guard(lock_);
    timer->acquire_reference();  // the table's
    timers_.insert(*timer);
    return timer;
}

Result<Ref<PosixTimer>> ProcessTimers::find(i32 id) {
    SpinLockGuard guard(lock_);
    PosixTimer* timer = timers_.partition_point([id](const PosixTimer& other) { return other.id() < id; });
    if (timer == nullptr || timer->id() != id) {
        return fail(Errno::einval);
    }
    return Ref<PosixTimer>(*timer);
}

namespace {

/// A signal that is still queued goes with its timer.
void take_out_of_queues(ThreadGroup& process, PosixTimer& timer) {
    static_cast<void>(timer.set({}, false));
    SpinLockGuard guard(process.lock);
    process.pending.discard_timer(timer.entry());
    if (timer.thread) {
        (*timer.thread)->pending.discard_timer(timer.entry());
    }
}

}  // namespace

Result<void> ProcessTimers::remove(i32 id) {
    Ref<PosixTimer> timer = TRY(find(id));
    {
        SpinLockGuard guard(lock_);
        if (!timer->tree_node.linked()) {
            return fail(Errno::einval);
        }
        timers_.remove(*timer);
    }
    take_out_of_queues(real.process(), *timer);
    timer->release_reference();
    return {};
}

void ProcessTimers::remove_all() {
    for (;;) {
        PosixTimer* timer = nullptr;
        {
            SpinLockGuard guard(lock_);
            timer = timers_.first();
            if (timer == nullptr) {
                return;
            }
            timers_.remove(*timer);
        }
        take_out_of_queues(real.process(), *timer);
        timer->release_reference();
    }
}

Result<ProcessTimers*> timers_of(ThreadGroup& process) {
    {
        SpinLockGuard guard(process.lock);
        if (process.timers) {
            return process.timers.get();
        }
    }
    Own<ProcessTimers> fresh = TRY(try_new<ProcessTimers>(process));
    SpinLockGuard guard(process.lock);
    if (!process.timers) {
        process.timers = std::move(fresh);
    }
    return process.timers.get();
}

void delete_posix_timers(ThreadGroup& process) {
    if (process.timers) {
        process.timers->remove_all();
    }
}

}  // namespace cairn::signal
