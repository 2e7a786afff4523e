#pragma once
/// timerfd_create(2): a timer that is read. It fires once and then rests until it is read or asked about, when the
/// periods that have passed are counted; so a fast timer that nobody reads costs nothing.
///
/// `lock_` (rank EventCounter) protects the setting; the timer's callback takes it in the timer interrupt.

#include "fs/vfs/file.h"
#include "kernel/base/list.h"
#include "kernel/time/timer.h"

namespace cairn::event {

class EventFiles;

/// clock_gettime(2); what a timerfd may go by.
enum class TimerClock : u8 { Realtime = 0, Monotonic = 1, BootTime = 7, RealtimeAlarm = 8, BootTimeAlarm = 9 };

struct TimerSetting {
    Nanoseconds interval;
    Nanoseconds first;  // zero: disarmed
};

class TimerFile final : public vfs::File {
public:
    static constexpr u32 kAbsolute = 1, kCancelOnSet = 2;  // TFD_TIMER_*

    TimerFile(Ref<vfs::Inode> inode, u32 flags, TimerClock clock)
        : File(std::move(inode), flags), clock_(clock), timer_(&fire) {}

    /// timerfd_settime(2); returns what was in force. EINVAL is the caller's to check. ECANCELED: it is set, but the
    /// clock was set before, of which no read has told.
    Result<TimerSetting> set(const TimerSetting& setting, u32 flags);
    /// timerfd_gettime(2): how long until it fires next.
    TimerSetting get();

    /// ECANCELED: the clock was set (TFD_TIMER_CANCEL_ON_SET).
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    void describe(TextBuffer& text) override;
    void describe_link(TextBuffer& text) override { text.append("anon_inode:[timerfd]"); }
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

    ListNode wall_node;  // of EventFiles::wall_timers, under its lock

private:
    friend void realtime_clock_was_set();

    void closed() override;
    void destroy() override { destroy_counted(this); }
    static void fire(time::Timer& timer);
    bool by_wall_clock() const { return clock_ == TimerClock::Realtime || clock_ == TimerClock::RealtimeAlarm; }
    /// The clock that next_ is a time of.
    Nanoseconds clock_now() const REQUIRES(lock_);
    void clock_was_set();
    bool take(u64& ticks, bool& cancelled);
    bool readable_now();
    void arm() REQUIRES(lock_);
    void count_periods() REQUIRES(lock_);
    TimerSetting setting_now() REQUIRES(lock_);

    const TimerClock clock_;
    SpinLock<LockRank::EventCounter> lock_;
    time::Timer timer_;                   // armed and cancelled under lock_
    Nanoseconds next_ GUARDED_BY(lock_);  // when it fires, by its clock; zero: disarmed
    Nanoseconds interval_ GUARDED_BY(lock_);
    bool resting_ GUARDED_BY(lock_) = false;  // fired, and periods since then are not counted yet
    bool absolute_ GUARDED_BY(lock_) = false;
    bool cancel_on_set_ GUARDED_BY(lock_) = false;
    bool cancelled_ GUARDED_BY(lock_) = false;
    u32 flags_ GUARDED_BY(lock_) = 0;
    u64 ticks_ GUARDED_BY(lock_) = 0;
    sync::WaitQueue readers_;
    sync::WaitQueue pollers_;
};

/// ENOMEM.
Result<Ref<vfs::File>> create_timer(TimerClock clock, u32 flags);
TimerFile* find_timer(vfs::File& file);

/// After clock_settime(CLOCK_REALTIME) and the like: absolute timers move, and those with TFD_TIMER_CANCEL_ON_SET are
/// cancelled. Thread context.
void realtime_clock_was_set();

}  // namespace cairn::event
