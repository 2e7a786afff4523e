#include "kernel/syscall/identity.h"

#include "kernel/base/own.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using vfs::Capability;
using vfs::CapabilitySet;
using vfs::Credentials;

namespace {

constexpr u32 kUnchanged = ~u32{0};
constexpr u32 kNoSetuidFixup = 1 << 2, kKeepCapabilities = 1 << 4;
/// What setfsuid gives and takes (capabilities(7)).
constexpr u64 kFilesystemCapabilities = (u64{1} << 0) | (u64{1} << 1) | (u64{1} << 2) | (u64{1} << 3) | (u64{1} << 4) |
                                        (u64{1} << 9) | (u64{1} << 27) | (u64{1} << 32);

/// capabilities(7), "Effect of user ID changes on capabilities".
void fix_capabilities(Credentials& fresh, const Credentials& old) {
    if ((fresh.securebits & kNoSetuidFixup) != 0) {
        return;
    }
    const bool had_root = old.uid == 0 || old.euid == 0 || old.suid == 0;
    const bool has_root = fresh.uid == 0 || fresh.euid == 0 || fresh.suid == 0;
    if (had_root && !has_root) {
        if ((fresh.securebits & kKeepCapabilities) == 0) {
            fresh.permitted = {};
            fresh.effective = {};
        }
        fresh.ambient = {};
    }
    if (old.euid == 0 && fresh.euid != 0) {
        fresh.effective = {};
    } else if (old.euid != 0 && fresh.euid == 0) {
        fresh.effective = fresh.permitted;
    }
}

/// Puts changed credentials in place. A process whose identity changes is no longer to be looked into by its old one
/// (prctl(2), PR_SET_DUMPABLE).
Result<void> publish(Caller& self, Ref<Credentials> fresh) {
    const Credentials& old = self.credentials();
    const bool other =
        fresh->euid != old.euid || fresh->egid != old.egid || fresh->fsuid != old.fsuid || fresh->fsgid != old.fsgid;
    if (fresh->uid != old.uid) {
        Ref<task::UserAccount> account = TRY(task::UserAccount::find_or_create(fresh->uid));
        self.task.exceeds_process_limit = false;
        if (fresh->uid != 0) {
            SpinLockGuard guard(self.task.group().lock);
            self.task.exceeds_process_limit =
                account->threads.load(Order::relaxed) > self.task.group().limits[task::Resource::Processes].soft;
        }
        const Ref<task::UserAccount> left = self.task.exchange_account(std::move(account));
    }
    if (other) {
        self.task.group().dumpable.store(0, Order::release);
        self.task.parent_death_signal = 0;
    }
    const Ref<Credentials> before = self.task.exchange_credentials(std::move(fresh));
    return {};
}

bool is_one_of_uids(const Credentials& who, u32 id) {
    return id == kUnchanged || id == who.uid || id == who.euid || id == who.suid;
}
bool is_one_of_gids(const Credentials& who, u32 id) {
    return id == kUnchanged || id == who.gid || id == who.egid || id == who.sgid;
}

}  // namespace

/// getuid(2)
Result<u32> sys_getuid(Caller& self) {
    return self.credentials().uid;
}
/// geteuid(2)
Result<u32> sys_geteuid(Caller& self) {
    return self.credentials().euid;
}
/// getgid(2)
Result<u32> sys_getgid(Caller& self) {
    return self.credentials().gid;
}
/// getegid(2)
Result<u32> sys_getegid(Caller& self) {
    return self.credentials().egid;
}

/// getresuid(2)
Result<void> sys_getresuid(Caller& self, UserOut<u32> real, UserOut<u32> effective, UserOut<u32> saved) {
    TRY(real.store(self.credentials().uid));
    TRY(effective.store(self.credentials().euid));
    return saved.store(self.credentials().suid);
}
/// getresgid(2)
Result<void> sys_getresgid(Caller& self, UserOut<u32> real, UserOut<u32> effective, UserOut<u32> saved) {
    TRY(real.store(self.credentials().gid));
    TRY(effective.store(self.credentials().egid));
    return saved.store(self.credentials().sgid);
}

/// setuid(2)
Result<void> sys_setuid(Caller& self, u32 uid) {
    const Credentials& old = self.credentials();
    if (uid == kUnchanged) {
        return fail(Errno::einval);
    }
    Ref<Credentials> fresh = TRY(old.copy());
    if (old.has(Capability::Setuid)) {
        fresh->uid = fresh->suid = uid;
    } else if (uid != old.uid && uid != old.suid) {
        return fail(Errno::eperm);
    }
    fresh->euid = fresh->fsuid = uid;
    fix_capabilities(*fresh, old);
    return publish(self, std::move(fresh));
}

/// setgid(2)
Result<void> sys_setgid(Caller& self, u32 gid) {
    const Credentials& old = self.credentials();
    if (gid == kUnchanged) {
        return fail(Errno::einval);
    }
    Ref<Credentials> fresh = TRY(old.copy());
    if (old.has(Capability::Setgid)) {
        fresh->gid = fresh->sgid = gid;
    } else if (gid != old.gid && gid != old.sgid) {
        return fail(Errno::eperm);
    }
    fresh->egid = fresh->fsgid = gid;
    return publish(self, std::move(fresh));
}

/// setreuid(2)
Result<void> sys_setreuid(Caller& self, u32 real, u32 effective) {
    const Credentials& old = self.credentials();
    if (!old.has(Capability::Setuid)) {
        const bool real_allowed = real == kUnchanged || real == old.uid || real == old.euid;
        if (!real_allowed || !is_one_of_uids(old, effective)) {
            return fail(Errno::eperm);
        }
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->uid = real == kUnchanged ? old.uid : real;
    fresh->euid = effective == kUnchanged ? old.euid : effective;
    if (real != kUnchanged || (effective != kUnchanged && effective != old.uid)) {
        fresh->suid = fresh->euid;
    }
    fresh->fsuid = fresh->euid;
    fix_capabilities(*fresh, old);
    return publish(self, std::move(fresh));
}

/// setregid(2)
Result<void> sys_setregid(Caller& self, u32 real, u32 effective) {
    const Credentials& old = self.credentials();
    if (!old.has(Capability::Setgid)) {
        const bool real_allowed = real == kUnchanged || real == old.gid || real == old.egid;
        if (!real_allowed || !is_one_of_gids(old, effective)) {
            return fail(Errno::eperm);
        }
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->gid = real == kUnchanged ? old.gid : real;
    fresh->egid = effective == kUnchanged ? old.egid : effective;
    if (real != kUnchanged || (effective != kUnchanged && effective != old.gid)) {
        fresh->sgid = fresh->egid;
    }
    fresh->fsgid = fresh->egid;
    return publish(self, std::move(fresh));
}

/// setresuid(2)
Result<void> sys_setresuid(Caller& self, u32 real, u32 effective, u32 saved) {
    const Credentials& old = self.credentials();
    if (!old.has(Capability::Setuid) &&
        (!is_one_of_uids(old, real) || !is_one_of_uids(old, effective) || !is_one_of_uids(old, saved))) {
        return fail(Errno::eperm);
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->uid = real == kUnchanged ? old.uid : real;
    fresh->euid = effective == kUnchanged ? old.euid : effective;
    fresh->suid = saved == kUnchanged ? old.suid : saved;
    fresh->fsuid = fresh->euid;
    fix_capabilities(*fresh, old);
    return publish(self, std::move(fresh));
}

/// setresgid(2)
Result<void> sys_setresgid(Caller& self, u32 real, u32 effective, u32 saved) {
    const Credentials& old = self.credentials();
    if (!old.has(Capability::Setgid) &&
        (!is_one_of_gids(old, real) || !is_one_of_gids(old, effective) || !is_one_of_gids(old, saved))) {
        return fail(Errno::eperm);
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->gid = real == kUnchanged ? old.gid : real;
    fresh->egid = effective == kUnchanged ? old.egid : effective;
    fresh->sgid = saved == kUnchanged ? old.sgid : saved;
    fresh->fsgid = fresh->egid;
    return publish(self, std::move(fresh));
}

/// setfsuid(2): tells only what was, also when it changes nothing.
Result<u32> sys_setfsuid(Caller& self, u32 uid) {
    const Credentials& old = self.credentials();
    const u32 before = old.fsuid;
    if (uid == kUnchanged || (!is_one_of_uids(old, uid) && uid != old.fsuid && !old.has(Capability::Setuid))) {
        return before;
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->fsuid = uid;
    if ((fresh->securebits & kNoSetuidFixup) == 0) {
        if (old.fsuid == 0 && uid != 0) {
            fresh->effective.bits &= ~kFilesystemCapabilities;
        } else if (old.fsuid != 0 && uid == 0) {
            fresh->effective.bits |= fresh->permitted.bits & kFilesystemCapabilities;
        }
    }
    TRY(publish(self, std::move(fresh)));
    return before;
}

/// setfsgid(2)
Result<u32> sys_setfsgid(Caller& self, u32 gid) {
    const Credentials& old = self.credentials();
    const u32 before = old.fsgid;
    if (gid == kUnchanged || (!is_one_of_gids(old, gid) && gid != old.fsgid && !old.has(Capability::Setgid))) {
        return before;
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->fsgid = gid;
    TRY(publish(self, std::move(fresh)));
    return before;
}

/// getgroups(2)
Result<i32> sys_getgroups(Caller& self, i32 count, UserOut<u32> groups) {
    const std::span<const vfs::GroupId> own = self.credentials().groups->groups();
    if (count < 0) {
        return fail(Errno::einval);
    }
    if (count != 0) {
        if (static_cast<usize>(count) < own.size()) {
            return fail(Errno::einval);
        }
        TRY(groups.store(own));
    }
    return static_cast<i32>(own.size());
}

/// setgroups(2)
Result<void> sys_setgroups(Caller& self, i32 count, UserIn<u32> groups) {
    constexpr i32 kMost = 65536;  // NGROUPS_MAX
    if (!self.credentials().has(Capability::Setgid)) {
        return fail(Errno::eperm);
    }
    if (count < 0 || count > kMost) {
        return fail(Errno::einval);
    }
    const usize bytes = static_cast<usize>(count) * sizeof(u32);
    u32* list = static_cast<u32*>(heap_allocate(bytes == 0 ? 1 : bytes, alignof(u32)));
    if (list == nullptr) {
        return fail(Errno::enomem);
    }
    const std::span<u32> fetched(list, static_cast<usize>(count));
    Result<void> copied = groups.fetch(fetched);
    Result<Ref<vfs::GroupList>> made =
        copied.ok() ? vfs::GroupList::create(fetched) : Result<Ref<vfs::GroupList>>(copied.failure());
    heap_free(list, bytes == 0 ? 1 : bytes, alignof(u32));
    Ref<vfs::GroupList> fresh_groups = TRY(std::move(made));
    if (fresh_groups->contains(kUnchanged)) {
        return fail(Errno::einval);
    }
    Ref<Credentials> fresh = TRY(self.credentials().copy());
    fresh->groups = std::move(fresh_groups);
    const Ref<Credentials> before = self.task.exchange_credentials(std::move(fresh));
    return {};
}

namespace {

constexpr u32 kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;

/// How many structures the version has; EINVAL for an unknown one, after telling which is preferred.
Result<u32> capability_words(UserInOut<CapabilityHeader> header, const CapabilityHeader& given) {
    switch (given.version) {
        case kVersion1:
            return u32{1};
        case kVersion2:
        case kVersion3:
            return u32{2};
        default:
            TRY(header.store({kVersion3, given.pid}));
            return fail(Errno::einval);
    }
}

}  // namespace

/// capget(2)
Result<void> sys_capget(Caller& self, UserInOut<CapabilityHeader> header, UserOut<CapabilityData> data) {
    const CapabilityHeader given = TRY(header.fetch());
    Result<u32> words = capability_words(header, given);
    if (!words.ok()) {
        return data.is_null() ? Result<void>() : Result<void>(words.failure());
    }
    if (given.pid < 0) {
        return fail(Errno::einval);
    }
    Ref<task::Task> target = given.pid == 0 ? Ref<task::Task>(self.task) : TRY(g_kernel.tasks->find_task(given.pid));
    Ref<Credentials> who = target->credentials_of_other();
    for (u32 i = 0; i < words.value(); ++i) {
        const u32 shift = 32 * i;
        TRY(data.store({static_cast<u32>(who->effective.bits >> shift), static_cast<u32>(who->permitted.bits >> shift),
                        static_cast<u32>(who->inheritable.bits >> shift)},
                       i));
    }
    return {};
}

/// capset(2)
Result<void> sys_capset(Caller& self, UserInOut<CapabilityHeader> header, UserIn<CapabilityData> data) {
    const CapabilityHeader given = TRY(header.fetch());
    const u32 words = TRY(capability_words(header, given));
    if (given.pid != 0 && given.pid != self.task.number()) {
        return fail(Errno::eperm);
    }
    CapabilitySet effective, permitted, inheritable;
    for (u32 i = 0; i < words; ++i) {
        const CapabilityData part = TRY(data.fetch(i));
        effective.bits |= u64{part.effective} << (32 * i);
        permitted.bits |= u64{part.permitted} << (32 * i);
        inheritable.bits |= u64{part.inheritable} << (32 * i);
    }
    const u64 all = CapabilitySet::all().bits;
    effective.bits &= all;
    permitted.bits &= all;
    inheritable.bits &= all;
    const Credentials& old = self.credentials();
    const u64 may_inherit =
        old.inheritable.bits | (old.has(Capability::Setpcap) ? old.bounding.bits : old.permitted.bits);
    if ((permitted.bits & ~old.permitted.bits) != 0 || (effective.bits & ~permitted.bits) != 0 ||
        (inheritable.bits & ~may_inherit) != 0 ||
        (inheritable.bits & ~(old.inheritable.bits | old.bounding.bits)) != 0) {
        return fail(Errno::eperm);
    }
    Ref<Credentials> fresh = TRY(old.copy());
    fresh->effective = effective;
    fresh->permitted = permitted;
    fresh->inheritable = inheritable;
    fresh->ambient.bits &= permitted.bits & inheritable.bits;
    const Ref<Credentials> before = self.task.exchange_credentials(std::move(fresh));
    return {};
}

}  // namespace cairn::syscall
