#include "kernel/syscall/time.h"

#include "fs/event/timer_file.h"
#include "kernel/base/kernel.h"
#include "kernel/signal/cpu_clock.h"
#include "kernel/syscall/timeout.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

namespace cairn::syscall {

using signal::CpuClock;

namespace {

constexpr u64 kSecond = 1'000'000'000;
constexpr i32 kRealtime = 0, kMonotonic = 1, kThreadTime = 3, kMonotonicRaw = 4;
constexpr i32 kRealtimeCoarse = 5, kMonotonicCoarse = 6, kBootTime = 7, kRealtimeAlarm = 8, kBootTimeAlarm = 9;
constexpr i32 kInternationalAtomic = 11;

TimeSpecification specification(Nanoseconds time) {
    return {static_cast<i64>(time.value / kSecond), static_cast<i64>(time.value % kSecond)};
}

Result<Nanoseconds> read_clock(Caller& self, i32 clock) {
    switch (clock) {
        case kRealtime:
        case kRealtimeCoarse:
        case kRealtimeAlarm:
        case kInternationalAtomic:
            return time::wall_now();
        case kMonotonic:
        case kMonotonicRaw:
        case kMonotonicCoarse:
        case kBootTime:
        case kBootTimeAlarm:
            return time::now();
        case kThreadTime:
            return self.task.thread().run_time();
        default:
            break;
    }
    if (!CpuClock::is_number(clock)) {
        return fail(Errno::einval);
    }
    const CpuClock of = TRY(CpuClock::find(self.task, clock, CpuClock::Use::Reading));
    return of.now();
}

/// Sleeps to a deadline of the monotonic clock; `left` null: absolute sleep, restarted as it was.
Result<u64> sleep_relative(Caller& self, const u64 (&data)[6]) {
    const Nanoseconds deadline{data[0]};
    sync::Parking parking;
    if (parking.sleep(sync::SleepKind::Interruptible, deadline) == sync::WakeReason::TimedOut) {
        return u64{0};
    }
    const UserOut<TimeSpecification> left(data[1]);
    if (!left.is_null()) {
        TRY(left.store(specification(deadline - time::now())));
    }
    return self.interrupted({&sleep_relative, {data[0], data[1]}});
}

/// The same on a clock of processor time, whose number is data[2].
Result<u64> sleep_on_cpu_clock(Caller& self, const u64 (&data)[6]) {
    const CpuClock clock = TRY(CpuClock::find(self.task, static_cast<i32>(data[2]), CpuClock::Use::Timing));
    Nanoseconds when{data[0]};
    const Nanoseconds left = signal::sleep_on(clock, when, data[3] != 0);
    if (left.value == 0) {
        return u64{0};
    }
    const UserOut<TimeSpecification> rest(data[1]);
    if (!rest.is_null()) {
        TRY(rest.store(specification(left)));
    }
    return self.interrupted({&sleep_on_cpu_clock, {when.value, data[1], data[2], 1}});
}

Result<void> sleep_until_absolute(i32 clock, Nanoseconds when) {
    Nanoseconds deadline = when;
    if (clock == kRealtime || clock == kInternationalAtomic) {
        deadline = time::now() + (when - time::wall_now());
    }
    sync::Parking parking;
    if (parking.sleep(sync::SleepKind::Interruptible, deadline) == sync::WakeReason::TimedOut) {
        return {};
    }
    return fail(Errno::eintr);
}

}  // namespace

/// nanosleep(2)
Result<void> sys_nanosleep(Caller& self, UserIn<TimeSpecification> length, UserOut<TimeSpecification> left) {
    return sys_clock_nanosleep(self, kMonotonic, 0, length, left);
}

/// clock_nanosleep(2)
Result<void> sys_clock_nanosleep(Caller& self, i32 clock, i32 flags, UserIn<TimeSpecification> time,
                                 UserOut<TimeSpecification> left) {
    constexpr i32 kAbsolute = 1;
    const bool of_cpu = CpuClock::is_number(clock);
    if (clock == kThreadTime || CpuClock::is_descriptor(clock)) {
        return fail(Errno::eopnotsupp);
    }
    if (!of_cpu && clock != kRealtime && clock != kMonotonic && clock != kBootTime && clock != kInternationalAtomic) {
        return fail(clock <= kBootTimeAlarm ? Errno::eopnotsupp : Errno::einval);
    }
    const TimeSpecification wanted = TRY(time.fetch());
    const Nanoseconds length = TRY(duration_of(wanted));
    if (of_cpu) {
        if (CpuClock::is_own_thread(self.task, clock)) {
            return fail(Errno::einval);
        }
        const bool absolute = (flags & kAbsolute) != 0;
        const Result<u64> slept = sleep_on_cpu_clock(
            self, {length.value, absolute ? 0 : left.address().value, static_cast<u64>(clock), absolute});
        if (!slept.ok() && absolute) {
            self.task.set_restart(task::RestartKind::WithoutHandler);
        }
        return slept.ok() ? Result<void>() : fail(slept.error());
    }
    if ((flags & kAbsolute) != 0) {
        Result<void> slept = sleep_until_absolute(clock, length);
        if (!slept.ok()) {
            self.task.set_restart(task::RestartKind::WithoutHandler);
        }
        return slept;
    }
    TRY(sleep_relative(self, {(time::now() + length).value, left.address().value}));
    return {};
}

/// clock_gettime(2)
Result<void> sys_clock_gettime(Caller& self, i32 clock, UserOut<TimeSpecification> time) {
    const Nanoseconds now = TRY(read_clock(self, clock));
    return time.store(specification(now));
}

namespace {

Result<void> set_wall_clock(Caller& self, Nanoseconds wall) {
    if (!self.credentials().has(vfs::Capability::SysTime)) {
        return fail(Errno::eperm);
    }
    TRY(g_kernel.clock->set_wall(wall));
    event::realtime_clock_was_set();
    return {};
}

enum class ClockRuns : u8 { AsSet, InLocalTime };

/// The first zone that comes without a time says that the battery clock, from which the time came, shows local time, so
/// that the time is corrected (settimeofday(2), "warp"). EPERM, EINVAL.
Result<void> set_zone(Caller& self, time::Clock::Zone zone, ClockRuns clock) {
    constexpr i32 kMost = 15 * 60;
    if (!self.credentials().has(vfs::Capability::SysTime)) {
        return fail(Errno::eperm);
    }
    if (zone.minutes_west > kMost || zone.minutes_west < -kMost) {
        return fail(Errno::einval);
    }
    const bool first = g_kernel.clock->set_zone(zone);
    if (!first || clock == ClockRuns::AsSet || zone.minutes_west == 0) {
        return {};
    }
    const i64 seconds = i64{zone.minutes_west} * 60;
    return set_wall_clock(self, Nanoseconds{time::wall_now().value + static_cast<u64>(seconds) * kSecond});
}

}  // namespace

/// clock_settime(2)
Result<void> sys_clock_settime(Caller& self, i32 clock, UserIn<TimeSpecification> time) {
    const TimeSpecification wanted = TRY(time.fetch());
    if (clock < 0) {
        TRY(CpuClock::find(self.task, clock, CpuClock::Use::Reading));
        return fail(Errno::eperm);
    }
    if (clock != kRealtime) {
        return fail(Errno::einval);
    }
    return set_wall_clock(self, TRY(duration_of(wanted)));
}

/// clock_getres(2)
Result<void> sys_clock_getres(Caller& self, i32 clock, UserOut<TimeSpecification> resolution) {
    TRY(read_clock(self, clock));
    const bool sampled = clock < 0 && (clock & CpuClock::kKindMask) != CpuClock::kScheduled;
    const bool coarse = clock == kRealtimeCoarse || clock == kMonotonicCoarse || sampled;
    if (resolution.is_null()) {
        return {};
    }
    return resolution.store({0, coarse ? 4'000'000 : 1});
}

/// gettimeofday(2)
Result<void> sys_gettimeofday(Caller&, UserOut<TimeValue> time, UserOut<TimeZone> zone) {
    if (!time.is_null()) {
        const Nanoseconds now = time::wall_now();
        TRY(time.store({static_cast<i64>(now.value / kSecond), static_cast<i64>(now.value % kSecond / 1000)}));
    }
    if (!zone.is_null()) {
        const time::Clock::Zone known = g_kernel.clock->zone();
        TRY(zone.store({known.minutes_west, known.daylight_saving}));
    }
    return {};
}

/// settimeofday(2)
Result<void> sys_settimeofday(Caller& self, UserIn<TimeValue> time, UserIn<TimeZone> zone) {
    if (!zone.is_null()) {
        const TimeZone wanted = TRY(zone.fetch());
        if (time.is_null()) {
            return set_zone(self, {wanted.minutes_west, wanted.daylight_saving}, ClockRuns::InLocalTime);
        }
        TRY(set_zone(self, {wanted.minutes_west, wanted.daylight_saving}, ClockRuns::AsSet));
    }
    if (time.is_null()) {
        return {};
    }
    const TimeValue wanted = TRY(time.fetch());
    if (wanted.microseconds < 0 || wanted.microseconds >= 1'000'000) {
        return fail(Errno::einval);
    }
    return set_wall_clock(self, TRY(duration_of({wanted.seconds, wanted.microseconds * 1000})));
}

/// time(2)
Result<i64> sys_time(Caller&, UserOut<i64> time) {
    const i64 now = static_cast<i64>(time::wall_now().value / kSecond);
    if (!time.is_null()) {
        TRY(time.store(now));
    }
    return now;
}

}  // namespace cairn::syscall
