#pragma once
/// Inodes for files without a name, from three filesystems that are never mounted. g_kernel.anonymous_files.
///
/// Immutable after initialize(); each new inode belongs to its caller. Thread context.

#include "fs/vfs/inode.h"
#include "fs/vfs/mount.h"
#include "kernel/base/own.h"

namespace cairn::anonymous {

class AnonymousFiles {
public:
    /// At start-up, after the heap. ENOMEM.
    static Result<void> initialize();
    /// The counterpart, for machines that are built and torn down in tests: nobody uses such a file any more.
    static void shut_down();

    /// pipe(2): S_IFIFO | 0600, owned by the caller.
    Result<Ref<vfs::Inode>> create_pipe_inode(const vfs::Credentials& owner);
    /// socket(2): S_IFSOCK | 0777, owned by the caller.
    Result<Ref<vfs::Inode>> create_socket_inode(const vfs::Credentials& owner);
    /// The one inode of eventfd, timerfd, signalfd, epoll …: st_mode 0600, owned by root.
    Ref<vfs::Inode> shared_inode() const { return other_root_; }

    AnonymousFiles(Ref<vfs::Superblock> pipes, Ref<vfs::Superblock> sockets, Ref<vfs::Superblock> others)
        : pipes_(std::move(pipes)),
          sockets_(std::move(sockets)),
          others_(std::move(others)),
          other_root_(others_->root()) {}

private:
    Ref<vfs::Superblock> pipes_;
    Ref<vfs::Superblock> sockets_;
    Ref<vfs::Superblock> others_;
    Ref<vfs::Inode> other_root_;
};

}  // namespace cairn::anonymous
