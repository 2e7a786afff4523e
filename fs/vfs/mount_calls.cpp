/// mount(2), umount2(2), pivot_root(2). The tree itself is in mount_tree.cpp.

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/vfs.h"

namespace cairn::vfs {

namespace {

using namespace mount_flags;

/// What stays with a mount.
constexpr u32 kKept = kReadOnly | kNoSetId | kNoDevices | kNoExec | kNoAccessTime | kNoDirectoryAccessTime;

Result<void> check_capable(const OperationContext& context) {
    return context.credentials.has(Capability::SysAdmin) ? Result<void>() : fail(Errno::eperm);
}

const FilesystemType* find_type(std::string_view name) {
    for (const FilesystemType& type : the_vfs().hooks.types) {
        if (type.name == name) {
            return &type;
        }
    }
    return nullptr;
}

/// Keeps a new filesystem mounted while it is not attached yet: when that fails it goes as by umount(2).
class MountHold {
public:
    explicit MountHold(Superblock& superblock) : superblock_(superblock) { superblock.mount_begins(); }
    ~MountHold() { superblock_->mount_ends(); }
    MountHold(const MountHold&) = delete;
    MountHold& operator=(const MountHold&) = delete;

private:
    Ref<Superblock> superblock_;
};

Result<void> mount_new(OperationContext& context, const Path& target, std::string_view source, std::string_view name,
                       u32 flags, std::string_view options) {
    const FilesystemType* type = find_type(name);
    if (type == nullptr) {
        return fail(Errno::enodev);
    }
    Ref<Superblock> superblock = TRY(type->mount(context, source, options));
    MountHold hold(*superblock);
    Ref<Dentry> root = TRY(superblock->root_dentry());
    Ref<Mount> mount = TRY(Mount::create(superblock, std::move(root), source, flags));
    return the_vfs().mounts.attach(std::move(mount), target);
}

}  // namespace

Result<void> mount(OperationContext& context, std::string_view source, std::string_view target, std::string_view type,
                   u64 all_flags, std::string_view options) {
    // The upper half is a magic number of old (mount(2), NOTES).
    constexpr u64 kMagicMask = 0xffff'0000;
    constexpr u64 kMagic = 0xc0ed'0000;
    u32 flags = static_cast<u32>((all_flags & kMagicMask) == kMagic ? all_flags & ~kMagicMask : all_flags);
    Path where = TRY(walk(context, target));
    TRY(check_capable(context));
    MountTree& tree = the_vfs().mounts;
    constexpr u32 kUnbindable = 1u << 17;
    constexpr u32 kPropagation = kPrivate | kSlave | kShared | kUnbindable;
    if ((flags & kRemount) != 0) {
        return tree.remount(where, flags & kKept);
    }
    if ((flags & (kBind | kMove)) != 0 && source.empty()) {
        return fail(Errno::einval);
    }
    if ((flags & kBind) != 0) {
        Path from = TRY(walk(context, source));
        return tree.bind(from, where, 0, (flags & kRecursive) != 0);
    }
    if ((flags & kPropagation) != 0) {
        // There is one namespace: every mount is private, and nothing would propagate.
        return &where.dentry() == &where.mount().root() ? Result<void>() : fail(Errno::einval);
    }
    if ((flags & kMove) != 0) {
        Path from = TRY(walk(context, source));
        return tree.move(from, where);
    }
    // No type at all is another mistake than one of no filesystem.
    return type.data() == nullptr ? fail(Errno::einval)
                                  : mount_new(context, where, source, type, flags & kKept, options);
}

Result<void> unmount(OperationContext& context, std::string_view target, u32 flags) {
    constexpr u32 kForce = 1;
    constexpr u32 kDetach = 2;
    constexpr u32 kExpire = 4;
    constexpr u32 kNoFollow = 8;
    if ((flags & ~(kForce | kDetach | kExpire | kNoFollow)) != 0 ||
        ((flags & kExpire) != 0 && (flags & (kForce | kDetach)) != 0)) {
        return fail(Errno::einval);
    }
    TRY(check_capable(context));
    WalkOptions options;
    options.follow_last_link = (flags & kNoFollow) == 0;
    Path path = TRY(walk(context, target, options));
    MountTree& tree = the_vfs().mounts;
    if ((flags & kExpire) != 0) {
        return fail(Errno::eagain);  // the first of the two calls that MNT_EXPIRE takes; nothing is marked
    }
    return tree.detach(path, (flags & kDetach) != 0 ? MountTree::Detach::Lazily : MountTree::Detach::WhenIdle);
}

Result<void> pivot_root(OperationContext& context, std::string_view new_name, std::string_view old_name) {
    TRY(check_capable(context));
    WalkOptions options;
    options.want_directory = true;
    Path new_root = TRY(walk(context, new_name, options));
    Path put_old = TRY(walk(context, old_name, options));
    Path old_root = context.filesystem.root();
    if (&new_root.dentry() != &new_root.mount().root() || &old_root.dentry() != &old_root.mount().root()) {
        return fail(Errno::einval);
    }
    if (&new_root.mount() == &old_root.mount() || &put_old.mount() == &old_root.mount()) {
        return fail(Errno::ebusy);
    }
    TRY(the_vfs().mounts.pivot(new_root, put_old, old_root));
    if (context.filesystem.working_directory().same_as(old_root)) {
        context.filesystem.set_working_directory(new_root);
    }
    context.filesystem.set_root(std::move(new_root));
    return {};
}

Result<Path> mount_root(Ref<Superblock> superblock) {
    MountHold hold(*superblock);
    Ref<Dentry> root = TRY(superblock->root_dentry());
    Ref<Mount> mount = TRY(Mount::create(superblock, root, "rootfs", 0));
    Path path(mount, std::move(root));
    the_vfs().mounts.set_root(std::move(mount));
    return path;
}

}  // namespace cairn::vfs
