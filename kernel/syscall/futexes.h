#pragma once
/// futex(2) and its relatives.

#include "kernel/syscall/polling.h"

namespace cairn::syscall {

/// struct futex_waitv.
struct FutexWaitArgument {
    u64 value;
    u64 address;
    u32 flags;
    u32 reserved;
};

Result<u64> sys_futex(Caller& self, u64 address, i32 operation, u32 value, u64 timeout_or_count, u64 second,
                      u32 third_value);
Result<u64> sys_futex_waitv(Caller& self, UserIn<FutexWaitArgument> waiters, u32 count, u32 flags,
                            UserIn<TimeSpecification> timeout, i32 clock);

}  // namespace cairn::syscall
