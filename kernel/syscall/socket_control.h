#pragma once
/// Control messages (cmsg(3)): open files and credentials that go with a message.

#include "kernel/syscall/sockets.h"

namespace cairn::syscall {

/// Takes what a program sends: SCM_RIGHTS and SCM_CREDENTIALS. EINVAL, EBADF, EPERM, ENOBUFS, EFAULT, ENOMEM.
Result<void> fetch_control(Caller& self, UserIn<std::byte> from, u64 size, net::SendRequest& request);

/// Gives a program what it received, in its buffer; what does not fit is dropped (MSG_CTRUNC in `result_flags`).
/// Returns how many bytes of the buffer are used.
u64 store_control(Caller& self, net::ReceiveRequest& request, UserOut<std::byte> to, u64 size, bool close_on_exec);

}  // namespace cairn::syscall
