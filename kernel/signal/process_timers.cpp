#include "kernel/signal/process_timers.h"

#include <algorithm>

#include "kernel/signal/send.h"
#include "kernel/time/clock.h"

namespace cairn::signal {

using task::ThreadGroup;

namespace {

constexpr i32 kClockRealtime = 0, kClockTai = 11;

}  // namespace

// --- ITIMER_REAL --------------------------------------------------------------------------------------------------

IntervalSetting RealTimer::get() {
    SpinLockGuard guard(lock_);
    return get_locked();
}

IntervalSetting RealTimer::get_locked() {
    if (deadline_ == Nanoseconds::never()) {
        return {interval_, {}};
    }
    // A timer that is armed never shows zero, which would mean that it is not.
    const Nanoseconds left = deadline_ - time::now();
    return {interval_, left.value == 0 ? Nanoseconds{1000} : left};
}

IntervalSetting RealTimer::set(const IntervalSetting& setting) {
    for (;; arch::cpu_relax()) {
        SpinLockGuard guard(lock_);
        if (timer_.is_expiring()) {
            continue;  // its signal is not sent yet
        }
        const IntervalSetting before = get_locked();
        interval_ = setting.interval;
        deadline_ = setting.value.value == 0 ? Nanoseconds::never() : time::now() + setting.value;
        timer_.arm(deadline_);
        return before;
    }
}

namespace {

/// When to look again at a timer whose signal nobody has taken, or would get: Linux does not before it is taken, here
/// it is at least rare. Otherwise a tiny interval would keep a CPU busy with interrupts. Expiries are counted by the
/// clock.
Nanoseconds rare(Nanoseconds deadline) {
    constexpr Nanoseconds kRest{100'000};
    return std::max(deadline, time::now() + kRest);
}

}  // namespace

void RealTimer::expired(time::Timer& timer) {
    RealTimer& self = *object_of_member<RealTimer, time::Timer, &RealTimer::timer_>(&timer);
    const bool in_vain = adds_nothing(self.process_, kSigAlrm);
    {
        SpinLockGuard guard(self.lock_);
        if (self.deadline_ > time::now()) {
            return;  // it was set anew while this expiry was on its way
        }
        if (self.interval_.value != 0) {
            self.deadline_ = next_expiry(self.deadline_, self.interval_, time::now()).deadline;
            self.timer_.arm(in_vain ? rare(self.deadline_) : self.deadline_);
        } else {
            self.deadline_ = Nanoseconds::never();
        }
    }
    static_cast<void>(send_to_process(self.process_, SignalInfo::from_kernel(kSigAlrm)));
}

// --- timer_create(2) ------------------------------------------------------------------------------------------------

PosixTimer::PosixTimer(ThreadGroup& process, i32 id, i32 clock, std::optional<CpuClock> cpu_clock,
                       Own<QueuedSignal> entry)
    : process_(process),
      id_(id),
      clock_(clock),
      cpu_clock_(std::move(cpu_clock)),
      entry_(std::move(entry)),
      timer_(&expired_at) {
    entry_->timer = this;
    if (cpu_clock_) {
        const CpuClock& of = *cpu_clock_;
        cpu_timer_.emplace(*of.process, of.thread ? &**of.thread : nullptr, of.counts);
    }
}

PosixTimer::~PosixTimer() {
    stop();
    entry_->account->pending_signals.fetch_sub(1, Order::relaxed);
}

Nanoseconds PosixTimer::now() const {
    return clock_ == kClockRealtime || clock_ == kClockTai ? time::wall_now() : time::now();
}

bool PosixTimer::is_clock_gone() const {
    return cpu_clock_ && cpu_clock_->is_gone();
}

IntervalSetting PosixTimer::get() {
    if (cpu_timer_) {
        return is_clock_gone() ? IntervalSetting{} : cpu_timer_->get();
    }
    SpinLockGuard guard(lock_);
    return get_locked();
}

IntervalSetting PosixTimer::get_locked() {
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
    if (cpu_timer_) {
        return set_cpu_timer(setting, absolute);
    }
    for (;; arch::cpu_relax()) {
        SpinLockGuard guard(lock_);
        if (timer_.is_expiring()) {
            continue;  // its signal is not sent yet
        }
        const IntervalSetting before = get_locked();
        if (stopped_) {
            return before;
        }
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
}

IntervalSetting PosixTimer::set_cpu_timer(const IntervalSetting& setting, bool absolute) {
    {
        SpinLockGuard guard(lock_);
        overruns_ = 0;
        last_overrun_ = 0;
    }
    cpu_timer_->timer = notify == Notify::None ? nullptr : this;
    InterruptGuard guard;  // stop() spins for the expiry
    const CpuTimer::Change change = cpu_timer_->set(setting, absolute);
    if (change.due) {
        static_cast<void>(expired(change.missed));
        cpu_timer_->end_expiry();
    }
    return change.before;
}

void PosixTimer::stop() {
    if (cpu_timer_) {
        cpu_timer_->stop();
        return;
    }
    {
        SpinLockGuard guard(lock_);
        stopped_ = true;
    }
    static_cast<void>(timer_.cancel_and_wait());
}

i32 PosixTimer::overrun() {
    SpinLockGuard guard(lock_);
    constexpr u64 kMost = 0x7fff'ffff;  // DELAYTIMER_MAX
    return static_cast<i32>(last_overrun_ < kMost ? last_overrun_ : kMost);
}

void PosixTimer::expired_at(time::Timer& timer) {
    PosixTimer& self = *object_of_member<PosixTimer, time::Timer, &PosixTimer::timer_>(&timer);
    u64 missed = 0;
    Nanoseconds following = Nanoseconds::never();
    {
        SpinLockGuard guard(self.lock_);
        const Nanoseconds now = time::now();
        if (self.deadline_ > now) {
            return;
        }
        if (self.interval_.value != 0) {
            const NextExpiry next = next_expiry(self.deadline_, self.interval_, now);
            missed = next.missed;
            following = next.deadline;
        }
        self.deadline_ = following;
    }
    const bool queued = self.expired(missed);
    SpinLockGuard guard(self.lock_);
    if (following != Nanoseconds::never() && self.deadline_ == following && !self.stopped_) {
        self.timer_.arm(queued ? following : rare(following));
    }
}

bool PosixTimer::expired(u64 missed) {
    {
        SpinLockGuard guard(lock_);
        // More, if the signal of an earlier expiry has not been taken yet.
        overruns_ += missed + (entry_->node.linked() ? 1 : 0);
    }
    return send_timer_signal(process_, thread ? &**thread : nullptr, *entry_);
}

void PosixTimer::delivered(SignalInfo& info) {
    u64 unseen = cpu_timer_ ? cpu_timer_->catch_up_locked(process_) : 0;
    SpinLockGuard guard(lock_);
    if (const Nanoseconds now = time::now(); interval_.value != 0 && deadline_ <= now && !stopped_) {
        const NextExpiry next = next_expiry(deadline_, interval_, now);
        unseen += next.missed + 1;
        deadline_ = next.deadline;
        timer_.arm(deadline_);
    }
    last_overrun_ = std::exchange(overruns_, 0) + unseen;
    // si_tid and si_overrun (sigaction(2)).
    info.words[0] = SignalInfo::pack(static_cast<u32>(id_), static_cast<u32>(last_overrun_));
}

void note_timer_delivered_locked(PosixTimer& timer, SignalInfo& info) {
    timer.delivered(info);
}

// --- The table of a process --------------------------------------------------------------------------------------

ProcessTimers::~ProcessTimers() {
    remove_all();
}

ProcessTimers::ProcessTimers(ThreadGroup& process)
    : real(process),
      user_time(process, nullptr, CpuTimer::Counts::UserTime),
      cpu_time(process, nullptr, CpuTimer::Counts::All) {
    user_time.signal = kSigVtalrm;
    cpu_time.signal = kSigProf;
}

Result<Ref<PosixTimer>> ProcessTimers::create(ThreadGroup& process, i32 clock, std::optional<CpuClock> cpu_clock,
                                              Own<QueuedSignal> entry) {
    i32 id = 0;
    {
        SpinLockGuard guard(lock_);
        id = next_id_;
        next_id_ = (next_id_ + 1) & 0x7fff'ffff;
    }
    return try_new_ref<PosixTimer>(process, id, clock, std::move(cpu_clock), std::move(entry));
}

void ProcessTimers::add(PosixTimer& timer) {
    timer.acquire_reference();  // the table's
    SpinLockGuard guard(lock_);
    timers_.insert(timer);
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

void take_out_of_queues(ThreadGroup& process, PosixTimer& timer) {
    SpinLockGuard guard(process.lock);
    PendingSignals& queue = timer.thread ? (*timer.thread)->pending : process.pending;
    queue.discard_timer(timer.entry());
}

}  // namespace

IntervalSetting ProcessTimers::set(PosixTimer& timer, const IntervalSetting& setting, bool absolute) {
    // First taken back, so that no signal comes after those that are taken out.
    const IntervalSetting before = timer.set({}, false);
    take_out_of_queues(real.process(), timer);
    static_cast<void>(timer.set(setting, absolute));
    return before;
}

Result<void> ProcessTimers::remove(i32 id) {
    Ref<PosixTimer> timer = TRY(find(id));
    {
        SpinLockGuard guard(lock_);
        if (!timer->tree_node.linked()) {
            return fail(Errno::einval);
        }
        timers_.remove(*timer);
    }
    // A signal that is still queued goes with its timer.
    timer->stop();
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
        timer->stop();
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
