/// Permissions, and the calls that change attributes: who may do what (inode(7), capabilities(7), chmod(2), chown(2),
/// utimensat(2), truncate(2)).

#include "fs/vfs/file.h"
#include "fs/vfs/file_capabilities.h"
#include "fs/vfs/mount_tree.h"
#include "fs/vfs/path.h"
#include "fs/vfs/regular_file.h"
#include "mm/page_cache.h"

namespace cairn::vfs {

Result<void> check_permission(const Credentials& credentials, Inode& inode, u32 access) {
    Ownership owner = inode.ownership();
    u32 granted = owner.permissions;
    if (owner.uid == credentials.fsuid) {
        granted >>= 6;
    } else if (credentials.in_group(owner.gid)) {
        granted >>= 3;
    }
    if ((access & ~granted & 7) == 0) {
        return {};
    }
    if (!inode.yields_to_capabilities()) {
        return fail(Errno::eacces);
    }
    constexpr u32 kRead = static_cast<u32>(Access::Read);
    constexpr u32 kWrite = static_cast<u32>(Access::Write);
    constexpr u32 kExecute = static_cast<u32>(Access::Execute);
    if (inode.is_directory()) {
        if ((access & kWrite) == 0 && credentials.has(Capability::DacReadSearch)) {
            return {};
        }
        return credentials.has(Capability::DacOverride) ? Result<void>() : fail(Errno::eacces);
    }
    if ((access & 7) == kRead && credentials.has(Capability::DacReadSearch)) {
        return {};
    }
    // Even root executes only what somebody may execute.
    bool executable = (owner.permissions & 0111) != 0;
    if (((access & kExecute) == 0 || executable) && credentials.has(Capability::DacOverride)) {
        return {};
    }
    return fail(Errno::eacces);
}

bool is_owner_or_capable(const Credentials& credentials, Inode& inode) {
    return inode.ownership().uid == credentials.fsuid || credentials.has(Capability::Fowner);
}

namespace {

Result<void> check_writable_mount(const AttributeTarget& target) {
    return target.read_only ? fail(Errno::erofs) : Result<void>();
}

Result<void> apply(OperationContext& context, const AttributeTarget& target, const AttributeChange& change) {
    TRY(target.inode.change_attributes(context, change));
    if (target.path != nullptr) {
        notify(*target.path, notify_events::kAttributes);
    } else {
        notify_inode(target.inode, notify_events::kAttributes);
    }
    return {};
}

}  // namespace

AttributeTarget::AttributeTarget(const Path& path_)
    : inode(path_.inode()), read_only(path_.mount().is_read_only()), path(&path_) {}
AttributeTarget::AttributeTarget(File& file)
    : inode(file.inode()),
      read_only(file.path() != nullptr && file.path()->mount().is_read_only()),
      path(file.path()) {}

Result<void> change_mode(OperationContext& context, const AttributeTarget& target, u16 permissions) {
    TRY(check_writable_mount(target));
    Inode& inode = target.inode;
    const Credentials& credentials = context.credentials;
    sync::MutexGuard guard(inode.data_lock);
    if (!is_owner_or_capable(credentials, inode)) {
        return fail(Errno::eperm);
    }
    if (inode.type() == FileType::SymbolicLink) {
        return fail(Errno::eopnotsupp);
    }
    AttributeChange change{.what = AttributeChange::kPermissions, .permissions = permissions};
    change.permissions &= kPermissionBits;
    if (!credentials.in_group(inode.ownership().gid) && !credentials.has(Capability::Fsetid)) {
        change.permissions = static_cast<u16>(change.permissions & ~kSetGroupId);
    }
    return apply(context, target, change);
}

Result<void> change_owner(OperationContext& context, const AttributeTarget& target, u32 uid, u32 gid) {
    TRY(check_writable_mount(target));
    Inode& inode = target.inode;
    const Credentials& credentials = context.credentials;
    sync::MutexGuard guard(inode.data_lock);
    Ownership present = inode.ownership();
    bool capable = credentials.has(Capability::Chown);
    bool owner = present.uid == credentials.fsuid;
    if (uid != ~u32{0} && !capable && !(owner && uid == present.uid)) {
        return fail(Errno::eperm);
    }
    if (gid != ~u32{0} && !capable && !(owner && (gid == present.gid || credentials.in_group(gid)))) {
        return fail(Errno::eperm);
    }
    AttributeChange change{.what = AttributeChange::kUid | AttributeChange::kGid | AttributeChange::kPermissions,
                           .permissions = present.permissions,
                           .uid = uid == ~u32{0} ? present.uid : uid,
                           .gid = gid == ~u32{0} ? present.gid : gid};
    if (!inode.is_directory()) {
        // Whoever owns it now did not ask for what the bits would give away.
        constexpr u16 kGroupExecute = 0010;
        u32 kept = present.permissions & ~u32{kSetUserId};
        if ((kept & kGroupExecute) != 0) {
            kept &= ~u32{kSetGroupId};
        }
        change.permissions = static_cast<u16>(kept);
        static_cast<void>(inode.remove_attribute(kFileCapabilitiesName));
    }
    return apply(context, target, change);
}

Result<void> change_times(OperationContext& context, const AttributeTarget& target, const TimesRequest& request) {
    using Kind = TimesRequest::Kind;
    if (request.access == Kind::Omit && request.modification == Kind::Omit) {
        return {};
    }
    TRY(check_writable_mount(target));
    Inode& inode = target.inode;
    if (!is_owner_or_capable(context.credentials, inode)) {
        bool now = request.access == Kind::Now && request.modification == Kind::Now;
        if (!now) {
            return fail(Errno::eperm);
        }
        TRY(check_permission(context.credentials, inode, static_cast<u32>(Access::Write)));
    }
    FileTime now = FileTime::now();
    AttributeChange change;
    if (request.access != Kind::Omit) {
        change.what |= AttributeChange::kAccessTime;
        change.access_time = request.access == Kind::Now ? now : request.access_time;
    }
    if (request.modification != Kind::Omit) {
        change.what |= AttributeChange::kModificationTime;
        change.modification_time = request.modification == Kind::Now ? now : request.modification_time;
    }
    return apply(context, target, change);
}

namespace {

Result<void> truncate_inode(OperationContext& context, Inode& inode, u64 size) {
    if (size > context.file_size_limit) {
        return fail(Errno::efbig);
    }
    sync::MutexGuard guard(inode.data_lock);
    if (mm::PageCache* cache = inode.page_cache()) {
        TRY(check_size_seals(inode, cache->size(), size));
    }
    inode.drop_privileges(context.credentials);
    return inode.change_attributes(context, {.what = AttributeChange::kSize, .size = size});
}

}  // namespace

Result<void> truncate(OperationContext& context, const Path& path, u64 size) {
    Inode& inode = path.inode();
    if (!inode.is_regular()) {
        return fail(inode.is_directory() ? Errno::eisdir : Errno::einval);
    }
    TRY(check_writable_mount(path));
    TRY(check_permission(context.credentials, inode, static_cast<u32>(Access::Write)));
    if (!inode.acquire_write_access()) {
        return fail(Errno::etxtbsy);
    }
    Result<void> result = truncate_inode(context, inode, size);
    inode.release_write_access();
    if (result.ok()) {
        notify(path, notify_events::kModify);
    }
    return result;
}

Result<void> truncate(OperationContext& context, File& file, u64 size) {
    if (!file.writable() || !file.inode().is_regular()) {
        return fail(Errno::einval);
    }
    TRY(truncate_inode(context, file.inode(), size));
    notify(file, notify_events::kModify);
    return {};
}

}  // namespace cairn::vfs
