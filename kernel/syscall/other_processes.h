#pragma once
/// Looking at, and advising, processes beside one's own.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

Result<i32> sys_kcmp(Caller& self, i32 first, i32 second, i32 what, u64 first_index, u64 second_index);
Result<i64> sys_process_madvise(Caller& self, Fd pidfd, UserIn<mm::IoSegment> segments, u64 count, i32 advice,
                                u32 flags);

}  // namespace cairn::syscall
