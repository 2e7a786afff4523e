/// See clock_device.h.

#include "fs/devtmpfs/clock_device.h"

#include "fs/vfs/credentials.h"
#include "fs/vfs/devices.h"
#include "fs/vfs/file.h"
#include "mm/user_memory.h"

namespace cairn::fs::devtmpfs {

namespace {

using drivers::RealTimeClock;

constexpr u32 kMajor = 252;

/// struct rtc_time (linux/rtc.h).
struct RtcTime {
    i32 seconds, minutes, hours, day, month, years_since_1900, weekday, day_of_year, daylight_saving;
};
/// struct rtc_wkalrm.
struct RtcAlarm {
    u8 enabled;
    u8 pending;
    u8 padding[2];
    RtcTime time;
};

constexpr u32 kAlarmOn = 0x7001, kAlarmOff = 0x7002, kUpdateOn = 0x7003, kUpdateOff = 0x7004;
constexpr u32 kSetAlarm = 0x4024'7007, kReadAlarm = 0x8024'7008, kReadTime = 0x8024'7009, kSetTime = 0x4024'700a;
constexpr u32 kSetWakeAlarm = 0x4028'700f, kReadWakeAlarm = 0x8028'7010;

RtcTime to_program(const CalendarTime& time) {
    return {.seconds = static_cast<i32>(time.seconds),
            .minutes = static_cast<i32>(time.minutes),
            .hours = static_cast<i32>(time.hours),
            .day = static_cast<i32>(time.day),
            .month = static_cast<i32>(time.month) - 1,
            .years_since_1900 = static_cast<i32>(time.year) - 1900,
            .weekday = static_cast<i32>(day_of_week(time)),
            .day_of_year = static_cast<i32>(day_of_year(time)),
            .daylight_saving = 0};
}

/// EINVAL (rtc_valid_tm).
Result<CalendarTime> from_program(const RtcTime& time) {
    const CalendarTime result{.year = static_cast<u32>(time.years_since_1900) + 1900,
                              .month = static_cast<u32>(time.month) + 1,
                              .day = static_cast<u32>(time.day),
                              .hours = static_cast<u32>(time.hours),
                              .minutes = static_cast<u32>(time.minutes),
                              .seconds = static_cast<u32>(time.seconds)};
    return exists(result) ? Result<CalendarTime>(result) : fail(Errno::einval);
}

/// One open file at a time, as on Linux.
struct ClockDevice {
    RealTimeClock* clock = nullptr;
    Atomic<bool> busy{false};
};
constinit ClockDevice the_clock;

class ClockFile final : public vfs::File {
public:
    using File::File;

    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64&) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override {
        if (registrar != nullptr) {
            registrar->watch(clock().waiters(), vfs::kPollIn);
        }
        return clock().has_events() ? vfs::kPollIn | vfs::kPollReadNormal : 0;
    }
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;

private:
    static RealTimeClock& clock() { return *the_clock.clock; }
    static Result<void> set_time(vfs::OperationContext& context, u64 argument);
    static Result<void> set_alarm(const RtcTime& time);
    void closed() override;
    void destroy() override { destroy_counted(this); }
};

/// Four or eight bytes.
Result<usize> ClockFile::read(vfs::OperationContext&, mm::IoSink& sink, u64&) {
    const usize wanted = sink.remaining();
    if (wanted != sizeof(u32) && wanted < sizeof(u64)) {
        return fail(Errno::einval);
    }
    u64 events = clock().take_events();
    while (events == 0) {
        if (non_blocking()) {
            return fail(Errno::eagain);
        }
        auto came = [] { return clock().has_events(); };
        if (clock().waiters().wait_until(came, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
        events = clock().take_events();
    }
    return sink.put(&events, wanted == sizeof(u32) ? sizeof(u32) : sizeof(u64));
}

Result<void> ClockFile::set_time(vfs::OperationContext& context, u64 argument) {
    if (!context.credentials.has(vfs::Capability::SysTime)) {
        return fail(Errno::eacces);
    }
    const RtcTime wanted = TRY(mm::UserIn<RtcTime>(argument).fetch());
    const CalendarTime time = TRY(from_program(wanted));
    return clock().set(time);
}

/// The chip knows times of day only.
Result<void> ClockFile::set_alarm(const RtcTime& time) {
    const CalendarTime day{.hours = static_cast<u32>(time.hours),
                           .minutes = static_cast<u32>(time.minutes),
                           .seconds = static_cast<u32>(time.seconds)};
    return clock().set_alarm(day);
}

Result<u64> ClockFile::ioctl(vfs::OperationContext& context, u32 command, u64 argument) {
    switch (command) {
        case kReadTime: {
            const CalendarTime time = TRY(clock().read());
            TRY(mm::UserOut<RtcTime>(argument).store(to_program(time)));
            return u64{0};
        }
        case kSetTime:
            TRY(set_time(context, argument));
            return u64{0};
        case kUpdateOn:
        case kUpdateOff:
            TRY(clock().enable(RealTimeClock::kUpdate, command == kUpdateOn));
            return u64{0};
        case kAlarmOn:
        case kAlarmOff:
            TRY(clock().enable(RealTimeClock::kAlarm, command == kAlarmOn));
            return u64{0};
        case kReadAlarm:
            TRY(mm::UserOut<RtcTime>(argument).store(to_program(clock().alarm().time)));
            return u64{0};
        case kSetAlarm: {
            const RtcTime wanted = TRY(mm::UserIn<RtcTime>(argument).fetch());
            TRY(set_alarm(wanted));
            return u64{0};
        }
        case kReadWakeAlarm: {
            const RealTimeClock::Alarm alarm = clock().alarm();
            TRY(mm::UserOut<RtcAlarm>(argument).store({alarm.enabled, 0, {}, to_program(alarm.time)}));
            return u64{0};
        }
        case kSetWakeAlarm: {
            const RtcAlarm wanted = TRY(mm::UserIn<RtcAlarm>(argument).fetch());
            TRY(set_alarm(wanted.time));
            TRY(clock().enable(RealTimeClock::kAlarm, wanted.enabled != 0));
            return u64{0};
        }
        default:
            return fail(Errno::enotty);
    }
}

void ClockFile::closed() {
    static_cast<void>(clock().enable(RealTimeClock::kUpdate, false));
    static_cast<void>(clock().take_events());
    the_clock.busy.store(false, Order::release);
}

Result<Ref<vfs::File>> open_clock(vfs::OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request) {
    if (the_clock.busy.exchange(true, Order::acq_rel)) {
        return fail(Errno::ebusy);
    }
    Result<Ref<vfs::File>> made = vfs::try_new_file<ClockFile>(Ref<vfs::Inode>(inode), request.flags, request.path);
    if (!made.ok()) {
        the_clock.busy.store(false, Order::release);
    }
    return made;
}

}  // namespace

Result<void> register_clock_device(RealTimeClock& clock) {
    the_clock.clock = &clock;
    return vfs::register_character_device({.major = kMajor, .name = "rtc0", .permissions = 0600, .open = &open_clock});
}

}  // namespace cairn::fs::devtmpfs
