#pragma once
/// prctl, arch_prctl, limits, scheduling, and what else a thread says about itself.

#include "kernel/syscall/polling.h"

namespace cairn::syscall {

struct LimitPair {
    u64 soft, hard;
};
struct SchedulingParameter {
    i32 priority;
};
/// struct sched_attr, version 0 (48 bytes).
struct SchedulingAttributes {
    u32 size, policy;
    u64 flags;
    i32 nice;
    u32 priority;
    u64 runtime, deadline, period;
};

Result<u64> sys_prctl(Caller& self, i32 option, u64 second, u64 third, u64 fourth, u64 fifth);
Result<void> sys_arch_prctl(Caller& self, i32 code, u64 address);
Result<void> sys_getrlimit(Caller& self, u32 resource, UserOut<LimitPair> limit);
Result<void> sys_setrlimit(Caller& self, u32 resource, UserIn<LimitPair> limit);
Result<void> sys_prlimit64(Caller& self, i32 pid, u32 resource, UserIn<LimitPair> fresh, UserOut<LimitPair> old);
Result<void> sys_sched_yield(Caller& self);
Result<i32> sys_getpriority(Caller& self, i32 which, i32 who);
Result<void> sys_setpriority(Caller& self, i32 which, i32 who, i32 nice);
Result<void> sys_ioprio_set(Caller& self, i32 which, i32 who, u32 priority);
Result<i32> sys_ioprio_get(Caller& self, i32 which, i32 who);
Result<i32> sys_sched_getaffinity(Caller& self, i32 pid, u32 size, UserOut<u8> mask);
Result<void> sys_sched_setaffinity(Caller& self, i32 pid, u32 size, UserIn<u8> mask);
Result<i32> sys_sched_getscheduler(Caller& self, i32 pid);
Result<void> sys_sched_setscheduler(Caller& self, i32 pid, i32 policy, UserIn<SchedulingParameter> parameter);
Result<void> sys_sched_getparam(Caller& self, i32 pid, UserOut<SchedulingParameter> parameter);
Result<void> sys_sched_setparam(Caller& self, i32 pid, UserIn<SchedulingParameter> parameter);
Result<void> sys_sched_getattr(Caller& self, i32 pid, UserOut<SchedulingAttributes> attributes, u32 size, u32 flags);
Result<void> sys_sched_setattr(Caller& self, i32 pid, UserIn<SchedulingAttributes> attributes, u32 flags);
Result<i32> sys_sched_get_priority_max(Caller& self, i32 policy);
Result<i32> sys_sched_get_priority_min(Caller& self, i32 policy);
Result<void> sys_sched_rr_get_interval(Caller& self, i32 pid, UserOut<TimeSpecification> interval);
Result<void> sys_getcpu(Caller& self, UserOut<u32> cpu, UserOut<u32> node);
Result<i32> sys_membarrier(Caller& self, i32 command, u32 flags, i32 cpu);

}  // namespace cairn::syscall
