#pragma once
/// The signal mask of ppoll(2), pselect(2) and epoll_pwait(2): in force while the call waits, and undone on the return
/// to user mode, after the signals that it let through have been taken. Implemented by kernel/signal.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// No mask given (null): nothing. EINVAL unless `size` is eight; EFAULT.
Result<void> set_temporary_mask(Caller& self, UserIn<u64> mask, usize size);

}  // namespace cairn::syscall
