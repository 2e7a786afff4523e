/// Rows for names, attributes and mounts.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "tests/support/call_table.h"

namespace cairn::sim {

namespace {

using enum Makes;
constexpr Argument kStat = room(144);
constexpr Argument kAttributeName = text(Texts::AttributeName);
constexpr Argument kAtFlags = bits(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
constexpr Argument kAccess = one_of<0, 1, 2, 4, 7, 8>();
constexpr Argument kNodeMode =
    one_of<S_IFREG | 0644, S_IFIFO | 0600, S_IFSOCK | 0600, S_IFCHR | 0600, S_IFBLK | 0600, S_IFDIR | 0700, 0644>();
constexpr Argument kDevice = one_of<0, 0x103, 0x105, 0x107, 0x501, 0x502, 0xfffff>();
constexpr Argument kAttributeSize = one_of<0, 1, 16, 64, 200, 70000>();
constexpr Argument kMountPoint = text(Texts::MountPoint);

constexpr Row kRows[] = {
    {SYS_stat, {kPath, kStat}},
    {SYS_lstat, {kPath, kStat}},
    {SYS_fstat, {fd(), kStat}},
    {SYS_newfstatat, {kStart, kPath, kStat, kAtFlags}},
    {SYS_statx, {kStart, kPath, bits(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x6000), bits(0xfff), room(256)}},
    {SYS_statfs, {kPath, room(120)}},
    {SYS_fstatfs, {fd(), room(120)}},
    {SYS_access, {kPath, kAccess}},
    {SYS_faccessat, {kStart, kPath, kAccess}},
    {SYS_faccessat2, {kStart, kPath, kAccess, bits(AT_SYMLINK_NOFOLLOW | AT_EACCESS | AT_EMPTY_PATH)}},
    {SYS_chmod, {kPath, kMode}},
    {SYS_fchmod, {fd(), kMode}},
    {SYS_fchmodat, {kStart, kPath, kMode}},
    {SYS_chown, {kPath, kUser, kUser}},
    {SYS_lchown, {kPath, kUser, kUser}},
    {SYS_fchown, {fd(), kUser, kUser}},
    {SYS_fchownat, {kStart, kPath, kUser, kUser, kAtFlags}},
    {SYS_utime, {kPath, is(Meaning::TimeValue)}},
    {SYS_utimes, {kPath, is(Meaning::TimeValuePair)}},
    {SYS_futimesat, {kStart, kPath, is(Meaning::TimeValuePair)}},
    {SYS_utimensat, {kStart, kPath, is(Meaning::TimePair), kAtFlags}},
    {SYS_umask, {kMode}},

    {SYS_getxattr, {kPath, kAttributeName, room(200), kAttributeSize}, Nothing},
    {SYS_lgetxattr, {kPath, kAttributeName, room(200), kAttributeSize}},
    {SYS_fgetxattr, {fd(), kAttributeName, room(200), kAttributeSize}},
    {SYS_setxattr, {kPath, kAttributeName, bytes(200), kAttributeSize, one_of<0, 0, XATTR_CREATE, XATTR_REPLACE, 4>()}},
    {SYS_lsetxattr, {kPath, kAttributeName, bytes(200), kAttributeSize, one_of<0, XATTR_CREATE, XATTR_REPLACE>()}},
    {SYS_fsetxattr, {fd(), kAttributeName, bytes(200), kAttributeSize, one_of<0, XATTR_CREATE, XATTR_REPLACE>()}},
    {SYS_listxattr, {kPath, room(200), kAttributeSize}},
    {SYS_llistxattr, {kPath, room(200), kAttributeSize}},
    {SYS_flistxattr, {fd(), room(200), kAttributeSize}},
    {SYS_removexattr, {kPath, kAttributeName}},
    {SYS_lremovexattr, {kPath, kAttributeName}},
    {SYS_fremovexattr, {fd(), kAttributeName}},

    {SYS_mkdir, {kNewPath, kMode}},
    {SYS_mkdirat, {kStart, kNewPath, kMode}},
    {SYS_mknod, {kNewPath, kNodeMode, kDevice}},
    {SYS_mknodat, {kStart, kNewPath, kNodeMode, kDevice}},
    {SYS_rmdir, {kNewPath}},
    {SYS_unlink, {kNewPath}},
    {SYS_unlink, {kPath}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_unlinkat, {kStart, kNewPath, one_of<0, AT_REMOVEDIR, 1>()}},
    {SYS_rename, {kNewPath, kNewPath}},
    {SYS_rename, {kPath, kNewPath}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_renameat, {kStart, kNewPath, kStart, kNewPath}},
    {SYS_renameat2, {kStart, kNewPath, kStart, kNewPath, one_of<0, 1, 2, 4, 3>()}},
    {SYS_link, {kPath, kNewPath}},
    {SYS_linkat, {kStart, kPath, kStart, kNewPath, one_of<0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH>()}},
    {SYS_symlink, {kPath, kNewPath}},
    {SYS_symlinkat, {kPath, kStart, kNewPath}},
    {SYS_readlink, {kPath, room(100), one_of<100, 1, 0, 5000>()}, Nothing, {}, 3},
    {SYS_readlinkat, {kStart, kPath, room(100), one_of<100, 1, 0, 5000>()}, Nothing, {}, 4},
    {SYS_getcwd, {room(100), one_of<100, 1, 0, 5000>()}, Nothing, {}, 2},
    {SYS_chdir, {kPath}},
    {SYS_fchdir, {fd(Descriptor::Directory)}},
    {SYS_chroot, {kPath}, Nothing, {}, 0, Frequency::Seldom},

    {SYS_mount,
     {text(Texts::Name), kMountPoint, text(Texts::FilesystemType), bits(0xf | MS_NOATIME | MS_SILENT),
      text(Texts::MountOptions)}},
    {SYS_mount,
     {kPath,
      kMountPoint,
      {},
      one_of<MS_BIND, MS_BIND | MS_REC, MS_MOVE, MS_REMOUNT, MS_REMOUNT | MS_BIND, MS_REMOUNT | MS_RDONLY | MS_BIND,
             MS_PRIVATE, MS_SHARED, MS_SLAVE | MS_REC>(),
      text(Texts::MountOptions)}},
    {SYS_umount2, {kMountPoint, one_of<0, MNT_DETACH, MNT_FORCE, MNT_EXPIRE, 8, 16>()}},
    {SYS_pivot_root, {kMountPoint, kPath}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_swapon, {kPath, kNumber}},
    {SYS_swapoff, {kPath}},
    {SYS_name_to_handle_at, {kStart, kPath, bytes(64), room(4), kAtFlags}},

    {SYS_inotify_init, {}, Descriptor, Descriptor::Inotify},
    {SYS_inotify_init1, {bits(O_CLOEXEC | O_NONBLOCK)}, Descriptor, Descriptor::Inotify},
    {SYS_inotify_add_watch, {fd(Descriptor::Inotify), kPath, bits(0x31000fff)}, Watch},
    {SYS_inotify_add_watch, {fd(Descriptor::Inotify), kPath, one_of<0xfff, 0xfff | 0x80000000u, 0x100>()}, Watch},
    {SYS_inotify_rm_watch, {fd(Descriptor::Inotify), is(Meaning::Watch)}},
};

}  // namespace

std::span<const Row> path_rows() {
    return kRows;
}

}  // namespace cairn::sim
