#include "fs/event/timer_file.h"

#include "fs/anonymous/anonymous_files.h"
#include "fs/event/event_files.h"
#include "kernel/base/format.h"
#include "kernel/base/kernel.h"
#include "kernel/time/clock.h"

namespace cairn::event {

namespace {

constexpr u64 kPerSecond = 1'000'000'000;

}  // namespace

/// A relative timer of the wall clock goes by the monotonic one: setting the clock does not move it
/// (timerfd_create(2)).
Nanoseconds TimerFile::clock_now() const {
    return by_wall_clock() && absolute_ ? time::wall_now() : time::now();
}

/// Has the timer fire at next_.
void TimerFile::arm() {
    const Nanoseconds left = next_ - clock_now();
    timer_.arm(next_ == Nanoseconds::never() ? next_ : time::now() + left);
}

void TimerFile::fire(time::Timer& timer) {
    TimerFile& self = *object_of_member<TimerFile, time::Timer, &TimerFile::timer_>(&timer);
    {
        SpinLockGuard guard(self.lock_);
        if (self.next_.value == 0 || self.resting_ || self.clock_now() < self.next_) {
            return;  // disarmed or set anew while the interrupt was on its way
        }
        self.resting_ = true;
        ++self.ticks_;
    }
    self.readers_.wake_one();
    self.pollers_.wake_one();
}

/// Counts the periods since the timer fired and has it fire again at the end of the present one.
void TimerFile::count_periods() {
    if (!resting_) {
        return;
    }
    resting_ = false;
    if (interval_.value == 0) {
        next_ = {};
        return;
    }
    const u64 passed = (clock_now() - next_).value / interval_.value;
    ticks_ += passed;
    next_ += Nanoseconds{(passed + 1) * interval_.value};
    arm();
}

TimerSetting TimerFile::setting_now() {
    count_periods();
    if (next_.value == 0) {
        return {interval_, {}};
    }
    const Nanoseconds left = next_ - clock_now();
    // Zero would say "disarmed".
    return {interval_, left.value == 0 ? Nanoseconds{1} : left};
}

Result<TimerSetting> TimerFile::set(const TimerSetting& setting, u32 flags) {
    SpinLockGuard guard(lock_);
    const TimerSetting before = setting_now();
    static_cast<void>(timer_.cancel());
    absolute_ = (flags & kAbsolute) != 0;
    cancel_on_set_ = absolute_ && by_wall_clock() && (flags & kCancelOnSet) != 0;
    const bool cancelled = std::exchange(cancelled_, false) && cancel_on_set_ && setting.first.value != 0;
    flags_ = flags;
    resting_ = false;
    ticks_ = 0;
    interval_ = setting.interval;
    next_ = {};
    if (setting.first.value != 0) {
        next_ = absolute_ ? setting.first : clock_now() + setting.first;
        arm();
    }
    if (cancelled) {
        return fail(Errno::ecanceled);
    }
    return before;
}

TimerSetting TimerFile::get() {
    SpinLockGuard guard(lock_);
    return setting_now();
}

void TimerFile::clock_was_set() {
    bool wake = false;
    {
        SpinLockGuard guard(lock_);
        if (cancel_on_set_) {
            cancelled_ = true;
            wake = true;
        }
        if (next_.value != 0 && !resting_ && absolute_) {
            arm();
        }
    }
    if (wake) {
        readers_.wake_all();
        pollers_.wake_all();
    }
}

void realtime_clock_was_set() {
    EventFiles& files = *g_kernel.event_files;
    SpinLockGuard guard(files.wall_timers_lock);
    for (TimerFile& file : files.wall_timers) {
        file.clock_was_set();
    }
}

/// False: nothing to read yet.
bool TimerFile::take(u64& ticks, bool& cancelled) {
    SpinLockGuard guard(lock_);
    cancelled = std::exchange(cancelled_, false);
    if (cancelled) {
        ticks_ = 0;
        resting_ = false;
        return true;
    }
    if (ticks_ == 0) {
        return false;
    }
    count_periods();
    ticks = std::exchange(ticks_, 0);
    return true;
}

bool TimerFile::readable_now() {
    SpinLockGuard guard(lock_);
    return ticks_ != 0 || cancelled_;
}

Result<usize> TimerFile::read(vfs::OperationContext&, mm::IoSink& sink, u64&) {
    if (sink.remaining() < sizeof(u64)) {
        return fail(Errno::einval);
    }
    u64 ticks = 0;
    bool cancelled = false;
    while (!take(ticks, cancelled)) {
        if (non_blocking()) {
            return fail(Errno::eagain);
        }
        auto expired = [this] { return readable_now(); };
        if (readers_.wait_until(expired, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
    if (cancelled) {
        return fail(Errno::ecanceled);
    }
    if (TRY(sink.put(&ticks, sizeof ticks)) != sizeof ticks) {
        return fail(Errno::efault);
    }
    return sizeof ticks;
}

vfs::PollEvents TimerFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(pollers_, vfs::kPollIn);
    }
    return readable_now() ? vfs::kPollIn : 0;
}

void TimerFile::describe(TextBuffer& text) {
    u64 ticks = 0;
    u32 flags = 0;
    TimerSetting setting;
    {
        SpinLockGuard guard(lock_);
        ticks = ticks_;
        flags = flags_;
        setting = {interval_, next_.value == 0 ? Nanoseconds{} : next_ - clock_now()};
    }
    format_to(text, "clockid: {}\nticks: {}\nsettime flags: 0{}{}\n", static_cast<u32>(clock_), ticks, flags >> 3 & 7,
              flags & 7);
    format_to(text, "it_value: ({}, {})\n", setting.first.value / kPerSecond, setting.first.value % kPerSecond);
    format_to(text, "it_interval: ({}, {})\n", setting.interval.value / kPerSecond,
              setting.interval.value % kPerSecond);
}

void TimerFile::closed() {
    if (by_wall_clock()) {
        SpinLockGuard guard(g_kernel.event_files->wall_timers_lock);
        wall_node.unlink();
    }
    static_cast<void>(timer_.cancel_and_wait());
}

Result<Ref<vfs::File>> create_timer(TimerClock clock, u32 flags) {
    const u32 status = (flags & vfs::open_flags::kNonBlock) | vfs::open_flags::kReadWrite;
    Ref<TimerFile> file = TRY(try_new_ref<TimerFile>(g_kernel.anonymous_files->shared_inode(), status, clock));
    if (clock == TimerClock::Realtime || clock == TimerClock::RealtimeAlarm) {
        EventFiles& files = *g_kernel.event_files;
        SpinLockGuard guard(files.wall_timers_lock);
        files.wall_timers.push_back(*file);
    }
    return Ref<vfs::File>::adopt(file.release());
}

TimerFile* find_timer(vfs::File& file) {
    return file.kind() == &TimerFile::kKind ? static_cast<TimerFile*>(&file) : nullptr;
}

}  // namespace cairn::event
