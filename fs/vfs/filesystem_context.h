#pragma once
/// FilesystemContext: root, working directory and umask of a process, or of several that share it (CLONE_FS).

#include "fs/vfs/path.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::vfs {

class FilesystemContext : public RefCounted<FilesystemContext> {
public:
    FilesystemContext(Path root, Path working_directory, u16 umask);
    /// For fork. ENOMEM.
    Result<Ref<FilesystemContext>> copy();

    Path root();
    Path working_directory();
    void set_root(Path root);
    void set_working_directory(Path directory);
    u16 umask() const { return umask_.load(Order::relaxed); }
    u16 exchange_umask(u16 umask) { return umask_.exchange(umask & 0777, Order::relaxed); }

    /// E15: the tasks that have it. Changes together with what they refer to, under the lock of the task's group.
    Atomic<u32> users{1};

private:
    SpinLock<LockRank::FilesystemContext> lock_;
    Path root_ GUARDED_BY(lock_);
    Path working_directory_ GUARDED_BY(lock_);
    Atomic<u16> umask_;
};

}  // namespace cairn::vfs
