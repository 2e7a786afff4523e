#include "exec/set_id.h"

#include "fs/vfs/file_capabilities.h"
#include "fs/vfs/mount_tree.h"
#include "fs/vfs/path.h"
#include "kernel/ptrace/tracing.h"

namespace cairn::exec {

using task::Task;
using vfs::CapabilitySet;
using vfs::Credentials;
using vfs::FileCapabilities;

namespace {

constexpr u32 kNoRoot = 1 << 0, kKeepCapabilities = 1 << 4;  // prctl(PR_SET_SECUREBITS)
/// personality(2): what a program with more rights than its caller must not inherit. ADDR_NO_RANDOMIZE,
/// MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT and READ_IMPLIES_EXEC.
constexpr u32 kDangerousPersonality = 0x0040000 | 0x0100000 | 0x0200000 | 0x0400000;

/// Reasons to give a program no more rights than its caller has.
struct Doubts {
    bool no_new_privileges = false;
    bool shared = false;  // root and working directory, with a process that could change them under its feet
    bool traced = false;  // by somebody without CAP_SYS_PTRACE
    bool any() const { return no_new_privileges || shared || traced; }
};

Doubts find_doubts(Task& self) {
    SpinLockGuard guard(self.group().lock);
    return {.no_new_privileges = self.no_new_privileges,
            .shared = self.shares_directories_outside_locked(),
            .traced = self.is_traced() && !self.tracing->privileged};
}

bool honours_privileges(const vfs::File& program) {
    return program.path() != nullptr && !program.path()->mount().has(vfs::mount_flags::kNoSetId);
}

/// Returns whether a set-user-ID or set-group-ID bit counted.
bool apply_set_id(Credentials& fresh, const vfs::InodeAttributes& file) {
    // Without group execute permission the bit means mandatory locking (inode(7)).
    constexpr u16 kGroupExecute = 010;
    const bool set_user = (file.permissions & vfs::kSetUserId) != 0;
    const bool set_group = (file.permissions & vfs::kSetGroupId) != 0 && (file.permissions & kGroupExecute) != 0;
    fresh.euid = set_user ? file.uid : fresh.euid;
    fresh.egid = set_group ? file.gid : fresh.egid;
    return set_user || set_group;
}

bool is_root(const Credentials& who) {
    return who.uid == 0 || who.euid == 0;
}

/// What capabilities(7), "Transformation of capabilities during execve()", calls P'(permitted) without the ambient
/// ones, into fresh.permitted; and F(effective). EPERM for a program that relies on capabilities which it cannot get.
Result<bool> apply_capabilities(Credentials& fresh, const std::optional<FileCapabilities>& file) {
    bool effective = false;
    fresh.permitted = {};
    if (file) {
        effective = file->effective;
        fresh.permitted = {(fresh.bounding.bits & file->permitted.bits) |
                           (fresh.inheritable.bits & file->inheritable.bits)};
        if (effective && (file->permitted.bits & ~fresh.permitted.bits) != 0) {
            return fail(Errno::eperm);
        }
    }
    const bool becomes_root = fresh.euid == 0 && fresh.uid != 0;
    if ((fresh.securebits & kNoRoot) != 0 || (file && becomes_root)) {
        return effective;  // a set-user-ID-root program with capabilities gets no more than these
    }
    if (is_root(fresh)) {
        fresh.permitted = {fresh.bounding.bits | fresh.inheritable.bits};
    }
    return effective || fresh.euid == 0;
}

bool gains_permitted(const Credentials& fresh, const Credentials& old) {
    return (fresh.permitted.bits & ~old.permitted.bits) != 0;
}

/// commit_creds() of Linux: whoever could look into the old process may not look into the new one.
bool is_other_identity(const Credentials& fresh, const Credentials& old) {
    return fresh.euid != old.euid || fresh.egid != old.egid || fresh.fsuid != old.fsuid || fresh.fsgid != old.fsgid ||
           gains_permitted(fresh, old);
}

}  // namespace

Result<NewCredentials> compute_credentials(Task& self, vfs::File& program) {
    const Credentials& old = self.credentials();
    Ref<Credentials> fresh = TRY(old.copy());
    const Doubts doubts = find_doubts(self);
    std::optional<FileCapabilities> file;
    bool set_id = false;
    if (honours_privileges(program)) {
        set_id = !doubts.no_new_privileges && apply_set_id(*fresh, program.inode().attributes());
        file = TRY(vfs::read_file_capabilities(program.inode()));
    }
    const bool effective = TRY(apply_capabilities(*fresh, file));
    const bool dangerous = set_id || gains_permitted(*fresh, old);
    const bool other_ids = fresh->euid != old.euid || !old.in_group(fresh->egid);
    if ((other_ids || gains_permitted(*fresh, old)) && doubts.any()) {
        if (!old.has(vfs::Capability::Setuid) || doubts.no_new_privileges) {
            fresh->euid = fresh->uid;
            fresh->egid = fresh->gid;
        }
        fresh->permitted.bits &= old.permitted.bits;
    }
    fresh->suid = fresh->fsuid = fresh->euid;
    fresh->sgid = fresh->fsgid = fresh->egid;
    if (file || other_ids) {
        fresh->ambient = {};
    }
    fresh->permitted.bits |= fresh->ambient.bits;
    fresh->effective = effective ? fresh->permitted : fresh->ambient;
    fresh->securebits &= ~kKeepCapabilities;

    NewCredentials result{.credentials = fresh};
    const bool more_than_ambient = (fresh->permitted.bits & ~fresh->ambient.bits) != 0;
    result.secure = other_ids || fresh->euid != old.uid || fresh->egid != old.gid ||
                    (fresh->uid != 0 && (effective || more_than_ambient));
    const bool other = is_other_identity(*fresh, old);
    const bool readable = vfs::check_permission(old, program.inode(), static_cast<u32>(vfs::Access::Read)).ok();
    result.dumpable = readable && !other && old.uid == old.euid && old.gid == old.egid;
    result.forgets_parent = result.secure || other;
    result.personality = dangerous ? ~kDangerousPersonality : ~u32{0};
    return result;
}

}  // namespace cairn::exec
