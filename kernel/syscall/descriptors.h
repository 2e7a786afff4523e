#pragma once
/// Descriptors: opening, closing, duplicating, controlling.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// openat2(2)'s struct open_how.
struct OpenHow {
    u64 flags = 0;
    u64 mode = 0;
    u64 resolve = 0;
};

Result<Fd> sys_open(Caller& self, UserCString path, u32 flags, u16 mode);
Result<Fd> sys_openat(Caller& self, Fd start, UserCString path, u32 flags, u16 mode);
Result<Fd> sys_openat2(Caller& self, Fd start, UserCString path, UserIn<OpenHow> how, usize size);
Result<Fd> sys_creat(Caller& self, UserCString path, u16 mode);
Result<Fd> sys_memfd_create(Caller& self, UserCString name, u32 flags);

Result<void> sys_close(Caller& self, Fd fd);
Result<void> sys_close_range(Caller& self, u32 first, u32 last, u32 flags);
Result<Fd> sys_dup(Caller& self, Fd fd);
Result<Fd> sys_dup2(Caller& self, Fd fd, Fd target);
Result<Fd> sys_dup3(Caller& self, Fd fd, Fd target, u32 flags);

Result<u64> sys_fcntl(Caller& self, Fd fd, u32 command, u64 argument);
Result<void> sys_flock(Caller& self, Fd fd, u32 operation);
Result<u64> sys_ioctl(Caller& self, Fd fd, u32 command, u64 argument);

}  // namespace cairn::syscall
