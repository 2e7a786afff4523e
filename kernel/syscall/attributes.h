#pragma once
/// What files are: stat(2), statfs(2), access(2), and changing mode, owner and times; extended attributes.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// struct stat on x86-64.
struct UserStat {
    u64 device = 0;
    u64 inode = 0;
    u64 links = 0;
    u32 mode = 0;
    u32 uid = 0;
    u32 gid = 0;
    u32 padding = 0;
    u64 special_device = 0;
    i64 size = 0;
    i64 block_size = 0;
    i64 blocks = 0;
    i64 access_seconds = 0;
    u64 access_nanoseconds = 0;
    i64 modification_seconds = 0;
    u64 modification_nanoseconds = 0;
    i64 change_seconds = 0;
    u64 change_nanoseconds = 0;
    i64 unused[3] = {};
};
static_assert(sizeof(UserStat) == 144);

/// struct statx_timestamp.
struct UserStatxTime {
    i64 seconds = 0;
    u32 nanoseconds = 0;
    u32 padding = 0;
};
/// struct statx (statx(2)).
struct UserStatx {
    u32 mask = 0;
    u32 block_size = 0;
    u64 attributes = 0;
    u32 links = 0;
    u32 uid = 0;
    u32 gid = 0;
    u16 mode = 0;
    u16 padding = 0;
    u64 inode = 0;
    u64 size = 0;
    u64 blocks = 0;
    u64 attributes_mask = 0;
    UserStatxTime access, birth, change, modification;
    u32 special_major = 0;
    u32 special_minor = 0;
    u32 device_major = 0;
    u32 device_minor = 0;
    u64 mount_id = 0;
    u32 direct_io_memory_alignment = 0;
    u32 direct_io_offset_alignment = 0;
    u64 spare[12] = {};
};
static_assert(sizeof(UserStatx) == 256);

/// struct statfs on x86-64.
struct UserStatfs {
    i64 type = 0;
    i64 block_size = 0;
    u64 blocks = 0;
    u64 free_blocks = 0;
    u64 available_blocks = 0;
    u64 files = 0;
    u64 free_files = 0;
    u32 id[2] = {};
    i64 name_limit = 0;
    i64 fragment_size = 0;
    i64 flags = 0;
    i64 spare[4] = {};
};
static_assert(sizeof(UserStatfs) == 120);

/// struct timespec, timeval and utimbuf.
struct UserTime {
    i64 seconds = 0;
    i64 fraction = 0;
};
struct UserSeconds {
    i64 access = 0;
    i64 modification = 0;
};

Result<void> sys_stat(Caller& self, UserCString path, UserOut<UserStat> to);
Result<void> sys_lstat(Caller& self, UserCString path, UserOut<UserStat> to);
Result<void> sys_fstat(Caller& self, Fd fd, UserOut<UserStat> to);
Result<void> sys_newfstatat(Caller& self, Fd start, UserCString path, UserOut<UserStat> to, u32 flags);
Result<void> sys_statx(Caller& self, Fd start, UserCString path, u32 flags, u32 mask, UserOut<UserStatx> to);
Result<void> sys_statfs(Caller& self, UserCString path, UserOut<UserStatfs> to);
Result<void> sys_fstatfs(Caller& self, Fd fd, UserOut<UserStatfs> to);

Result<void> sys_access(Caller& self, UserCString path, u32 mode);
Result<void> sys_faccessat(Caller& self, Fd start, UserCString path, u32 mode);
Result<void> sys_faccessat2(Caller& self, Fd start, UserCString path, u32 mode, u32 flags);

Result<void> sys_chmod(Caller& self, UserCString path, u16 mode);
Result<void> sys_fchmod(Caller& self, Fd fd, u16 mode);
Result<void> sys_fchmodat(Caller& self, Fd start, UserCString path, u16 mode);
Result<void> sys_fchmodat2(Caller& self, Fd start, UserCString path, u16 mode, u32 flags);
Result<void> sys_chown(Caller& self, UserCString path, u32 uid, u32 gid);
Result<void> sys_lchown(Caller& self, UserCString path, u32 uid, u32 gid);
Result<void> sys_fchown(Caller& self, Fd fd, u32 uid, u32 gid);
Result<void> sys_fchownat(Caller& self, Fd start, UserCString path, u32 uid, u32 gid, u32 flags);

Result<void> sys_utime(Caller& self, UserCString path, UserIn<UserSeconds> times);
Result<void> sys_utimes(Caller& self, UserCString path, UserIn<UserTime> times);
Result<void> sys_futimesat(Caller& self, Fd start, UserCString path, UserIn<UserTime> times);
Result<void> sys_utimensat(Caller& self, Fd start, UserCString path, UserIn<UserTime> times, u32 flags);

Result<u64> sys_getxattr(Caller& self, UserCString path, UserCString name, UserOut<std::byte> to, usize size);
Result<u64> sys_lgetxattr(Caller& self, UserCString path, UserCString name, UserOut<std::byte> to, usize size);
Result<u64> sys_fgetxattr(Caller& self, Fd fd, UserCString name, UserOut<std::byte> to, usize size);
Result<void> sys_setxattr(Caller& self, UserCString path, UserCString name, UserIn<std::byte> from, usize size,
                          u32 flags);
Result<void> sys_lsetxattr(Caller& self, UserCString path, UserCString name, UserIn<std::byte> from, usize size,
                           u32 flags);
Result<void> sys_fsetxattr(Caller& self, Fd fd, UserCString name, UserIn<std::byte> from, usize size, u32 flags);
Result<u64> sys_listxattr(Caller& self, UserCString path, UserOut<std::byte> to, usize size);
Result<u64> sys_llistxattr(Caller& self, UserCString path, UserOut<std::byte> to, usize size);
Result<u64> sys_flistxattr(Caller& self, Fd fd, UserOut<std::byte> to, usize size);
Result<void> sys_removexattr(Caller& self, UserCString path, UserCString name);
Result<void> sys_lremovexattr(Caller& self, UserCString path, UserCString name);
Result<void> sys_fremovexattr(Caller& self, Fd fd, UserCString name);

}  // namespace cairn::syscall
