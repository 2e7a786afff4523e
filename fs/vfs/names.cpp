/// The calls that create and remove names: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2). rename(2) is
/// in rename.cpp.

#include "fs/vfs/names.h"

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/walker.h"

namespace cairn::vfs {

namespace {

constexpr u32 kChange = static_cast<u32>(Access::Write) | static_cast<u32>(Access::Execute);

}  // namespace

void complete_request(OperationContext& context, Inode& directory, CreateRequest& request) {
    const Credentials& credentials = context.credentials;
    request.uid = credentials.fsuid;
    request.gid = credentials.fsgid;
    if (request.type == FileType::SymbolicLink) {
        request.permissions = 0777;
    } else {
        request.permissions = static_cast<u16>(request.permissions & kPermissionBits & ~context.filesystem.umask());
    }
    Ownership place = directory.ownership();
    if ((place.permissions & kSetGroupId) == 0) {
        return;
    }
    request.gid = place.gid;
    constexpr u16 kGroupProgram = kSetGroupId | 0010;
    if (request.type == FileType::Directory) {
        request.permissions |= kSetGroupId;
    } else if ((request.permissions & kGroupProgram) == kGroupProgram && !credentials.in_group(place.gid) &&
               !credentials.has(Capability::Fsetid)) {
        request.permissions = static_cast<u16>(request.permissions & ~kSetGroupId);
    }
}

Result<CreatedName> create_name(OperationContext& context, const Path& directory, std::string_view name,
                                CreateRequest& request, IfPresent if_present) {
    DentryCache& cache = the_vfs().dentries;
    Inode& inode = directory.inode();
    sync::ExclusiveGuard guard(inode.directory_lock);
    std::optional<Ref<Dentry>> present = TRY(cache.find_present_locked(context, directory.dentry(), name));
    if (present) {
        if (if_present == IfPresent::Refuse) {
            return fail(Errno::eexist);
        }
        return CreatedName{std::move(*present), false};
    }
    if (directory.mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    TRY(check_permission(context.credentials, inode, kChange));
    const bool device = request.type == FileType::CharacterDevice || request.type == FileType::BlockDevice;
    // 0:0 is overlayfs's whiteout, which anybody may make.
    const bool whiteout = request.type == FileType::CharacterDevice && request.device == DeviceNumber{};
    if (device && !whiteout && !context.credentials.has(Capability::Mknod)) {
        return fail(Errno::eperm);
    }
    complete_request(context, inode, request);
    Ref<Inode> child = TRY(inode.create_child(context, name, request));
    Result<Ref<Dentry>> entry = Dentry::create(directory.dentry(), name, &*child);
    if (!entry.ok()) {
        // The name was just made and nobody else knows it: taking it back cannot fail for want of anything.
        static_cast<void>(inode.remove_child(context, name, *child));
        return entry.failure();
    }
    cache.replace(*entry.value());
    notify_name(inode, notify_events::kCreate, name, *child);
    return CreatedName{std::move(entry).value(), true};
}

namespace {

Result<void> create_at(OperationContext& context, std::string_view name, CreateRequest& request,
                       const WalkOptions& options) {
    ParentAndName target = TRY(walk_parent(context, name, options));
    if (target.name.empty() || target.name == "." || target.name == "..") {
        return fail(Errno::eexist);
    }
    if (target.trailing_slash && request.type != FileType::Directory) {
        Ref<Dentry> present = TRY(the_vfs().dentries.lookup(context, target.parent.dentry(), target.name));
        return fail(present->is_negative() ? Errno::enoent : Errno::eexist);
    }
    TRY(create_name(context, target.parent, target.name, request, IfPresent::Refuse));
    return {};
}

}  // namespace

Result<void> make_directory(OperationContext& context, std::string_view name, u16 permissions,
                            const WalkOptions& options) {
    CreateRequest request{.type = FileType::Directory, .permissions = static_cast<u16>(permissions & (0777 | kSticky))};
    return create_at(context, name, request, options);
}

[[gnu::cold]] Result<void> make_node(OperationContext& context, std::string_view name, u32 mode, u64 device,
                                     const WalkOptions& options) {
    constexpr u32 kTypeMask = 0170000;
    FileType type = (mode & kTypeMask) == 0 ? FileType::Regular : static_cast<FileType>(mode & kTypeMask);
    CreateRequest request{
        .type = type, .permissions = static_cast<u16>(mode & kPermissionBits), .device = DeviceNumber::decode(device)};
    switch (type) {
        case FileType::Regular:
        case FileType::Fifo:
        case FileType::Socket:
            break;
        case FileType::CharacterDevice:
        case FileType::BlockDevice:
            break;
        case FileType::Directory:
            return fail(Errno::eperm);
        default:
            return fail(Errno::einval);
    }
    return create_at(context, name, request, options);
}

[[gnu::cold]] Result<void> make_symbolic_link(OperationContext& context, std::string_view target, std::string_view name,
                                              const WalkOptions& options) {
    if (target.empty()) {
        return fail(Errno::enoent);
    }
    if (target.size() >= kPathLimit) {
        return fail(Errno::enametoolong);
    }
    CreateRequest request{.type = FileType::SymbolicLink, .permissions = 0777, .link_target = target};
    return create_at(context, name, request, options);
}

namespace {

/// fs.protected_hardlinks (proc_sys_fs(5)): who does not own a file links only to what could not be misused.
Result<void> check_link_source(OperationContext& context, Inode& inode) {
    if (is_owner_or_capable(context.credentials, inode)) {
        return {};
    }
    u16 permissions = inode.ownership().permissions;
    constexpr u16 kGroupProgram = kSetGroupId | 0010;
    constexpr u32 kReadWrite = static_cast<u32>(Access::Read) | static_cast<u32>(Access::Write);
    bool safe = inode.is_regular() && (permissions & kSetUserId) == 0 &&
                (permissions & kGroupProgram) != kGroupProgram &&
                check_permission(context.credentials, inode, kReadWrite).ok();
    return safe ? Result<void>() : fail(Errno::eperm);
}

}  // namespace

[[gnu::cold]] Result<void> make_link(OperationContext& context, const Path& source, std::string_view name,
                                     const WalkOptions& options) {
    ParentAndName target = TRY(walk_parent(context, name, options));
    if (target.name.empty() || target.name == "." || target.name == "..") {
        return fail(Errno::eexist);
    }
    Inode& inode = source.inode();
    Inode& directory = target.parent.inode();
    DentryCache& cache = the_vfs().dentries;
    sync::ExclusiveGuard guard(directory.directory_lock);
    if (TRY(cache.find_present_locked(context, target.parent.dentry(), target.name)).has_value()) {
        return fail(Errno::eexist);
    }
    if (target.trailing_slash) {
        return fail(Errno::enoent);
    }
    if (&source.mount() != &target.parent.mount()) {
        return fail(Errno::exdev);
    }
    TRY(check_link_source(context, inode));
    if (target.parent.mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    TRY(check_permission(context.credentials, directory, kChange));
    if (inode.is_directory()) {
        return fail(Errno::eperm);
    }
    if (inode.link_count() == 0 && !inode.may_get_first_name.load(Order::acquire)) {
        return fail(Errno::enoent);
    }
    Ref<Dentry> entry = TRY(Dentry::create(target.parent.dentry(), target.name, &inode));
    TRY(directory.link_child(context, target.name, inode));
    inode.may_get_first_name.store(false, Order::relaxed);
    cache.replace(*entry);
    notify_inode(inode, notify_events::kAttributes);
    notify_name(directory, notify_events::kCreate, target.name, inode);
    return {};
}

// --- Removing ----------------------------------------------------------------------------------------------------

Result<void> check_removal(OperationContext& context, const Path& directory, const Dentry& entry) {
    if (directory.mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    TRY(check_permission(context.credentials, directory.inode(), kChange));
    Ownership place = directory.inode().ownership();
    const Credentials& credentials = context.credentials;
    if ((place.permissions & kSticky) != 0 && entry.inode().ownership().uid != credentials.fsuid &&
        place.uid != credentials.fsuid && !credentials.has(Capability::Fowner)) {
        return fail(Errno::eperm);
    }
    return {};
}

namespace {

enum class Removal : u8 { File, Directory };

Result<void> remove_name(OperationContext& context, const ParentAndName& target, Removal what) {
    DentryCache& cache = the_vfs().dentries;
    Inode& directory = target.parent.inode();
    // The inode is dropped after the lock: the last reference to a large file takes long.
    std::optional<Ref<Dentry>> keep;
    sync::ExclusiveGuard guard(directory.directory_lock);
    keep = TRY(cache.lookup_locked(context, target.parent.dentry(), target.name));
    Dentry& entry = **keep;
    if (entry.is_negative()) {
        return fail(Errno::enoent);
    }
    if (what == Removal::File && target.trailing_slash) {
        return fail(entry.is_directory() ? Errno::eisdir : Errno::enotdir);
    }
    TRY(check_removal(context, target.parent, entry));
    if (what == Removal::Directory && !entry.is_directory()) {
        return fail(Errno::enotdir);
    }
    if (what == Removal::File && entry.is_directory()) {
        return fail(Errno::eisdir);
    }
    if (entry.is_mount_point()) {
        return fail(Errno::ebusy);
    }
    TRY(directory.remove_child(context, target.name, entry.inode()));
    cache.forget_deleted(entry);
    notify_name_removed(entry.inode());
    notify_name(directory, notify_events::kDelete, target.name, entry.inode());
    return {};
}

}  // namespace

Result<void> unlink(OperationContext& context, std::string_view name, const WalkOptions& options) {
    ParentAndName target = TRY(walk_parent(context, name, options));
    if (target.name.empty() || target.name == "." || target.name == "..") {
        return fail(Errno::eisdir);
    }
    return remove_name(context, target, Removal::File);
}

Result<void> remove_directory(OperationContext& context, std::string_view name, const WalkOptions& options) {
    ParentAndName target = TRY(walk_parent(context, name, options));
    if (target.name.empty()) {
        return fail(Errno::ebusy);
    }
    if (target.name == "." || target.name == "..") {
        return fail(target.name == "." ? Errno::einval : Errno::enotempty);
    }
    return remove_name(context, target, Removal::Directory);
}

}  // namespace cairn::vfs
