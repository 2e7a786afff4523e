/// Scheduling and priorities (declared in control.h): sched(7).

#include <algorithm>

#include "kernel/base/kernel.h"
#include "kernel/sched/cross_call.h"
#include "kernel/syscall/control.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using sched::Policy;
using task::Task;

namespace {

constexpr i32 kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5, kDeadline = 6, kResetOnFork = 0x40000000;

Result<Policy> policy_of(i32 number) {
    switch (number) {
        case kOther:
            return Policy::Fair;
        case kFifo:
            return Policy::Fifo;
        case kRoundRobin:
            return Policy::RoundRobin;
        case kBatch:
            return Policy::Batch;
        case kIdle:
            return Policy::Idle;
        default:
            return fail(Errno::einval);
    }
}

i32 number_of(Policy policy) {
    switch (policy) {
        case Policy::Fair:
            return kOther;
        case Policy::Fifo:
            return kFifo;
        case Policy::RoundRobin:
            return kRoundRobin;
        case Policy::Batch:
            return kBatch;
        case Policy::Idle:
            return kIdle;
    }
    return kOther;
}

constexpr u32 kFirstAttributes = sizeof(SchedulingAttributes);  // SCHED_ATTR_SIZE_VER0
/// SCHED_FLAG_…
namespace attribute_flags {
constexpr u64 kResetOnFork = 0x1, kKeepPolicy = 0x8, kKeepParameters = 0x10;
constexpr u64 kKnown = kResetOnFork | kKeepPolicy | kKeepParameters;
}  // namespace attribute_flags

Result<Ref<Task>> task_of(Caller& self, i32 pid) {
    if (pid < 0) {
        return fail(Errno::einval);
    }
    if (pid == 0) {
        return Ref<Task>(self.task);
    }
    return g_kernel.tasks->find_task(pid);
}

/// Another user's threads need CAP_SYS_NICE.
Result<void> check_owner(Caller& self, Task& target) {
    const vfs::Credentials& own = self.credentials();
    Ref<vfs::Credentials> other = target.credentials_of_other();
    if (own.euid == other->euid || own.euid == other->uid || own.has(vfs::Capability::SysNice)) {
        return {};
    }
    return fail(Errno::eperm);
}

/// What a thread asks for, of itself or of another.
struct Wish {
    Policy policy;
    bool resets_on_fork;
    i32 nice;
    i32 priority;
};

/// RLIMIT_NICE (getrlimit(2)): whether the thread may have this nice value by itself. Its group's lock is held.
bool may_be_nice_locked(Task& target, i32 nice) {
    return static_cast<u64>(20 - nice) <= target.group().limits[task::Resource::Nice].soft;
}

/// sched(7), "Privileges and resource limits": what needs no CAP_SYS_NICE.
bool is_allowed(Task& target, const Wish& wish) {
    const sched::SchedulingParameters now = target.thread().asked();
    SpinLockGuard guard(target.group().lock);
    if (sched::is_realtime(wish.policy)) {
        const u64 limit = target.group().limits[task::Resource::RealtimePriority].soft;
        const u64 priority = static_cast<u64>(wish.priority);
        if ((wish.policy != now.policy && limit == 0) || (priority > now.priority && priority > limit)) {
            return false;
        }
    } else if (wish.nice < now.nice && !may_be_nice_locked(target, wish.nice)) {
        return false;
    }
    // To leave SCHED_IDLE is to become nicer than nice 19.
    if (now.policy == Policy::Idle && wish.policy != Policy::Idle && !may_be_nice_locked(target, now.nice)) {
        return false;
    }
    return wish.resets_on_fork || !target.resets_on_fork.load(Order::relaxed);
}

Result<void> apply(Caller& self, Task& target, const Wish& wish) {
    const bool realtime = sched::is_realtime(wish.policy);
    if (realtime ? (wish.priority < 1 || wish.priority > 99) : wish.priority != 0) {
        return fail(Errno::einval);
    }
    TRY(check_owner(self, target));
    if (!self.credentials().has(vfs::Capability::SysNice) && !is_allowed(target, wish)) {
        return fail(Errno::eperm);
    }
    TRY(target.thread().set_policy(wish.policy, wish.nice, static_cast<u32>(wish.priority)));
    target.resets_on_fork.store(wish.resets_on_fork, Order::relaxed);
    task::lend_new_priority(target);
    return {};
}

Result<void> change_nice(Caller& self, Task& target, i32 nice) {
    nice = nice < sched::kNiceLowest ? sched::kNiceLowest : (nice > sched::kNiceHighest ? sched::kNiceHighest : nice);
    const vfs::Credentials& own = self.credentials();
    Ref<vfs::Credentials> other = target.credentials_of_other();
    if (own.euid != other->euid && own.euid != other->uid && !own.has(vfs::Capability::SysNice)) {
        return fail(Errno::eperm);
    }
    if (nice < target.thread().nice && !own.has(vfs::Capability::SysNice)) {
        SpinLockGuard guard(target.group().lock);
        if (!may_be_nice_locked(target, nice)) {
            return fail(Errno::eacces);
        }
    }
    return target.thread().set_nice(nice);
}

/// Calls `body(Task&)` for the threads that getpriority(2) means; ESRCH when there are none.
template <typename Body>
Result<void> for_each_meant(Caller& self, i32 which, i32 who, Body body) {
    constexpr i32 kProcess = 0, kGroup = 1, kUser = 2;
    if (which < kProcess || which > kUser) {
        return fail(Errno::einval);
    }
    if (which == kProcess) {
        Ref<Task> target = TRY(task_of(self, who));
        body(*target);
        return {};
    }
    const i32 group = who == 0 ? self.task.group().group_number.load(Order::relaxed) : who;
    const u32 uid = who == 0 ? self.credentials().uid : static_cast<u32>(who);
    bool any = false;
    i32 from = 1;
    while (std::optional<Ref<task::ThreadGroup>> process = g_kernel.tasks->next_process(from)) {
        from = (*process)->number() + 1;
        Result<Ref<Task>> leader = g_kernel.tasks->find_task((*process)->number());
        if (!leader.ok()) {
            continue;
        }
        const bool meant = which == kGroup ? (*process)->group_number.load(Order::relaxed) == group
                                           : leader.value()->credentials_of_other()->uid == uid;
        if (meant) {
            any = true;
            body(*leader.value());
        }
    }
    if (!any) {
        return fail(Errno::esrch);
    }
    return {};
}

}  // namespace

/// sched_yield(2)
Result<void> sys_sched_yield(Caller&) {
    sched::yield();
    return {};
}

/// getpriority(2): 20 - nice, so that no result looks like an error.
Result<i32> sys_getpriority(Caller& self, i32 which, i32 who) {
    i32 best = 0;
    TRY(for_each_meant(self, which, who, [&](Task& target) {
        const i32 value = 20 - target.thread().nice;
        best = value > best ? value : best;
    }));
    return best;
}

/// setpriority(2)
Result<void> sys_setpriority(Caller& self, i32 which, i32 who, i32 nice) {
    Errno error{};
    TRY(for_each_meant(self, which, who, [&](Task& target) {
        Result<void> changed = change_nice(self, target, nice);
        if (!changed.ok()) {
            error = changed.error();
        }
    }));
    if (error != Errno{}) {
        return fail(error);
    }
    return {};
}

/// sched_getaffinity(2): returns the size of the kernel's mask.
Result<i32> sys_sched_getaffinity(Caller& self, i32 pid, u32 size, UserOut<u8> mask) {
    constexpr u32 kBytes = (kMaxCpus + 7) / 8;
    const u32 needed = align_up(kBytes, sizeof(u64)) & ~u32{7};
    if (size < (g_kernel.cpu_count + 7) / 8 || size % sizeof(u64) != 0) {
        return fail(Errno::einval);
    }
    Ref<Task> target = TRY(task_of(self, pid));
    u8 bytes[kBytes + sizeof(u64)] = {};
    const CpuSet affinity = target->thread().affinity() & g_kernel.online.snapshot(Order::relaxed);
    affinity.for_each(
        [&](CpuIndex cpu) { bytes[cpu.value / 8] = static_cast<u8>(bytes[cpu.value / 8] | 1u << cpu.value % 8); });
    const u32 length = size < needed ? size : needed;
    TRY(mm::copy_out(mask.address(), bytes, length));
    return static_cast<i32>(length);
}

/// sched_setaffinity(2)
Result<void> sys_sched_setaffinity(Caller& self, i32 pid, u32 size, UserIn<u8> mask) {
    constexpr u32 kBytes = (kMaxCpus + 7) / 8;
    u8 bytes[kBytes] = {};
    TRY(mm::copy_in(bytes, mask.address(), size < kBytes ? size : kBytes));
    Ref<Task> target = TRY(task_of(self, pid));
    TRY(check_owner(self, *target));
    CpuSet affinity;
    for (u32 cpu = 0; cpu < kMaxCpus; ++cpu) {
        if ((bytes[cpu / 8] >> cpu % 8 & 1) != 0) {
            affinity.add({cpu});
        }
    }
    return target->thread().set_affinity(affinity);
}

/// sched_getscheduler(2)
Result<i32> sys_sched_getscheduler(Caller& self, i32 pid) {
    Ref<Task> target = TRY(task_of(self, pid));
    const i32 reset = target->resets_on_fork.load(Order::relaxed) ? kResetOnFork : 0;
    return number_of(target->thread().asked().policy) | reset;
}

/// sched_setscheduler(2)
Result<void> sys_sched_setscheduler(Caller& self, i32 pid, i32 policy, UserIn<SchedulingParameter> parameter) {
    if (policy < 0 || parameter.is_null()) {
        return fail(Errno::einval);
    }
    const SchedulingParameter given = TRY(parameter.fetch());
    Ref<Task> target = TRY(task_of(self, pid));
    const Policy known = TRY(policy_of(policy & ~kResetOnFork));
    return apply(self, *target, {known, (policy & kResetOnFork) != 0, target->thread().asked().nice, given.priority});
}

/// sched_getparam(2)
Result<void> sys_sched_getparam(Caller& self, i32 pid, UserOut<SchedulingParameter> parameter) {
    if (parameter.is_null()) {
        return fail(Errno::einval);
    }
    Ref<Task> target = TRY(task_of(self, pid));
    return parameter.store({static_cast<i32>(target->thread().asked().priority)});
}

/// sched_setparam(2)
Result<void> sys_sched_setparam(Caller& self, i32 pid, UserIn<SchedulingParameter> parameter) {
    if (parameter.is_null()) {
        return fail(Errno::einval);
    }
    const SchedulingParameter given = TRY(parameter.fetch());
    Ref<Task> target = TRY(task_of(self, pid));
    const sched::SchedulingParameters now = target->thread().asked();
    return apply(self, *target, {now.policy, target->resets_on_fork.load(Order::relaxed), now.nice, given.priority});
}

/// sched_getattr(2)
Result<void> sys_sched_getattr(Caller& self, i32 pid, UserOut<SchedulingAttributes> attributes, u32 size, u32 flags) {
    if (flags != 0 || size < kFirstAttributes || size > kPageSize || attributes.is_null()) {
        return fail(Errno::einval);
    }
    Ref<Task> target = TRY(task_of(self, pid));
    const sched::SchedulingParameters asked = target->thread().asked();
    SchedulingAttributes out{};
    out.size = sizeof out;
    out.policy = static_cast<u32>(number_of(asked.policy));
    out.flags = target->resets_on_fork.load(Order::relaxed) ? attribute_flags::kResetOnFork : 0;
    out.nice = sched::is_realtime(asked.policy) ? 0 : asked.nice;
    out.priority = asked.priority;
    return attributes.store(out);
}

namespace {

/// The size that the caller's structure has; what it has more than is known here must be zero. E2BIG, and the caller is
/// told the size that would do.
Result<SchedulingAttributes> fetch_attributes(UserIn<SchedulingAttributes> from) {
    const u32 size = TRY(UserIn<u32>(from.address().value).fetch());
    const auto refuse = [&]() -> Result<SchedulingAttributes> {
        TRY(UserOut<u32>(from.address().value).store(kFirstAttributes));
        return fail(Errno::e2big);
    };
    if (size != 0 && (size < kFirstAttributes || size > kPageSize)) {
        return refuse();
    }
    for (u64 at = kFirstAttributes; at < size; ++at) {
        const u8 unknown = TRY(UserIn<u8>(from.address().value + at).fetch());
        if (unknown != 0) {
            return refuse();
        }
    }
    return from.fetch();
}

}  // namespace

/// sched_setattr(2)
Result<void> sys_sched_setattr(Caller& self, i32 pid, UserIn<SchedulingAttributes> attributes, u32 flags) {
    if (flags != 0 || attributes.is_null() || pid < 0) {
        return fail(Errno::einval);
    }
    const SchedulingAttributes given = TRY(fetch_attributes(attributes));
    if (static_cast<i32>(given.policy) < 0 || (given.flags & ~attribute_flags::kKnown) != 0) {
        return fail(Errno::einval);
    }
    Ref<Task> target = TRY(task_of(self, pid));
    const sched::SchedulingParameters now = target->thread().asked();
    const bool keeps_policy = (given.flags & attribute_flags::kKeepPolicy) != 0;
    const bool keeps_parameters = (given.flags & attribute_flags::kKeepParameters) != 0;
    const Policy policy = TRY(keeps_policy ? Result<Policy>(now.policy) : policy_of(static_cast<i32>(given.policy)));
    Wish wish{.policy = policy,
              .resets_on_fork = keeps_policy ? target->resets_on_fork.load(Order::relaxed)
                                             : (given.flags & attribute_flags::kResetOnFork) != 0,
              .nice = now.nice,
              .priority = keeps_parameters ? static_cast<i32>(now.priority) : static_cast<i32>(given.priority)};
    if (!sched::is_realtime(wish.policy) && !keeps_parameters) {
        wish.nice = std::clamp(given.nice, sched::kNiceLowest, sched::kNiceHighest);
    }
    return apply(self, *target, wish);
}

/// sched_get_priority_max(2)
Result<i32> sys_sched_get_priority_max(Caller&, i32 policy) {
    if (policy == kDeadline) {
        return 0;
    }
    const Policy known = TRY(policy_of(policy));
    return sched::is_realtime(known) ? 99 : 0;
}

/// sched_get_priority_min(2)
Result<i32> sys_sched_get_priority_min(Caller&, i32 policy) {
    if (policy == kDeadline) {
        return 0;
    }
    const Policy known = TRY(policy_of(policy));
    return sched::is_realtime(known) ? 1 : 0;
}

/// sched_rr_get_interval(2)
Result<void> sys_sched_rr_get_interval(Caller& self, i32 pid, UserOut<TimeSpecification> interval) {
    Ref<Task> target = TRY(task_of(self, pid));
    const Policy policy = target->thread().asked().policy;
    const Nanoseconds slice = policy == Policy::RoundRobin ? sched::kRoundRobinSlice
                              : policy == Policy::Fifo     ? Nanoseconds{}
                                                           : sched::kFairSlice;
    return interval.store({0, static_cast<i64>(slice.value)});
}

/// getcpu(2)
Result<void> sys_getcpu(Caller&, UserOut<u32> cpu, UserOut<u32> node) {
    if (!cpu.is_null()) {
        TRY(cpu.store(arch::this_cpu().index.value));
    }
    if (!node.is_null()) {
        TRY(node.store(0));
    }
    return {};
}

/// membarrier(2)
Result<i32> sys_membarrier(Caller& self, i32 command, u32 flags, i32) {
    constexpr i32 kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobal = 4, kPrivate = 8, kRegister = 16;
    constexpr i32 kCore = 32, kRegisterCore = 64;
    if (flags != 0) {
        return fail(Errno::einval);
    }
    switch (command) {
        case kQuery:
            return kGlobal | kGlobalExpedited | kRegisterGlobal | kPrivate | kRegister | kCore | kRegisterCore;
        case kRegisterGlobal:
        case kRegister:
        case kRegisterCore:
            self.task.group().membarrier_registered.fetch_or(static_cast<u32>(command), Order::relaxed);
            return 0;
        case kPrivate:
        case kCore:
            // The number of the registration is twice that of the command.
            if ((self.task.group().membarrier_registered.load(Order::relaxed) & static_cast<u32>(command) * 2) == 0) {
                return fail(Errno::eperm);
            }
            [[fallthrough]];
        case kGlobal:
        case kGlobalExpedited:
            // An interrupt on every CPU: entering and leaving the kernel orders everything, and serialises the
            // instruction stream.
            sched::call_on_cpus(g_kernel.online.snapshot(Order::acquire), [](void*) { full_fence(); }, nullptr);
            return 0;
        default:
            return fail(Errno::einval);
    }
}

}  // namespace cairn::syscall
