#pragma once
/// Vfs: what the filesystem layer keeps while the kernel runs (g_kernel.vfs): the cache of names, the list of
/// filesystems, the mount at the root of everything, the device registry, and the hooks through which layers above
/// take part. Made once during start-up, before the first mount; lives for ever.

#include <span>

#include "fs/vfs/dentry.h"
#include "fs/vfs/devices.h"
#include "fs/vfs/file_locks.h"
#include "fs/vfs/mount_tree.h"
#include "kernel/base/kernel.h"

namespace cairn::vfs {

/// What folders above fs/vfs put in at start-up. Null: that kind of file cannot be opened (ENXIO).
struct Hooks {
    /// fs/pipe: opens a FIFO; waits for the other side as fifo(7) says.
    Result<Ref<File>> (*open_fifo)(OperationContext& context, Inode& inode, const OpenRequest& request) = nullptr;
    /// The table of filesystem types; fs/filesystems.cpp.
    std::span<const FilesystemType> types;
};

class Vfs {
public:
    /// Makes g_kernel.vfs. Thread context or start-up. ENOMEM.
    static Result<void> initialize();
    /// For tests: the counterpart, when nothing is mounted or open any more.
    static void destroy();

    DentryCache dentries;
    MountTree mounts;
    DeviceRegistry devices;
    Hooks hooks;
    LockWaiters lock_waiters;
    /// Where memfd_create(2) makes its files; fs/tmpfs.
    std::optional<Ref<Mount>> memory_files;
    /// Where mq_open(3) finds its queues; fs/mqueue.
    std::optional<Ref<Mount>> message_queues;
    /// Where device nodes appear; fs/devtmpfs.
    std::optional<Ref<Mount>> device_files;

    /// Watches on inodes, of all inotify instances: mostly none.
    Atomic<u32> watch_count{0};
    Atomic<u32> notify_cookies{0};

    /// A device number for a filesystem without a device: major 0.
    DeviceNumber allocate_anonymous_device() { return {0, next_device_.fetch_add(1, Order::relaxed)}; }
    void add_superblock(Superblock& superblock);
    void remove_superblock(Superblock& superblock);
    bool has_superblocks();
    /// sync(2): every filesystem.
    void synchronize_all();

    explicit Vfs(DentryCache&& cache) : dentries(std::move(cache)) {}

private:
    Atomic<u32> next_device_{1};
    SpinLock<LockRank::Superblocks> superblocks_lock_;
    List<Superblock, &Superblock::list_node> superblocks_ GUARDED_BY(superblocks_lock_);
};

inline Vfs& the_vfs() {
    return *g_kernel.vfs;
}

/// Whether there is no watch of inotify(7) at all, so that nobody is to be told of anything.
inline bool nobody_watches() {
    return g_kernel.vfs == nullptr || the_vfs().watch_count.load(Order::relaxed) == 0;
}

}  // namespace cairn::vfs
