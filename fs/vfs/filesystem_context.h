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
    /// What they are, without counting it, for a task that has it: to be used under the caller's ReadGuard only, during
    /// which either may go.
    struct Place {
        Mount* mount;
        Dentry* entry;
    };
    Place root_under_guard() NO_THREAD_SAFETY_ANALYSIS { return place_under_guard(root_); }
    Place working_directory_under_guard() NO_THREAD_SAFETY_ANALYSIS { return place_under_guard(working_directory_); }
    void set_root(Path root);
    void set_working_directory(Path directory);
    u16 umask() const { return umask_.load(Order::relaxed); }
    u16 exchange_umask(u16 umask) { return umask_.exchange(umask & 0777, Order::relaxed); }

    /// E15: the tasks that have it. Changes together with what they refer to, under the lock of the task's group.
    Atomic<u32> users{1};

private:
    /// Where there is only one, it is the caller, and nobody else changes what is its own.
    Place place_under_guard(const Path& path) NO_THREAD_SAFETY_ANALYSIS {
        if (users.load(Order::acquire) == 1) {
            return {&path.mount(), &path.dentry()};
        }
        SpinLockGuard guard(lock_);
        return {&path.mount(), &path.dentry()};
    }

    SpinLock<LockRank::FilesystemContext> lock_;
    Path root_ GUARDED_BY(lock_);
    Path working_directory_ GUARDED_BY(lock_);
    Atomic<u16> umask_;
};

}  // namespace cairn::vfs
