#pragma once
/// The battery clock as a device (rtc(4)): read, set, an alarm, and an interrupt at each second. Times are what the
/// clock shows; whether that is UTC or local time is for programs to know (hwclock(8)).
///
/// Lock: `lock_` (rank RealTimeClock) around the registers that belong together and what interrupts are wanted.

#include "arch/platform.h"
#include "drivers/clock/cmos_time.h"
#include "drivers/interrupt_lines.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::drivers {

class RealTimeClock final : private InterruptHandler {
public:
    /// What an interrupt was for; bits as of status C and rtc(4).
    static constexpr u8 kAlarm = 0x20;
    static constexpr u8 kUpdate = 0x10;

    /// Makes the clock of the machine, with its interrupt, and its folder in the tree of devices. ENODEV: there is
    /// none; ENOMEM. Start-up, thread context. Lives for ever.
    static Result<RealTimeClock*> start(const arch::PlatformDescription& platform);

    /// EIO: the clock does not answer; EINVAL: it shows no date. Any context.
    Result<CalendarTime> read();
    /// EINVAL. Any context.
    Result<void> set(const CalendarTime& time);

    struct Alarm {
        CalendarTime time;  // hours, minutes, seconds; the chip knows no more
        bool enabled = false;
    };
    Alarm alarm();
    /// Sets the alarm to the next moment of this time of day. EINVAL.
    Result<void> set_alarm(const CalendarTime& time);
    /// Whether interrupts of one kind come. EINVAL: the clock has no interrupt.
    Result<void> enable(u8 kind, bool enabled);

    /// What came since the last call, and how often: count << 8 | kinds (read(2) of rtc(4)); 0: nothing.
    u64 take_events() { return events_.exchange(0, Order::acq_rel); }
    bool has_events() const { return events_.load(Order::acquire) != 0; }
    sync::WaitQueue& waiters() { return waiters_; }

    explicit RealTimeClock(u8 century) : century_(century) {}

private:
    bool handle_interrupt() override;
    Result<CmosRegisters> read_registers() REQUIRES(lock_);
    void write_status_b(u8 value) REQUIRES(lock_);

    const u8 century_;
    bool has_interrupt_ = false;  // constant after start()
    SpinLock<LockRank::RealTimeClock> lock_;
    Atomic<u64> events_{0};
    sync::WaitQueue waiters_;
};

}  // namespace cairn::drivers
