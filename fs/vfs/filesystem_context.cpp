/// Root, working directory and umask; see filesystem_context.h.

#include "fs/vfs/filesystem_context.h"

namespace cairn::vfs {

FilesystemContext::FilesystemContext(Path root, Path working_directory, u16 umask)
    : root_(std::move(root)), working_directory_(std::move(working_directory)), umask_(umask) {}

Result<Ref<FilesystemContext>> FilesystemContext::copy() {
    return try_new_ref<FilesystemContext>(root(), working_directory(), umask());
}

Path FilesystemContext::root() {
    SpinLockGuard guard(lock_);
    return root_;
}

Path FilesystemContext::working_directory() {
    SpinLockGuard guard(lock_);
    return working_directory_;
}

namespace {

void exchange(SpinLock<LockRank::FilesystemContext>& lock, Path& place, Path& value) {
    SpinLockGuard guard(lock);
    Path old(std::move(place));
    place = std::move(value);
    value = std::move(old);
}

}  // namespace

// The old path is dropped with the parameter, outside the lock.
void FilesystemContext::set_root(Path root) NO_THREAD_SAFETY_ANALYSIS {
    exchange(lock_, root_, root);
}

void FilesystemContext::set_working_directory(Path directory) NO_THREAD_SAFETY_ANALYSIS {
    exchange(lock_, working_directory_, directory);
}

}  // namespace cairn::vfs
