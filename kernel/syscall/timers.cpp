/// Timers of a process: alarm, setitimer, timer_create and their kin (declared in signals.h).

#include "kernel/base/own.h"
#include "kernel/signal/process_timers.h"
#include "kernel/signal/send.h"
#include "kernel/syscall/signals.h"
#include "kernel/syscall/timeout.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using signal::IntervalSetting;
using signal::PosixTimer;
using task::Task;

namespace {

constexpr u64 kSecond = 1'000'000'000;

Result<Nanoseconds> duration_of_value(const TimeValue& value) {
    if (value.microseconds < 0 || value.microseconds >= 1'000'000) {
        return fail(Errno::einval);
    }
    return duration_of(TimeSpecification{value.seconds, value.microseconds * 1000});
}

TimeValue time_value(Nanoseconds length) {
    return {static_cast<i64>(length.value / kSecond), static_cast<i64>(length.value % kSecond / 1000)};
}
TimeSpecification time_specification(Nanoseconds length) {
    return {static_cast<i64>(length.value / kSecond), static_cast<i64>(length.value % kSecond)};
}

constexpr i32 kReal = 0, kVirtual = 1, kProfile = 2;

/// Returns the setting that one of the three had, and gives it a new one unless that is null.
Result<IntervalSetting> exchange_setting(Caller& self, i32 which, const IntervalSetting* fresh) {
    if (which < kReal || which > kProfile) {
        return fail(Errno::einval);
    }
    signal::ProcessTimers* timers = TRY(signal::timers_of(self.task.group()));
    if (which == kReal) {
        return fresh != nullptr ? timers->real.set(*fresh) : timers->real.get();
    }
    signal::CpuTimer& timer = which == kVirtual ? timers->user_time : timers->cpu_time;
    IntervalSetting before = fresh != nullptr ? timer.set(*fresh, false).before : timer.get();
    if (before.value.value != 0 && before.value.value < 1000) {
        before.value.value = 1000;  // a timer that is armed never shows zero
    }
    return before;
}

}  // namespace

/// alarm(2)
Result<u64> sys_alarm(Caller& self, u32 seconds) {
    const IntervalSetting fresh{{}, Nanoseconds::from_seconds(seconds)};
    const IntervalSetting before = TRY(exchange_setting(self, kReal, &fresh));
    // Rounded, but an alarm that is set never shows as none.
    const u64 left = (before.value.value + kSecond / 2) / kSecond;
    return before.value.value != 0 && left == 0 ? u64{1} : left;
}

/// getitimer(2)
Result<void> sys_getitimer(Caller& self, i32 which, UserOut<IntervalTimerValue> value) {
    const IntervalSetting setting = TRY(exchange_setting(self, which, nullptr));
    return value.store({time_value(setting.interval), time_value(setting.value)});
}

/// setitimer(2)
Result<void> sys_setitimer(Caller& self, i32 which, UserIn<IntervalTimerValue> fresh, UserOut<IntervalTimerValue> old) {
    IntervalSetting setting;
    if (!fresh.is_null()) {
        const IntervalTimerValue value = TRY(fresh.fetch());
        setting.interval = TRY(duration_of_value(value.interval));
        setting.value = TRY(duration_of_value(value.value));
    }
    const IntervalSetting before = TRY(exchange_setting(self, which, &setting));
    if (!old.is_null()) {
        TRY(old.store({time_value(before.interval), time_value(before.value)}));
    }
    return {};
}

namespace {

/// REALTIME, MONOTONIC, BOOTTIME and TAI; those that can only be read (or that wake a machine) are EOPNOTSUPP.
Result<std::optional<signal::CpuClock>> timer_clock(Task& self, i32 clock) {
    if (signal::CpuClock::is_number(clock) && !signal::CpuClock::is_descriptor(clock)) {
        return std::optional<signal::CpuClock>(TRY(signal::CpuClock::find(self, clock, signal::CpuClock::Use::Timing)));
    }
    if (clock == 0 || clock == 1 || clock == 7 || clock == 11) {
        return std::optional<signal::CpuClock>();
    }
    return fail(clock <= 9 ? Errno::eopnotsupp : Errno::einval);
}

Result<Own<signal::QueuedSignal>> timer_entry(Caller& self, i32 signal, u64 value) {
    task::UserAccount& account = self.task.account();
    u64 limit = 0;
    {
        SpinLockGuard guard(self.task.group().lock);
        limit = self.task.group().limits[task::Resource::PendingSignals].soft;
    }
    if (account.pending_signals.fetch_add(1, Order::relaxed) >= limit) {
        account.pending_signals.fetch_sub(1, Order::relaxed);
        return fail(Errno::eagain);
    }
    Result<Own<signal::QueuedSignal>> entry = try_new<signal::QueuedSignal>(Ref<task::UserAccount>(account));
    if (!entry.ok()) {
        account.pending_signals.fetch_sub(1, Order::relaxed);
        return fail(Errno::eagain);
    }
    entry.value()->info = {signal, 0, signal::kCodeTimer, 0, {0, value}};
    return entry;
}

}  // namespace

/// timer_create(2)
Result<void> sys_timer_create(Caller& self, i32 clock, UserIn<SignalEvent> event, UserOut<i32> id) {
    constexpr i32 kSignal = 0, kNone = 1, kThreadId = 4;
    SignalEvent wanted{};
    wanted.signal = signal::kSigAlrm;
    const bool given = !event.is_null();
    if (given) {
        wanted = TRY(event.fetch());
    }
    std::optional<signal::CpuClock> cpu_clock = TRY(timer_clock(self.task, clock));
    std::optional<Ref<task::Task>> thread;
    if (wanted.notify == kThreadId) {
        Result<Ref<task::Task>> found = g_kernel.tasks->find_task(wanted.thread);
        if (!found.ok() || &found.value()->group() != &self.task.group()) {
            return fail(Errno::einval);
        }
        thread = std::move(found).value();
    } else if (wanted.notify != kSignal && wanted.notify != kNone) {
        return fail(Errno::einval);
    }
    if (wanted.notify != kNone && !signal::is_valid_signal(wanted.signal)) {
        return fail(Errno::einval);
    }
    signal::ProcessTimers* timers = TRY(signal::timers_of(self.task.group()));
    Own<signal::QueuedSignal> entry = TRY(timer_entry(self, wanted.signal, wanted.value));
    Ref<PosixTimer> timer = TRY(timers->create(self.task.group(), clock, std::move(cpu_clock), std::move(entry)));
    timer->notify = wanted.notify == kNone ? PosixTimer::Notify::None : PosixTimer::Notify::Signal;
    timer->thread = std::move(thread);
    if (!given) {
        timer->entry().info.words[1] = static_cast<u32>(timer->id());
    }
    TRY(id.store(timer->id()));
    timers->add(*timer);
    return {};
}

namespace {

Result<Ref<PosixTimer>> find_timer(Caller& self, i32 id) {
    signal::ProcessTimers* timers = TRY(signal::timers_of(self.task.group()));
    return timers->find(id);
}

}  // namespace

/// timer_settime(2)
Result<void> sys_timer_settime(Caller& self, i32 id, i32 flags, UserIn<IntervalTimerSpecification> fresh,
                               UserOut<IntervalTimerSpecification> old) {
    constexpr i32 kAbsolute = 1;
    if (fresh.is_null()) {
        return fail(Errno::einval);
    }
    const IntervalTimerSpecification value = TRY(fresh.fetch());
    const Nanoseconds interval = TRY(duration_of(value.interval));
    const Nanoseconds first = TRY(duration_of(value.value));
    signal::ProcessTimers* timers = TRY(signal::timers_of(self.task.group()));
    Ref<PosixTimer> timer = TRY(timers->find(id));
    if (timer->is_clock_gone()) {
        return fail(Errno::esrch);
    }
    const IntervalSetting before = timers->set(*timer, {interval, first}, (flags & kAbsolute) != 0);
    if (!old.is_null()) {
        TRY(old.store({time_specification(before.interval), time_specification(before.value)}));
    }
    return {};
}

/// timer_gettime(2)
Result<void> sys_timer_gettime(Caller& self, i32 id, UserOut<IntervalTimerSpecification> value) {
    Ref<PosixTimer> timer = TRY(find_timer(self, id));
    const IntervalSetting setting = timer->get();
    return value.store({time_specification(setting.interval), time_specification(setting.value)});
}

/// timer_getoverrun(2)
Result<i32> sys_timer_getoverrun(Caller& self, i32 id) {
    Ref<PosixTimer> timer = TRY(find_timer(self, id));
    return timer->overrun();
}

/// timer_delete(2)
Result<void> sys_timer_delete(Caller& self, i32 id) {
    signal::ProcessTimers* timers = TRY(signal::timers_of(self.task.group()));
    return timers->remove(id);
}

}  // namespace cairn::syscall
