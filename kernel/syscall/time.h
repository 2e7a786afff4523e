#pragma once
/// Clocks and sleeping.

#include "kernel/syscall/polling.h"

namespace cairn::syscall {

struct TimeZone {
    i32 minutes_west, daylight_saving;
};

Result<void> sys_nanosleep(Caller& self, UserIn<TimeSpecification> length, UserOut<TimeSpecification> left);
Result<void> sys_clock_nanosleep(Caller& self, i32 clock, i32 flags, UserIn<TimeSpecification> time,
                                 UserOut<TimeSpecification> left);
Result<void> sys_clock_gettime(Caller& self, i32 clock, UserOut<TimeSpecification> time);
Result<void> sys_clock_settime(Caller& self, i32 clock, UserIn<TimeSpecification> time);
Result<void> sys_clock_getres(Caller& self, i32 clock, UserOut<TimeSpecification> resolution);
Result<void> sys_gettimeofday(Caller& self, UserOut<TimeValue> time, UserOut<TimeZone> zone);
Result<void> sys_settimeofday(Caller& self, UserIn<TimeValue> time, UserIn<TimeZone> zone);
Result<i64> sys_time(Caller& self, UserOut<i64> time);

}  // namespace cairn::syscall
