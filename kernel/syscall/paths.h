#pragma once
/// Names: creating, removing, renaming, linking, and where a process stands in the tree.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

Result<void> sys_mkdir(Caller& self, UserCString path, u16 mode);
Result<void> sys_mkdirat(Caller& self, Fd start, UserCString path, u16 mode);
Result<void> sys_mknod(Caller& self, UserCString path, u32 mode, u32 device);
Result<void> sys_mknodat(Caller& self, Fd start, UserCString path, u32 mode, u32 device);
Result<void> sys_rmdir(Caller& self, UserCString path);
Result<void> sys_unlink(Caller& self, UserCString path);
Result<void> sys_unlinkat(Caller& self, Fd start, UserCString path, u32 flags);
Result<void> sys_rename(Caller& self, UserCString old_path, UserCString new_path);
Result<void> sys_renameat(Caller& self, Fd old_start, UserCString old_path, Fd new_start, UserCString new_path);
Result<void> sys_renameat2(Caller& self, Fd old_start, UserCString old_path, Fd new_start, UserCString new_path,
                           u32 flags);
Result<void> sys_link(Caller& self, UserCString old_path, UserCString new_path);
Result<void> sys_linkat(Caller& self, Fd old_start, UserCString old_path, Fd new_start, UserCString new_path,
                        u32 flags);
Result<void> sys_symlink(Caller& self, UserCString target, UserCString path);
Result<void> sys_symlinkat(Caller& self, UserCString target, Fd start, UserCString path);
Result<u64> sys_readlink(Caller& self, UserCString path, UserOut<std::byte> to, i32 size);
Result<u64> sys_readlinkat(Caller& self, Fd start, UserCString path, UserOut<std::byte> to, i32 size);

Result<void> sys_chdir(Caller& self, UserCString path);
Result<void> sys_fchdir(Caller& self, Fd fd);
Result<u64> sys_getcwd(Caller& self, UserOut<std::byte> to, usize size);
Result<void> sys_chroot(Caller& self, UserCString path);
Result<u64> sys_umask(Caller& self, u32 mask);

}  // namespace cairn::syscall
