#pragma once
/// The tree of mounts.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

Result<void> sys_mount(Caller& self, UserCString source, UserCString target, UserCString type, u64 flags,
                       UserCString options);
Result<void> sys_umount2(Caller& self, UserCString target, u32 flags);
Result<void> sys_pivot_root(Caller& self, UserCString new_root, UserCString put_old);
Result<void> sys_swapon(Caller& self, UserCString path, u32 flags);
Result<void> sys_swapoff(Caller& self, UserCString path);
/// File handles are for servers of network filesystems: EOPNOTSUPP.
Result<void> sys_name_to_handle_at(Caller& self, Fd start, UserCString path, UserInOut<u32> handle,
                                   UserOut<i32> mount_id, u32 flags);

}  // namespace cairn::syscall
