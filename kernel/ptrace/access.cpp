#include "kernel/ptrace/access.h"

namespace cairn::ptrace {

Result<void> check_access(task::Task& caller, task::Task& target, WhichIds which) {
    const vfs::Credentials& own = caller.credentials();
    if (&caller.group() == &target.group() || own.has(vfs::Capability::SysPtrace)) {
        return {};
    }
    const bool real = which == WhichIds::Real;
    const u32 uid = real ? own.uid : own.fsuid;
    const u32 gid = real ? own.gid : own.fsgid;
    const Ref<vfs::Credentials> other = target.credentials_of_other();
    const bool same = uid == other->euid && uid == other->suid && uid == other->uid && gid == other->egid &&
                      gid == other->sgid && gid == other->gid;
    const u64 rights = real ? own.permitted.bits : own.effective.bits;
    if (!same || target.group().dumpable.load(Order::acquire) != 1 || (other->permitted.bits & ~rights) != 0) {
        return fail(Errno::eperm);
    }
    return {};
}

}  // namespace cairn::ptrace
