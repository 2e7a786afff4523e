#pragma once
/// Pipes: pipe(2), splice(2), tee(2), vmsplice(2).

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

Result<void> sys_pipe(Caller& self, UserOut<i32> descriptors);
Result<void> sys_pipe2(Caller& self, UserOut<i32> descriptors, u32 flags);
Result<u64> sys_splice(Caller& self, Fd in, UserInOut<u64> in_offset, Fd out, UserInOut<u64> out_offset, usize size,
                       u32 flags);
Result<u64> sys_tee(Caller& self, Fd in, Fd out, usize size, u32 flags);
Result<u64> sys_vmsplice(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, u32 flags);

}  // namespace cairn::syscall
