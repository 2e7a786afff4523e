#pragma once
/// Contents of open files: reading, writing, seeking, copying, synchronizing, listing directories.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

Result<u64> sys_read(Caller& self, Fd fd, UserOut<std::byte> to, usize size);
Result<u64> sys_write(Caller& self, Fd fd, UserIn<std::byte> from, usize size);
Result<u64> sys_pread64(Caller& self, Fd fd, UserOut<std::byte> to, usize size, i64 offset);
Result<u64> sys_pwrite64(Caller& self, Fd fd, UserIn<std::byte> from, usize size, i64 offset);
Result<u64> sys_readv(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count);
Result<u64> sys_writev(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count);
Result<u64> sys_preadv(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset);
Result<u64> sys_pwritev(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset);
Result<u64> sys_preadv2(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset, u64 offset_high,
                        u32 flags);
Result<u64> sys_pwritev2(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset, u64 offset_high,
                         u32 flags);
Result<u64> sys_lseek(Caller& self, Fd fd, i64 offset, u32 whence);

Result<u64> sys_sendfile(Caller& self, Fd out, Fd in, UserInOut<i64> offset, usize count);
Result<u64> sys_copy_file_range(Caller& self, Fd in, UserInOut<i64> in_offset, Fd out, UserInOut<i64> out_offset,
                                usize count, u32 flags);

Result<void> sys_fsync(Caller& self, Fd fd);
Result<void> sys_fdatasync(Caller& self, Fd fd);
Result<void> sys_sync(Caller& self);
Result<void> sys_syncfs(Caller& self, Fd fd);
Result<void> sys_sync_file_range(Caller& self, Fd fd, i64 offset, i64 size, u32 flags);

Result<void> sys_truncate(Caller& self, UserCString path, i64 size);
Result<void> sys_ftruncate(Caller& self, Fd fd, i64 size);
Result<void> sys_fallocate(Caller& self, Fd fd, u32 mode, i64 offset, i64 size);
Result<void> sys_fadvise64(Caller& self, Fd fd, i64 offset, i64 size, i32 advice);
Result<void> sys_readahead(Caller& self, Fd fd, i64 offset, usize size);

Result<u64> sys_getdents(Caller& self, Fd fd, UserOut<std::byte> to, u32 size);
Result<u64> sys_getdents64(Caller& self, Fd fd, UserOut<std::byte> to, u32 size);

}  // namespace cairn::syscall
