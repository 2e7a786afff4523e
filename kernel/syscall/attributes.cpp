/// stat(2), statfs(2), access(2); see attributes.h. Changing attributes is in attribute_changes.cpp.

#include "kernel/syscall/attributes.h"

#include "fs/vfs/mount_tree.h"
#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr Fd kWorkingDirectory{StartDirectory::kWorkingDirectory};

u32 mode_of(const vfs::InodeAttributes& attributes) {
    return static_cast<u32>(attributes.type) | attributes.permissions;
}

Result<void> store_stat(vfs::Inode& inode, UserOut<UserStat> to) {
    vfs::InodeAttributes attributes = inode.attributes();
    UserStat stat;
    stat.device = inode.superblock().device().encode();
    stat.inode = inode.number();
    stat.links = attributes.link_count;
    stat.mode = mode_of(attributes);
    stat.uid = attributes.uid;
    stat.gid = attributes.gid;
    stat.special_device = attributes.device.encode();
    stat.size = static_cast<i64>(attributes.size);
    stat.block_size = attributes.block_size;
    stat.blocks = static_cast<i64>(attributes.blocks);
    stat.access_seconds = attributes.access_time.seconds;
    stat.access_nanoseconds = attributes.access_time.nanoseconds;
    stat.modification_seconds = attributes.modification_time.seconds;
    stat.modification_nanoseconds = attributes.modification_time.nanoseconds;
    stat.change_seconds = attributes.change_time.seconds;
    stat.change_nanoseconds = attributes.change_time.nanoseconds;
    return to.store(stat);
}

UserStatxTime statx_time(const vfs::FileTime& time) {
    return {.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}

UserStatx make_statx(const FileTarget& target) {
    constexpr u32 kBasicStats = 0x7ff;
    constexpr u32 kBirthTime = 0x800;
    constexpr u32 kMountId = 0x1000;
    constexpr u64 kMountRoot = 0x2000;  // STATX_ATTR_MOUNT_ROOT
    vfs::Inode& inode = target.inode();
    vfs::InodeAttributes attributes = inode.attributes();
    UserStatx result;
    result.mask = kBasicStats | kBirthTime;
    result.block_size = attributes.block_size;
    result.attributes_mask = kMountRoot;
    result.links = attributes.link_count;
    result.uid = attributes.uid;
    result.gid = attributes.gid;
    result.mode = static_cast<u16>(mode_of(attributes));
    result.inode = inode.number();
    result.size = attributes.size;
    result.blocks = attributes.blocks;
    result.access = statx_time(attributes.access_time);
    result.birth = statx_time(attributes.birth_time);
    result.change = statx_time(attributes.change_time);
    result.modification = statx_time(attributes.modification_time);
    result.special_major = attributes.device.major;
    result.special_minor = attributes.device.minor;
    result.device_major = inode.superblock().device().major;
    result.device_minor = inode.superblock().device().minor;
    if (const vfs::Path* path = target.path()) {
        result.mask |= kMountId;
        result.mount_id = path->mount().id();
        result.attributes |= &path->dentry() == &path->mount().root() ? kMountRoot : 0;
    }
    return result;
}

}  // namespace

/// stat(2).
Result<void> sys_stat(Caller& self, UserCString path, UserOut<UserStat> to) {
    return sys_newfstatat(self, kWorkingDirectory, path, to, 0);
}
/// lstat(2).
Result<void> sys_lstat(Caller& self, UserCString path, UserOut<UserStat> to) {
    return sys_newfstatat(self, kWorkingDirectory, path, to, at_flags::kNoFollow);
}
/// fstat(2).
Result<void> sys_fstat(Caller& self, Fd fd, UserOut<UserStat> to) {
    Ref<vfs::File> file = TRY(self.file_or_path(fd));
    return store_stat(file->inode(), to);
}
/// fstatat(2).
Result<void> sys_newfstatat(Caller& self, Fd start, UserCString path, UserOut<UserStat> to, u32 flags) {
    constexpr u32 kAllowed = at_flags::kNoFollow | at_flags::kNoAutomount | at_flags::kEmptyPath | at_flags::kStatxSync;
    if ((flags & ~kAllowed) != 0) {
        return fail(Errno::einval);
    }
    FileTarget target = TRY(FileTarget::find(self, start, path, flags));
    return store_stat(target.inode(), to);
}

/// statx(2).
Result<void> sys_statx(Caller& self, Fd start, UserCString path, u32 flags, u32 mask, UserOut<UserStatx> to) {
    constexpr u32 kAllowed = at_flags::kNoFollow | at_flags::kNoAutomount | at_flags::kEmptyPath | at_flags::kStatxSync;
    constexpr u32 kReserved = 0x8000'0000;
    if ((mask & kReserved) != 0 || (flags & ~kAllowed) != 0 || (flags & at_flags::kStatxSync) == at_flags::kStatxSync) {
        return fail(Errno::einval);
    }
    // Since Linux 6.11 a null pointer is an empty path.
    if (path.is_null() && (flags & at_flags::kEmptyPath) != 0 && start.value != StartDirectory::kWorkingDirectory) {
        FileTarget target = TRY(FileTarget::of_descriptor(self, start, FileTarget::PathsToo::Yes));
        return to.store(make_statx(target));
    }
    FileTarget target = TRY(FileTarget::find(self, start, path, flags));
    return to.store(make_statx(target));
}

namespace {

Result<void> store_statfs(const FileTarget& target, UserOut<UserStatfs> to) {
    vfs::Superblock& superblock = target.inode().superblock();
    vfs::FilesystemStatistics statistics = superblock.statistics();
    constexpr i64 kFlagsAreValid = 0x20;  // ST_VALID
    UserStatfs result;
    result.type = static_cast<i64>(statistics.magic);
    result.block_size = static_cast<i64>(statistics.block_size);
    result.fragment_size = result.block_size;
    result.blocks = statistics.blocks;
    result.free_blocks = statistics.free_blocks;
    result.available_blocks = statistics.available_blocks;
    result.files = statistics.files;
    result.free_files = statistics.free_files;
    result.id[0] = superblock.device().minor;
    result.name_limit = static_cast<i64>(statistics.name_limit);
    result.flags = kFlagsAreValid;
    if (const vfs::Path* path = target.path()) {
        // ST_RDONLY, NOSUID, NODEV, NOEXEC have mount(2)'s values, NOATIME and NODIRATIME too; RELATIME is 4096.
        constexpr i64 kRelativeAccessTime = 4096;
        u32 flags = path->mount().flags();
        result.flags |= flags & 0xf;
        result.flags |=
            (flags & vfs::mount_flags::kNoAccessTime) != 0 ? i64{vfs::mount_flags::kNoAccessTime} : kRelativeAccessTime;
    }
    return to.store(result);
}

}  // namespace

/// statfs(2).
Result<void> sys_statfs(Caller& self, UserCString path, UserOut<UserStatfs> to) {
    FileTarget target = TRY(FileTarget::find(self, path));
    return store_statfs(target, to);
}
Result<void> sys_fstatfs(Caller& self, Fd fd, UserOut<UserStatfs> to) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd, FileTarget::PathsToo::Yes));
    return store_statfs(target, to);
}

namespace {

/// What access(2) checks with: the real ids, and the capabilities that go with them.
Result<Ref<vfs::Credentials>> real_credentials(const vfs::Credentials& present) {
    Ref<vfs::Credentials> real = TRY(present.copy());
    real->fsuid = present.uid;
    real->fsgid = present.gid;
    real->effective = present.uid == 0 ? present.permitted : vfs::CapabilitySet{};
    return real;
}

Result<void> check_access(const vfs::Credentials& credentials, const FileTarget& target, u32 mode) {
    vfs::Inode& inode = target.inode();
    constexpr u32 kExecute = static_cast<u32>(vfs::Access::Execute);
    constexpr u32 kWrite = static_cast<u32>(vfs::Access::Write);
    const vfs::Path* path = target.path();
    if ((mode & kExecute) != 0 && inode.is_regular() && path != nullptr &&
        path->mount().has(vfs::mount_flags::kNoExec)) {
        return fail(Errno::eacces);
    }
    TRY(vfs::check_permission(credentials, inode, mode));
    bool on_disk = inode.is_regular() || inode.is_directory() || inode.type() == vfs::FileType::SymbolicLink;
    if ((mode & kWrite) != 0 && on_disk && path != nullptr && path->mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    return {};
}

/// The walk itself is done with the same credentials (path_resolution(7)).
Result<void> access_with(Caller& self, const vfs::Credentials& credentials, const PathAt& at, u32 mode) {
    vfs::OperationContext own = self.context();
    vfs::OperationContext context{credentials, own.filesystem};
    vfs::Path path = TRY(vfs::walk(context, at.text(), at.options()));
    return check_access(credentials, FileTarget(std::move(path)), mode);
}

}  // namespace

/// access(2).
Result<void> sys_access(Caller& self, UserCString path, u32 mode) {
    return sys_faccessat2(self, kWorkingDirectory, path, mode, 0);
}
Result<void> sys_faccessat(Caller& self, Fd start, UserCString path, u32 mode) {
    return sys_faccessat2(self, start, path, mode, 0);
}
Result<void> sys_faccessat2(Caller& self, Fd start, UserCString path, u32 mode, u32 flags) {
    constexpr u32 kModes = 7;
    constexpr u32 kAllowed = at_flags::kEffectiveIds | at_flags::kNoFollow | at_flags::kEmptyPath;
    if ((mode & ~kModes) != 0 || (flags & ~kAllowed) != 0) {
        return fail(Errno::einval);
    }
    PathAt at;
    TRY(at.fetch(self, start, path, flags));
    const vfs::Credentials& present = self.credentials();
    if (at.text().empty() && at.file() != nullptr && at.file()->path() == nullptr) {
        return check_access(present, FileTarget(Ref<vfs::File>(*at.file())), mode);
    }
    if ((flags & at_flags::kEffectiveIds) != 0) {
        return access_with(self, present, at, mode);
    }
    Ref<vfs::Credentials> real = TRY(real_credentials(present));
    return access_with(self, *real, at, mode);
}

}  // namespace cairn::syscall
