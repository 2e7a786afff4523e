#include "kernel/ptrace/access.h"

namespace cairn::ptrace {

namespace {

Result<void> check(task::Task& caller, task::Task& target, const task::Task::Outside& seen, WhichIds which) {
    const vfs::Credentials& own = caller.credentials();
    if (&caller.group() == &target.group() || own.has(vfs::Capability::SysPtrace)) {
        return {};
    }
    const bool real = which == WhichIds::Real;
    const u32 uid = real ? own.uid : own.fsuid;
    const u32 gid = real ? own.gid : own.fsgid;
    const vfs::Credentials* other = &*seen.credentials;
    const bool same = uid == other->euid && uid == other->suid && uid == other->uid && gid == other->egid &&
                      gid == other->sgid && gid == other->gid;
    const u64 rights = real ? own.permitted.bits : own.effective.bits;
    if (!same || !seen.dumpable || (other->permitted.bits & ~rights) != 0) {
        return fail(Errno::eperm);
    }
    return {};
}

}  // namespace

Result<void> check_access(task::Task& caller, task::Task& target, WhichIds which) {
    return check(caller, target, target.seen_from_outside(), which);
}

Result<Ref<mm::AddressSpace>> memory_of(task::Task& caller, task::Task& target, WhichIds which) {
    task::Task::Outside seen = target.seen_from_outside();
    TRY(check(caller, target, seen, which));
    if (!seen.address_space) {
        return fail(Errno::esrch);
    }
    return std::move(*seen.address_space);
}

}  // namespace cairn::ptrace
