#pragma once
/// inotify_init(2) and its kin.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

Result<Fd> sys_inotify_init(Caller& self);
Result<Fd> sys_inotify_init1(Caller& self, u32 flags);
Result<i32> sys_inotify_add_watch(Caller& self, Fd fd, UserCString name, u32 mask);
Result<void> sys_inotify_rm_watch(Caller& self, Fd fd, i32 watch);

}  // namespace cairn::syscall
