/// See real_time_clock.h (Motorola MC146818A data sheet).

#include "drivers/clock/real_time_clock.h"

#include "arch/arch.h"
#include "arch/battery_clock.h"
#include "drivers/devices/address_ranges.h"
#include "drivers/devices/device_tree.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"

namespace cairn::drivers {

namespace {

using arch::read_battery_clock;
using arch::write_battery_clock;

constexpr u8 kSeconds = 0x00;
constexpr u8 kAlarmSeconds = 0x01;
constexpr u8 kMinutes = 0x02;
constexpr u8 kAlarmMinutes = 0x03;
constexpr u8 kHours = 0x04;
constexpr u8 kAlarmHours = 0x05;
constexpr u8 kWeekday = 0x06;
constexpr u8 kDay = 0x07;
constexpr u8 kMonth = 0x08;
constexpr u8 kYear = 0x09;
constexpr u8 kStatusA = 0x0a;
constexpr u8 kStatusB = 0x0b;
constexpr u8 kStatusC = 0x0c;

constexpr u8 kUpdateInProgress = 0x80;  // status A
constexpr u8 kSet = 0x80;               // status B: the clock stands while it is set
constexpr u8 kPeriodic = 0x40;
constexpr u8 kInterruptRequest = 0x80;  // status C

constexpr u16 kPorts = 0x70;
constexpr u32 kIsaInterrupt = 8;
/// An update takes at most 2.3 ms, and a register a microsecond to read.
constexpr u32 kUpdatePolls = 20'000;
constexpr u32 kAttempts = 4;

bool wait_for_update() {
    for (u32 i = 0; i < kUpdatePolls; ++i) {
        if ((read_battery_clock(kStatusA) & kUpdateInProgress) == 0) {
            return true;
        }
    }
    return false;
}

CmosRegisters read_once(u8 century) {
    CmosRegisters result;
    result.seconds = read_battery_clock(kSeconds);
    result.minutes = read_battery_clock(kMinutes);
    result.hours = read_battery_clock(kHours);
    result.day = read_battery_clock(kDay);
    result.month = read_battery_clock(kMonth);
    result.year = read_battery_clock(kYear);
    result.century = century != 0 ? read_battery_clock(century) : u8{0};
    result.status_b = read_battery_clock(kStatusB);
    return result;
}

// --- /sys/class/rtc/rtc0 --------------------------------------------------------------------------------------------

Result<void> show_name(RealTimeClock&, TextBuffer& text) {
    text.append("rtc_cmos rtc_cmos\n");
    return {};
}
Result<void> show_date(RealTimeClock& clock, TextBuffer& text) {
    const CalendarTime time = TRY(clock.read());
    format_to(text, "{:04}-{:02}-{:02}\n", time.year, time.month, time.day);
    return {};
}
Result<void> show_time(RealTimeClock& clock, TextBuffer& text) {
    const CalendarTime time = TRY(clock.read());
    format_to(text, "{:02}:{:02}:{:02}\n", time.hours, time.minutes, time.seconds);
    return {};
}
Result<void> show_since_epoch(RealTimeClock& clock, TextBuffer& text) {
    const CalendarTime time = TRY(clock.read());
    format_to(text, "{}\n", seconds_since_epoch(time));
    return {};
}
/// The kernel's own time came from this clock.
Result<void> show_is_system_clock(RealTimeClock&, TextBuffer& text) {
    text.append("1\n");
    return {};
}
Result<void> show_number(RealTimeClock&, TextBuffer& text) {
    text.append("252:0\n");
    return {};
}
Result<void> show_event(RealTimeClock&, TextBuffer& text) {
    text.append("MAJOR=252\nMINOR=0\nDEVNAME=rtc0\n");
    return {};
}

constexpr devices::Attribute kAttributes[] = {
    devices::text<&show_date>("date"),
    devices::text<&show_number>("dev"),
    devices::text<&show_is_system_clock>("hctosys"),
    devices::text<&show_name>("name"),
    devices::text<&show_since_epoch>("since_epoch"),
    devices::text<&show_time>("time"),
    devices::text<&show_event>("uevent"),
};

Result<void> add_nodes(RealTimeClock& clock) {
    devices::DeviceTree& tree = devices::tree();
    Ref<devices::Node> parent = TRY(tree.make_path("devices/platform/rtc_cmos/rtc"));
    Ref<devices::Node> node = TRY(tree.add(*parent, "rtc0", kAttributes, &clock));
    Ref<devices::Node> all = TRY(tree.make_path("class/rtc"));
    TRY(tree.add_link(*all, "rtc0", *node));
    TRY(tree.add_link(*node, "subsystem", *all));
    return tree.add_link("dev/char", "252:0", *node);
}

}  // namespace

Result<RealTimeClock*> RealTimeClock::start(const arch::PlatformDescription& platform) {
    if (!arch::has_battery_clock()) {
        return fail(Errno::enodev);
    }
    Own<RealTimeClock> made = TRY(try_new<RealTimeClock>(arch::battery_clock_century()));
    RealTimeClock& clock = *made.release();
    Result<CalendarTime> time = clock.read();
    if (time.error() == Errno::eio) {
        return fail(Errno::enodev);
    }
    {
        SpinLockGuard guard(clock.lock_);
        clock.write_status_b(0);  // what the firmware wanted to be told
    }
    Result<void> routed = interrupt_lines.add(clock, arch::isa_interrupt_line(platform, kIsaInterrupt));
    clock.has_interrupt_ = routed.ok();
    if (!routed.ok()) {
        log_warning("rtc", "no interrupt: {}", routed.error());
    }
    devices::note_range(devices::RangeKind::Ports, kPorts, 2, "rtc_cmos");
    TRY(add_nodes(clock));
    return &clock;
}

/// Keeps the form of the numbers; only those interrupts in `value` stay on. Reading status C takes back what was
/// pending.
void RealTimeClock::write_status_b(u8 value) {
    constexpr u8 kInterrupts = kPeriodic | kAlarm | kUpdate;
    const u8 form = static_cast<u8>(read_battery_clock(kStatusB) & ~(kInterrupts | kSet));
    write_battery_clock(kStatusB, form | value);
    static_cast<void>(read_battery_clock(kStatusC));
}

/// An update may begin between the test and the last register, so two readings in a row must agree.
Result<CmosRegisters> RealTimeClock::read_registers() {
    for (u32 i = 0; i < kAttempts && wait_for_update(); ++i) {
        const CmosRegisters first = read_once(century_);
        if (wait_for_update() && read_once(century_) == first) {
            return first;
        }
    }
    return fail(Errno::eio);
}

Result<CalendarTime> RealTimeClock::read() {
    SpinLockGuard guard(lock_);
    const CmosRegisters registers = TRY(read_registers());
    const Nanoseconds time = TRY(decode_cmos_time(registers));
    return calendar_time(time.value / Nanoseconds::from_seconds(1).value);
}

Result<void> RealTimeClock::set(const CalendarTime& time) {
    SpinLockGuard guard(lock_);
    const u8 status_b = read_battery_clock(kStatusB);
    const CmosRegisters registers = TRY(encode_cmos_time(time, status_b));
    write_battery_clock(kStatusB, status_b | kSet);
    write_battery_clock(kSeconds, registers.seconds);
    write_battery_clock(kMinutes, registers.minutes);
    write_battery_clock(kHours, registers.hours);
    write_battery_clock(kWeekday, static_cast<u8>(day_of_week(time) + 1));
    write_battery_clock(kDay, registers.day);
    write_battery_clock(kMonth, registers.month);
    write_battery_clock(kYear, registers.year);
    if (century_ != 0) {
        write_battery_clock(century_, registers.century);
    }
    write_battery_clock(kStatusB, static_cast<u8>(status_b & ~kSet));
    return {};
}

RealTimeClock::Alarm RealTimeClock::alarm() {
    SpinLockGuard guard(lock_);
    CmosRegisters registers;
    registers.seconds = read_battery_clock(kAlarmSeconds);
    registers.minutes = read_battery_clock(kAlarmMinutes);
    registers.hours = read_battery_clock(kAlarmHours);
    registers.status_b = read_battery_clock(kStatusB);
    registers.day = registers.month = 1;
    registers.year = (registers.status_b & kCmosStatusBBinary) != 0 ? 70 : 0x70;
    Result<Nanoseconds> time = decode_cmos_time(registers);
    Alarm alarm;
    alarm.enabled = (registers.status_b & kAlarm) != 0;
    if (time.ok()) {
        alarm.time = calendar_time(time.value().value / Nanoseconds::from_seconds(1).value);
    }
    return alarm;
}

Result<void> RealTimeClock::set_alarm(const CalendarTime& time) {
    SpinLockGuard guard(lock_);
    CalendarTime day = time;
    day.year = 1970;
    day.month = day.day = 1;
    const CmosRegisters registers = TRY(encode_cmos_time(day, read_battery_clock(kStatusB)));
    write_battery_clock(kAlarmHours, registers.hours);
    write_battery_clock(kAlarmMinutes, registers.minutes);
    write_battery_clock(kAlarmSeconds, registers.seconds);
    return {};
}

Result<void> RealTimeClock::enable(u8 kind, bool enabled) {
    if (!has_interrupt_) {
        return fail(Errno::einval);
    }
    SpinLockGuard guard(lock_);
    const u8 wanted = read_battery_clock(kStatusB) & (kAlarm | kUpdate);
    write_status_b(static_cast<u8>(enabled ? wanted | kind : wanted & ~kind));
    return {};
}

bool RealTimeClock::handle_interrupt() {
    u8 kinds = 0;
    {
        SpinLockGuard guard(lock_);
        const u8 pending = read_battery_clock(kStatusC);
        if ((pending & kInterruptRequest) == 0) {
            return false;
        }
        kinds = pending & read_battery_clock(kStatusB) & (kAlarm | kUpdate);
    }
    if (kinds != 0) {
        u64 before = events_.load(Order::relaxed);
        while (!events_.compare_exchange(before, (before + 0x100) | kInterruptRequest | kinds, Order::acq_rel,
                                         Order::relaxed)) {
        }
        waiters_.wake_all();
    }
    return true;
}

}  // namespace cairn::drivers
