#include "kernel/syscall/control.h"

#include "kernel/task/task.h"

namespace cairn::syscall {

using task::Resource;
using task::Task;
using vfs::Capability;

namespace {

// prctl(2)'s options.
constexpr i32 kSetDeathSignal = 1, kGetDeathSignal = 2, kGetDumpable = 3, kSetDumpable = 4, kGetKeepCaps = 7;
constexpr i32 kSetKeepCaps = 8, kSetName = 15, kGetName = 16, kCapBsetRead = 23, kCapBsetDrop = 24, kGetTsc = 25;
constexpr i32 kGetSecurebits = 27, kSetSecurebits = 28, kSetTimerSlack = 29, kGetTimerSlack = 30;
constexpr i32 kSetSubreaper = 36, kGetSubreaper = 37, kSetNoNewPrivs = 38, kGetNoNewPrivs = 39, kGetTidAddress = 40;
constexpr i32 kCapAmbient = 47;
constexpr u32 kKeepBit = 1 << 4, kLockedKeepBit = 1 << 5, kNoAmbientRaise = 1 << 6;

Result<void> change_credentials(Caller& self, Ref<vfs::Credentials> fresh) {
    const Ref<vfs::Credentials> before = self.task.exchange_credentials(std::move(fresh));
    return {};
}

Result<u64> drop_bounding(Caller& self, u64 capability) {
    if (capability >= vfs::kCapabilities) {
        return fail(Errno::einval);
    }
    if (!self.credentials().has(Capability::Setpcap)) {
        return fail(Errno::eperm);
    }
    Ref<vfs::Credentials> fresh = TRY(self.credentials().copy());
    fresh->bounding.bits &= ~(u64{1} << capability);
    TRY(change_credentials(self, std::move(fresh)));
    return u64{0};
}

Result<u64> keep_capabilities(Caller& self, u64 keep) {
    if (keep > 1) {
        return fail(Errno::einval);
    }
    if ((self.credentials().securebits & kLockedKeepBit) != 0) {
        return fail(Errno::eperm);
    }
    Ref<vfs::Credentials> fresh = TRY(self.credentials().copy());
    fresh->securebits = (fresh->securebits & ~kKeepBit) | (keep != 0 ? kKeepBit : 0);
    TRY(change_credentials(self, std::move(fresh)));
    return u64{0};
}

Result<u64> set_securebits(Caller& self, u64 bits) {
    constexpr u64 kAll = 0xff, kLocks = 0xaa;
    const u64 old = self.credentials().securebits;
    const u64 locked = (old & kLocks) | ((old & kLocks) >> 1);
    if ((bits & ~kAll) != 0 || ((old ^ bits) & locked) != 0 || !self.credentials().has(Capability::Setpcap)) {
        return fail(Errno::eperm);
    }
    Ref<vfs::Credentials> fresh = TRY(self.credentials().copy());
    fresh->securebits = static_cast<u32>(bits);
    TRY(change_credentials(self, std::move(fresh)));
    return u64{0};
}

Result<u64> ambient(Caller& self, u64 operation, u64 capability, u64 fourth, u64 fifth) {
    constexpr u64 kIsSet = 1, kRaise = 2, kLower = 3, kClearAll = 4;
    if (fourth != 0 || fifth != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::Credentials> fresh = TRY(self.credentials().copy());
    if (operation == kClearAll) {
        if (capability != 0) {
            return fail(Errno::einval);
        }
        fresh->ambient = {};
        TRY(change_credentials(self, std::move(fresh)));
        return u64{0};
    }
    if (capability >= vfs::kCapabilities) {
        return fail(Errno::einval);
    }
    const u64 bit = u64{1} << capability;
    switch (operation) {
        case kIsSet:
            return (fresh->ambient.bits & bit) != 0 ? u64{1} : u64{0};
        case kRaise:
            if ((fresh->permitted.bits & fresh->inheritable.bits & bit) == 0 ||
                (fresh->securebits & kNoAmbientRaise) != 0) {
                return fail(Errno::eperm);
            }
            fresh->ambient.bits |= bit;
            break;
        case kLower:
            fresh->ambient.bits &= ~bit;
            break;
        default:
            return fail(Errno::einval);
    }
    TRY(change_credentials(self, std::move(fresh)));
    return u64{0};
}

Result<u64> set_name(Caller& self, u64 address) {
    char name[Task::kNameSize] = {};
    // Fifteen bytes count, however long the text is.
    const usize length = TRY(arch::copy_string_from_user(name, {address}, Task::kNameSize - 1));
    self.task.set_name({name, length});
    return u64{0};
}

/// New subreaper status holds for the descendants that there are, too. The table's lock is held.
void mark_descendants(task::ThreadGroup& process) {
    for (task::ThreadGroup& child : process.children) {
        if (!child.has_child_subreaper) {
            child.has_child_subreaper = true;
            mark_descendants(child);
        }
    }
}

Result<u64> set_subreaper(Caller& self, u64 on) {
    SpinLockGuard guard(g_kernel.tasks->lock);
    self.task.group().child_subreaper = on != 0;
    if (on != 0) {
        mark_descendants(self.task.group());
    }
    return u64{0};
}

Result<u64> store_number(u64 address, i32 value) {
    TRY(UserOut<i32>(address).store(value));
    return u64{0};
}

}  // namespace

/// prctl(2)
Result<u64> sys_prctl(Caller& self, i32 option, u64 second, u64 third, u64 fourth, u64 fifth) {
    Task& task = self.task;
    switch (option) {
        case kSetDeathSignal:
            if (second > static_cast<u64>(signal::kSignals)) {
                return fail(Errno::einval);
            }
            task.parent_death_signal = static_cast<i32>(second);
            return u64{0};
        case kGetDeathSignal:
            return store_number(second, task.parent_death_signal);
        case kGetDumpable:
            return u64{task.group().dumpable.load(Order::relaxed)};
        case kSetDumpable:
            if (second > 1) {
                return fail(Errno::einval);
            }
            task.group().dumpable.store(static_cast<u32>(second), Order::relaxed);
            return u64{0};
        case kGetKeepCaps:
            return (self.credentials().securebits & kKeepBit) != 0 ? u64{1} : u64{0};
        case kSetKeepCaps:
            return keep_capabilities(self, second);
        case kSetName:
            return set_name(self, second);
        case kGetName: {
            const Task::Name name = task.name();
            TRY(mm::copy_out({second}, name.text, sizeof name.text));
            return u64{0};
        }
        case kCapBsetRead:
            if (second >= vfs::kCapabilities) {
                return fail(Errno::einval);
            }
            return (self.credentials().bounding.bits >> second & 1) != 0 ? u64{1} : u64{0};
        case kCapBsetDrop:
            return drop_bounding(self, second);
        case kGetTsc:
            return store_number(second, 1);  // PR_TSC_ENABLE
        case kGetSecurebits:
            return u64{self.credentials().securebits};
        case kSetSecurebits:
            return set_securebits(self, second);
        case kSetTimerSlack:
            task.timer_slack = second == 0 ? task.first_timer_slack : second;
            return u64{0};
        case kGetTimerSlack:
            return task.timer_slack;
        case kSetSubreaper:
            return set_subreaper(self, second);
        case kGetSubreaper:
            return store_number(second, task.group().child_subreaper ? 1 : 0);
        case kSetNoNewPrivs:
            if (second != 1 || third != 0 || fourth != 0 || fifth != 0) {
                return fail(Errno::einval);
            }
            task.no_new_privileges = true;
            return u64{0};
        case kGetNoNewPrivs:
            if (second != 0 || third != 0 || fourth != 0 || fifth != 0) {
                return fail(Errno::einval);
            }
            return task.no_new_privileges ? u64{1} : u64{0};
        case kGetTidAddress: {
            TRY(UserOut<u64>(second).store(task.clear_child_tid));
            return u64{0};
        }
        case kCapAmbient:
            return ambient(self, second, third, fourth, fifth);
        default:
            return fail(Errno::einval);
    }
}

/// arch_prctl(2)
Result<void> sys_arch_prctl(Caller& self, i32 code, u64 address) {
    constexpr i32 kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
    arch::ThreadContext& context = self.task.thread().context();
    switch (code) {
        case kSetGs:
            return arch::set_gs_base(context, address);
        case kSetFs:
            return arch::set_fs_base(context, address);
        case kGetFs:
            return UserOut<u64>(address).store(arch::fs_base(context));
        case kGetGs:
            return UserOut<u64>(address).store(arch::gs_base(context));
        default:
            return fail(Errno::einval);
    }
}

namespace {

Result<void> change_limit(Caller& self, Task& target, Resource which, const LimitPair& fresh) {
    constexpr u64 kMostFiles = 1024 * 1024;  // fs.nr_open
    if (fresh.soft > fresh.hard) {
        return fail(Errno::einval);
    }
    if (which == Resource::OpenFiles && fresh.hard > kMostFiles) {
        return fail(Errno::eperm);
    }
    const bool may_raise = self.credentials().has(Capability::SysResource);
    {
        SpinLockGuard guard(target.group().lock);
        task::ResourceLimit& limit = target.group().limits[which];
        if (fresh.hard > limit.hard && !may_raise) {
            return fail(Errno::eperm);
        }
        limit = {fresh.soft, fresh.hard};
        if (which == Resource::CpuTime) {
            signal::watch_cpu_time_locked(target.group());
        }
    }
    if (which == Resource::Stack) {
        if (std::optional<Ref<mm::AddressSpace>> space = target.address_space_of_other()) {
            (*space)->set_stack_limit(fresh.soft);
        }
    }
    return {};
}

Result<void> check_may_limit(Caller& self, Task& target) {
    if (&target.group() == &self.task.group() || self.credentials().has(Capability::SysResource)) {
        return {};
    }
    const vfs::Credentials& own = self.credentials();
    Ref<vfs::Credentials> other = target.credentials_of_other();
    const bool same = own.uid == other->euid && own.uid == other->suid && own.uid == other->uid &&
                      own.gid == other->egid && own.gid == other->sgid && own.gid == other->gid;
    if (!same) {
        return fail(Errno::eperm);
    }
    return {};
}

}  // namespace

/// prlimit(2)
Result<void> sys_prlimit64(Caller& self, i32 pid, u32 resource, UserIn<LimitPair> fresh, UserOut<LimitPair> old) {
    if (resource >= task::kResources) {
        return fail(Errno::einval);
    }
    const Resource which = static_cast<Resource>(resource);
    LimitPair wanted{};
    if (!fresh.is_null()) {
        wanted = TRY(fresh.fetch());
    }
    Ref<Task> target = pid == 0 ? Ref<Task>(self.task) : TRY(g_kernel.tasks->find_task(pid));
    TRY(check_may_limit(self, *target));
    task::ResourceLimit before;
    {
        SpinLockGuard guard(target->group().lock);
        before = target->group().limits[which];
    }
    if (!fresh.is_null()) {
        TRY(change_limit(self, *target, which, wanted));
    }
    if (!old.is_null()) {
        TRY(old.store({before.soft, before.hard}));
    }
    return {};
}

/// getrlimit(2)
Result<void> sys_getrlimit(Caller& self, u32 resource, UserOut<LimitPair> limit) {
    return sys_prlimit64(self, 0, resource, UserIn<LimitPair>(), limit);
}

/// setrlimit(2)
Result<void> sys_setrlimit(Caller& self, u32 resource, UserIn<LimitPair> limit) {
    if (limit.is_null()) {
        return fail(Errno::efault);
    }
    return sys_prlimit64(self, 0, resource, limit, UserOut<LimitPair>());
}

}  // namespace cairn::syscall
