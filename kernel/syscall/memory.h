#pragma once
/// Memory: mappings, the break, advice, locks; other processes' memory.

#include "kernel/syscall/caller.h"
#include "mm/space_types.h"

namespace cairn::syscall {

/// The calling process's; locked memory is unlimited with CAP_IPC_LOCK.
mm::MemoryLimits memory_limits(Caller& self);
/// vm.mmap_min_addr for who lacks CAP_SYS_RAWIO.
u64 lowest_address(Caller& self);

Result<u64> sys_mmap(Caller& self, u64 address, u64 length, u32 protection, u32 flags, Fd fd, u64 offset);
Result<void> sys_munmap(Caller& self, u64 address, u64 length);
Result<void> sys_mprotect(Caller& self, u64 address, u64 length, u32 protection);
Result<u64> sys_mremap(Caller& self, u64 address, u64 old_size, u64 new_size, u32 flags, u64 new_address);
Result<void> sys_madvise(Caller& self, u64 address, u64 length, i32 advice);
Result<u64> sys_brk(Caller& self, u64 address);
Result<void> sys_msync(Caller& self, u64 address, u64 length, i32 flags);
Result<void> sys_mincore(Caller& self, u64 address, u64 length, UserOut<u8> pages);
Result<void> sys_mlock(Caller& self, u64 address, u64 length);
Result<void> sys_mlock2(Caller& self, u64 address, u64 length, u32 flags);
Result<void> sys_munlock(Caller& self, u64 address, u64 length);
Result<void> sys_mlockall(Caller& self, u32 flags);
Result<void> sys_munlockall(Caller& self);
Result<i64> sys_process_vm_readv(Caller& self, i32 pid, UserIn<mm::IoSegment> local, u64 local_count,
                                 UserIn<mm::IoSegment> remote, u64 remote_count, u64 flags);
Result<i64> sys_process_vm_writev(Caller& self, i32 pid, UserIn<mm::IoSegment> local, u64 local_count,
                                  UserIn<mm::IoSegment> remote, u64 remote_count, u64 flags);

}  // namespace cairn::syscall
