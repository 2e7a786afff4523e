#include "exec/set_id.h"

#include "fs/vfs/mount_tree.h"
#include "kernel/ptrace/tracing.h"

namespace cairn::exec {

using task::Task;
using vfs::Capability;
using vfs::CapabilitySet;
using vfs::Credentials;

namespace {

constexpr u32 kNoRoot = 1 << 0, kKeepCapabilities = 1 << 4;  // prctl(PR_SET_SECUREBITS)

/// Whether the file's set-id bits count at all.
bool honours_set_id(Task& self, const vfs::File& program) {
    if (self.no_new_privileges || program.path() == nullptr) {
        return false;
    }
    return !program.path()->mount().has(vfs::mount_flags::kNoSetId);
}

/// Root and working directory are shared with a process outside the group, which could change them under a privileged
/// program's feet; or a tracer without privileges could change the program itself.
bool is_unsafe(Task& self) {
    SpinLockGuard guard(self.group().lock);
    return self.shares_directories_outside_locked() || (self.is_traced() && !self.tracing->privileged);
}

void apply_set_id(Credentials& fresh, const vfs::InodeAttributes& file) {
    if ((file.permissions & vfs::kSetUserId) != 0) {
        fresh.euid = file.uid;
    }
    // Without group execute permission the bit means mandatory locking (inode(7)).
    constexpr u16 kGroupExecute = 010;
    if ((file.permissions & vfs::kSetGroupId) != 0 && (file.permissions & kGroupExecute) != 0) {
        fresh.egid = file.gid;
    }
}

/// capabilities(7), "Transformation of capabilities during execve()".
void transform_capabilities(Credentials& fresh, bool gained_ids) {
    const bool root_is_special = (fresh.securebits & kNoRoot) == 0;
    const bool is_root = root_is_special && (fresh.euid == 0 || fresh.uid == 0);
    if (gained_ids) {
        fresh.ambient = {};
    }
    CapabilitySet permitted = fresh.ambient;
    CapabilitySet effective = fresh.ambient;
    if (is_root) {
        permitted = {permitted.bits | fresh.inheritable.bits | fresh.bounding.bits};
        effective = fresh.euid == 0 ? permitted : effective;
    }
    fresh.permitted = permitted;
    fresh.effective = effective;
    fresh.securebits &= ~kKeepCapabilities;
}

}  // namespace

Result<NewCredentials> compute_credentials(Task& self, vfs::File& program) {
    const Credentials& old = self.credentials();
    Ref<Credentials> fresh = TRY(old.copy());
    if (honours_set_id(self, program)) {
        apply_set_id(*fresh, program.inode().attributes());
    }
    bool gained = fresh->euid != old.uid || fresh->egid != old.gid;
    const bool new_ids = fresh->euid != old.euid || fresh->egid != old.egid;
    const bool unsafe = is_unsafe(self);
    if (new_ids && unsafe && !old.has(Capability::Setuid)) {
        fresh->euid = old.uid;
        fresh->egid = old.gid;
        gained = false;
    }
    fresh->suid = fresh->fsuid = fresh->euid;
    fresh->sgid = fresh->fsgid = fresh->egid;
    transform_capabilities(*fresh, fresh->euid != old.euid || fresh->egid != old.egid);
    if (unsafe) {
        fresh->permitted.bits &= old.permitted.bits;
        fresh->effective.bits &= old.permitted.bits;
    }
    const bool secure = fresh->uid != fresh->euid || fresh->gid != fresh->egid;
    return NewCredentials{std::move(fresh), secure, gained};
}

}  // namespace cairn::exec
