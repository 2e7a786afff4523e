#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

constexpr u64 kPerSecond = 1'000'000'000;

}  // namespace

Result<Nanoseconds> duration_of(const TimeSpecification& time) {
    if (time.seconds < 0 || static_cast<u64>(time.nanoseconds) >= kPerSecond) {
        return fail(Errno::einval);
    }
    const u64 seconds = static_cast<u64>(time.seconds);
    if (seconds >= ~u64{0} / kPerSecond) {
        return Nanoseconds::never();
    }
    return Nanoseconds::from_seconds(seconds) + Nanoseconds{static_cast<u64>(time.nanoseconds)};
}

Result<Nanoseconds> fetch_deadline(UserInOut<TimeSpecification> timeout) {
    if (timeout.is_null()) {
        return Nanoseconds::never();
    }
    const TimeSpecification time = TRY(timeout.fetch());
    const Nanoseconds duration = TRY(duration_of(time));
    // Zero is "do not wait", whatever the clock says.
    return duration.value == 0 ? Nanoseconds{} : time::now() + duration;
}

Result<Nanoseconds> fetch_wall_deadline(UserIn<TimeSpecification> time) {
    if (time.is_null()) {
        return Nanoseconds::never();
    }
    const TimeSpecification fetched = TRY(time.fetch());
    const Nanoseconds at = TRY(duration_of(fetched));
    return time::now() + (at - time::wall_now());
}

Result<void> store_time_left(UserInOut<TimeSpecification> timeout, Nanoseconds deadline) {
    // As on Linux, nothing is said of a call that was not to wait.
    if (timeout.is_null() || deadline.value == 0) {
        return {};
    }
    const Nanoseconds left = deadline - time::now();
    return timeout.store({static_cast<i64>(left.value / kPerSecond), static_cast<i64>(left.value % kPerSecond)});
}

}  // namespace cairn::syscall
