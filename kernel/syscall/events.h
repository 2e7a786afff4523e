#pragma once
/// eventfd(2), timerfd_create(2), signalfd(2).

#include "kernel/syscall/polling.h"

namespace cairn::syscall {

/// struct __kernel_itimerspec.
struct TimerSpecification {
    TimeSpecification interval;
    TimeSpecification value;
};

Result<Fd> sys_eventfd(Caller& self, u32 initial);
Result<Fd> sys_eventfd2(Caller& self, u32 initial, u32 flags);
Result<Fd> sys_timerfd_create(Caller& self, i32 clock, u32 flags);
Result<void> sys_timerfd_settime(Caller& self, Fd fd, u32 flags, UserIn<TimerSpecification> setting,
                                 UserOut<TimerSpecification> before);
Result<void> sys_timerfd_gettime(Caller& self, Fd fd, UserOut<TimerSpecification> setting);
Result<Fd> sys_signalfd(Caller& self, Fd fd, UserIn<u64> mask, usize mask_size);
Result<Fd> sys_signalfd4(Caller& self, Fd fd, UserIn<u64> mask, usize mask_size, u32 flags);

}  // namespace cairn::syscall
