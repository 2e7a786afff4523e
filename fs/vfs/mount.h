#pragma once
/// Filesystems and mounts: the table of filesystem types, superblocks, and the tree that mount(2) builds.

#include "fs/vfs/inode.h"
#include "fs/vfs/path.h"
#include "kernel/base/format.h"
#include "kernel/base/list.h"

namespace cairn::vfs {

/// statfs(2).
struct FilesystemStatistics {
    u64 magic = 0, block_size = 4096, blocks = 0, free_blocks = 0, available_blocks = 0;
    u64 files = 0, free_files = 0, name_limit = kNameLimit, flags = 0;
};

/// One filesystem that is mounted somewhere: its device number, root inode, and inode numbers.
class Superblock : public RefCounted<Superblock> {
public:
    DeviceNumber device() const { return device_; }
    virtual std::string_view type_name() const = 0;
    virtual Ref<Inode> root() = 0;
    virtual FilesystemStatistics statistics() = 0;
    virtual Result<void> synchronize() { return {}; }
    /// Options as /proc/mounts shows them beyond rw,nosuid…; with a leading comma.
    virtual void describe_options(TextBuffer&) {}
    u64 next_inode_number() { return next_inode_.fetch_add(1, Order::relaxed); }
    sync::Mutex<LockRank::Rename> rename_mutex;

    /// The entry at its root, which all its mounts share; made at first use. ENOMEM.
    Result<Ref<Dentry>> root_dentry();
    /// A mount of it begins or ends. With the last one its names leave the cache, and unmounted() is called.
    void mount_begins() {
        mounts_.fetch_add(1, Order::relaxed);
        was_mounted_.store(true, Order::relaxed);
    }
    void mount_ends();
    /// Whether its last mount has ended.
    bool is_unmounted() const { return mounts_.load(Order::acquire) == 0 && was_mounted_.load(Order::relaxed); }
    /// Mounted nowhere any more: drops what keeps the filesystem alive by itself (its root).
    virtual void unmounted() {}

    void last_reference_dropped();
    ListNode list_node;  // of Vfs

protected:
    Superblock();  // takes an anonymous device number
    ~Superblock();
    virtual void destroy() = 0;

private:
    DeviceNumber device_;
    Atomic<u64> next_inode_{1};
    Atomic<u32> mounts_{0};
    Atomic<bool> was_mounted_{false};
    Atomic<Dentry*> root_dentry_{nullptr};  // counted
};

/// A row of the table of filesystems (fs/filesystems.cpp): its name and how it is mounted.
struct FilesystemType {
    std::string_view name;
    bool needs_device;  // "nodev" in /proc/filesystems otherwise
    Result<Ref<Superblock>> (*mount)(OperationContext& context, std::string_view source, std::string_view options);
};

/// mount(2)'s flags that belong to a mount.
namespace mount_flags {
constexpr u32 kReadOnly = 1, kNoSetId = 2, kNoDevices = 4, kNoExec = 8, kRemount = 32, kNoAccessTime = 1024;
constexpr u32 kNoDirectoryAccessTime = 2048, kBind = 4096, kMove = 8192, kRecursive = 16384, kSilent = 32768;
constexpr u32 kPrivate = 1u << 18, kSlave = 1u << 19, kShared = 1u << 20, kRelativeAccessTime = 1u << 21;
}  // namespace mount_flags

/// mount(2), umount2(2), pivot_root(2), chroot's half. Permissions (CAP_SYS_ADMIN) are checked.
Result<void> mount(OperationContext& context, std::string_view source, std::string_view target, std::string_view type,
                   u64 flags, std::string_view options);
Result<void> unmount(OperationContext& context, std::string_view target, u32 flags);
Result<void> pivot_root(OperationContext& context, std::string_view new_root, std::string_view put_old);
/// The first mount, before there is a process; returns its root. fs/filesystems.h calls it with an empty tmpfs.
Result<Path> mount_root(Ref<Superblock> superblock);
/// sync(2).
void synchronize_all();

}  // namespace cairn::vfs
