#include "kernel/syscall/events.h"

#include "fs/event/event_counter.h"
#include "fs/event/signal_file.h"
#include "fs/event/timer_file.h"
#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

/// Of all three calls: EFD_*, TFD_*, SFD_* are O_*.
constexpr u32 kFileFlags = vfs::open_flags::kCloseOnExec | vfs::open_flags::kNonBlock;
constexpr u32 kSemaphore = 1;  // EFD_SEMAPHORE
constexpr u64 kPerSecond = 1'000'000'000;

Result<Fd> install(Caller& self, Ref<vfs::File> file, u32 flags) {
    return self.install(std::move(file), (flags & vfs::open_flags::kCloseOnExec) != 0);
}

TimeSpecification specification_of(Nanoseconds time) {
    return {static_cast<i64>(time.value / kPerSecond), static_cast<i64>(time.value % kPerSecond)};
}

Result<Ref<vfs::File>> find_timer_file(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (event::find_timer(*file) == nullptr) {
        return fail(Errno::einval);
    }
    return file;
}

Result<event::TimerClock> clock_of(Caller& self, i32 clock) {
    using enum event::TimerClock;
    for (event::TimerClock known : {Realtime, Monotonic, BootTime, RealtimeAlarm, BootTimeAlarm}) {
        if (clock != static_cast<i32>(known)) {
            continue;
        }
        const bool alarm = known == RealtimeAlarm || known == BootTimeAlarm;
        if (alarm && !self.credentials().has(vfs::Capability::WakeAlarm)) {
            return fail(Errno::eperm);
        }
        return known;
    }
    return fail(Errno::einval);
}

}  // namespace

/// eventfd(2).
Result<Fd> sys_eventfd(Caller& self, u32 initial) {
    return sys_eventfd2(self, initial, 0);
}

/// eventfd2(2).
Result<Fd> sys_eventfd2(Caller& self, u32 initial, u32 flags) {
    if ((flags & ~(kFileFlags | kSemaphore)) != 0) {
        return fail(Errno::einval);
    }
    const auto mode =
        (flags & kSemaphore) != 0 ? event::EventCounter::Mode::Semaphore : event::EventCounter::Mode::Counter;
    Ref<vfs::File> file = TRY(event::create_event_counter(initial, flags, mode));
    return install(self, std::move(file), flags);
}

/// timerfd_create(2).
Result<Fd> sys_timerfd_create(Caller& self, i32 clock, u32 flags) {
    if ((flags & ~kFileFlags) != 0) {
        return fail(Errno::einval);
    }
    const event::TimerClock which = TRY(clock_of(self, clock));
    Ref<vfs::File> file = TRY(event::create_timer(which, flags));
    return install(self, std::move(file), flags);
}

/// timerfd_settime(2).
Result<void> sys_timerfd_settime(Caller& self, Fd fd, u32 flags, UserIn<TimerSpecification> setting,
                                 UserOut<TimerSpecification> before) {
    const TimerSpecification wanted = TRY(setting.fetch());
    if ((flags & ~(event::TimerFile::kAbsolute | event::TimerFile::kCancelOnSet)) != 0) {
        return fail(Errno::einval);
    }
    const Nanoseconds first = TRY(duration_of(wanted.value));
    const Nanoseconds interval = TRY(duration_of(wanted.interval));
    Ref<vfs::File> file = TRY(find_timer_file(self, fd));
    const event::TimerSetting old = TRY(event::find_timer(*file)->set({interval, first}, flags));
    if (before.is_null()) {
        return {};
    }
    return before.store({specification_of(old.interval), specification_of(old.first)});
}

/// timerfd_gettime(2).
Result<void> sys_timerfd_gettime(Caller& self, Fd fd, UserOut<TimerSpecification> setting) {
    Ref<vfs::File> file = TRY(find_timer_file(self, fd));
    const event::TimerSetting now = event::find_timer(*file)->get();
    return setting.store({specification_of(now.interval), specification_of(now.first)});
}

/// signalfd(2).
Result<Fd> sys_signalfd(Caller& self, Fd fd, UserIn<u64> mask, usize mask_size) {
    return sys_signalfd4(self, fd, mask, mask_size, 0);
}

/// signalfd4(2): -1 makes a new descriptor, any other changes the mask of the one it names.
Result<Fd> sys_signalfd4(Caller& self, Fd fd, UserIn<u64> mask, usize mask_size, u32 flags) {
    if (mask_size != sizeof(u64)) {
        return fail(Errno::einval);
    }
    const u64 wanted = TRY(mask.fetch());
    if ((flags & ~kFileFlags) != 0) {
        return fail(Errno::einval);
    }
    if (fd.value == -1) {
        Ref<vfs::File> file = TRY(event::create_signal_file(wanted, flags));
        return install(self, std::move(file), flags);
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    event::SignalFile* signals = event::find_signal_file(*file);
    if (signals == nullptr) {
        return fail(Errno::einval);
    }
    signals->set_mask(wanted);
    return fd;
}

}  // namespace cairn::syscall
