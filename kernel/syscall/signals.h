#pragma once
/// Signals: sending, dispositions, masks, waiting, stacks; and the timers that send them.

#include "kernel/signal/signal.h"
#include "kernel/syscall/polling.h"

namespace cairn::syscall {

/// struct itimerval and struct itimerspec.
struct IntervalTimerValue {
    TimeValue interval, value;
};
struct IntervalTimerSpecification {
    TimeSpecification interval, value;
};
/// struct sigevent (64 bytes).
struct SignalEvent {
    u64 value;
    i32 signal;
    i32 notify;
    i32 thread;
    u32 unused[11];
};

Result<void> sys_kill(Caller& self, i32 pid, i32 signal);
Result<void> sys_tkill(Caller& self, i32 tid, i32 signal);
Result<void> sys_tgkill(Caller& self, i32 pid, i32 tid, i32 signal);
Result<void> sys_rt_sigqueueinfo(Caller& self, i32 pid, i32 signal, UserIn<signal::SignalInfo> information);
Result<void> sys_rt_tgsigqueueinfo(Caller& self, i32 pid, i32 tid, i32 signal, UserIn<signal::SignalInfo> information);
Result<void> sys_rt_sigaction(Caller& self, i32 signal, UserIn<signal::SignalAction> fresh,
                              UserOut<signal::SignalAction> old, usize size);
Result<void> sys_rt_sigprocmask(Caller& self, i32 how, UserIn<u64> set, UserOut<u64> old, usize size);
Result<void> sys_rt_sigpending(Caller& self, UserOut<u64> set, usize size);
Result<void> sys_rt_sigsuspend(Caller& self, UserIn<u64> mask, usize size);
Result<i32> sys_rt_sigtimedwait(Caller& self, UserIn<u64> set, UserOut<signal::SignalInfo> information,
                                UserIn<TimeSpecification> timeout, usize size);
Result<u64> sys_rt_sigreturn(Caller& self);
Result<void> sys_sigaltstack(Caller& self, UserIn<arch::SignalStack> fresh, UserOut<arch::SignalStack> old);
Result<void> sys_pause(Caller& self);
Result<u64> sys_restart_syscall(Caller& self);

Result<u64> sys_alarm(Caller& self, u32 seconds);
Result<void> sys_getitimer(Caller& self, i32 which, UserOut<IntervalTimerValue> value);
Result<void> sys_setitimer(Caller& self, i32 which, UserIn<IntervalTimerValue> fresh, UserOut<IntervalTimerValue> old);
Result<void> sys_timer_create(Caller& self, i32 clock, UserIn<SignalEvent> event, UserOut<i32> id);
Result<void> sys_timer_settime(Caller& self, i32 id, i32 flags, UserIn<IntervalTimerSpecification> fresh,
                               UserOut<IntervalTimerSpecification> old);
Result<void> sys_timer_gettime(Caller& self, i32 id, UserOut<IntervalTimerSpecification> value);
Result<i32> sys_timer_getoverrun(Caller& self, i32 id);
Result<void> sys_timer_delete(Caller& self, i32 id);

}  // namespace cairn::syscall
