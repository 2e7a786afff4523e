#pragma once
/// Timeouts as programs pass them: a length of time, checked and made a deadline of the monotonic clock, and the rest
/// of it given back.

#include "kernel/syscall/polling.h"
#include "kernel/time/clock.h"

namespace cairn::syscall {

/// Saturates: what lies beyond 584 years never comes. EINVAL for negative or unnormalised times.
Result<Nanoseconds> duration_of(const TimeSpecification& time);

/// When the call gives up. Null: never.
Result<Nanoseconds> fetch_deadline(UserInOut<TimeSpecification> timeout);
/// As an absolute time of the wall clock. Null: never.
Result<Nanoseconds> fetch_wall_deadline(UserIn<TimeSpecification> time);
/// Tells the program how much time is left; null: nothing.
Result<void> store_time_left(UserInOut<TimeSpecification> timeout, Nanoseconds deadline);

}  // namespace cairn::syscall
