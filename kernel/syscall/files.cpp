/// read(2), write(2) and their kin; see files.h. Copying between files, synchronizing and the rest is in
/// file_ranges.cpp.

#include "kernel/syscall/files.h"

#include <algorithm>

#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr i32 kSigPipe = 13;
constexpr i32 kSigFileSize = 25;

/// What a failed write does to the writer (write(2)).
Result<u64> finish_write(Caller& self, Result<usize> result) {
    if (!result.ok() && result.error() == Errno::epipe) {
        self.signal_self(kSigPipe);
    }
    if (!result.ok() && result.error() == Errno::efbig && self.context().file_size_limit != ~u64{0}) {
        self.signal_self(kSigFileSize);
    }
    return result;
}

Result<usize> check_size(usize size) {
    if (static_cast<i64>(size) < 0) {
        return fail(Errno::einval);
    }
    return std::min<usize>(size, kTransferLimit);
}

/// The flags of preadv2(2).
namespace io_flags {
constexpr u32 kHighPriority = 1, kDataSync = 2, kSync = 4, kAll = kHighPriority | kDataSync | kSync;
}

Result<u64> read_segments(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, std::optional<i64> offset) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (offset && *offset < 0) {
        return fail(Errno::einval);
    }
    IoVector vector = TRY(IoVector::fetch(segments, count));
    mm::IoSink sink = vector.sink();
    vfs::OperationContext context = self.context();
    return offset ? file->read_at(context, sink, static_cast<u64>(*offset)) : file->read_at_position(context, sink);
}

Result<u64> write_segments(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, std::optional<i64> offset) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (offset && *offset < 0) {
        return fail(Errno::einval);
    }
    IoVector vector = TRY(IoVector::fetch(segments, count));
    mm::IoSource source = vector.source();
    vfs::OperationContext context = self.context();
    return finish_write(self, offset ? file->write_at(context, source, static_cast<u64>(*offset))
                                     : file->write_at_position(context, source));
}

/// preadv2(2) and pwritev2(2) take -1 for the file's own position.
std::optional<i64> optional_offset(i64 offset) {
    return offset == -1 ? std::nullopt : std::optional(offset);
}

}  // namespace

/// read(2).
Result<u64> sys_read(Caller& self, Fd fd, UserOut<std::byte> to, usize size) {
    Ref<vfs::File> file = TRY(self.file(fd));
    usize wanted = TRY(check_size(size));
    mm::IoSink sink = mm::IoSink::to_user(to.address(), wanted);
    vfs::OperationContext context = self.context();
    return file->read_at_position(context, sink);
}

/// write(2).
Result<u64> sys_write(Caller& self, Fd fd, UserIn<std::byte> from, usize size) {
    Ref<vfs::File> file = TRY(self.file(fd));
    usize wanted = TRY(check_size(size));
    mm::IoSource source = mm::IoSource::from_user(from.address(), wanted);
    vfs::OperationContext context = self.context();
    return finish_write(self, file->write_at_position(context, source));
}

/// pread(2).
Result<u64> sys_pread64(Caller& self, Fd fd, UserOut<std::byte> to, usize size, i64 offset) {
    if (offset < 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    usize wanted = TRY(check_size(size));
    mm::IoSink sink = mm::IoSink::to_user(to.address(), wanted);
    vfs::OperationContext context = self.context();
    return file->read_at(context, sink, static_cast<u64>(offset));
}

/// pwrite(2).
Result<u64> sys_pwrite64(Caller& self, Fd fd, UserIn<std::byte> from, usize size, i64 offset) {
    if (offset < 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    usize wanted = TRY(check_size(size));
    mm::IoSource source = mm::IoSource::from_user(from.address(), wanted);
    vfs::OperationContext context = self.context();
    return finish_write(self, file->write_at(context, source, static_cast<u64>(offset)));
}

/// readv(2).
Result<u64> sys_readv(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count) {
    return read_segments(self, fd, segments, count, std::nullopt);
}

/// writev(2).
Result<u64> sys_writev(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count) {
    return write_segments(self, fd, segments, count, std::nullopt);
}

/// preadv(2). The kernel's call has the offset in two registers; the first holds all of it.
Result<u64> sys_preadv(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset) {
    return read_segments(self, fd, segments, count, offset);
}

/// pwritev(2).
Result<u64> sys_pwritev(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset) {
    return write_segments(self, fd, segments, count, offset);
}

/// preadv2(2).
Result<u64> sys_preadv2(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset, u64, u32 flags) {
    if ((flags & ~io_flags::kAll) != 0) {
        return fail(Errno::eopnotsupp);
    }
    return read_segments(self, fd, segments, count, optional_offset(offset));
}

/// pwritev2(2).
Result<u64> sys_pwritev2(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset, u64, u32 flags) {
    if ((flags & ~io_flags::kAll) != 0) {
        return fail(Errno::eopnotsupp);
    }
    u64 written = TRY(write_segments(self, fd, segments, count, optional_offset(offset)));
    if ((flags & (io_flags::kDataSync | io_flags::kSync)) != 0) {
        Ref<vfs::File> file = TRY(self.file(fd));
        vfs::OperationContext context = self.context();
        TRY(file->synchronize(context, (flags & io_flags::kSync) == 0));
    }
    return written;
}

/// lseek(2).
Result<u64> sys_lseek(Caller& self, Fd fd, i64 offset, u32 whence) {
    Ref<vfs::File> file = TRY(self.file(fd));
    constexpr u32 kLast = 4;  // SEEK_HOLE
    if (whence > kLast) {
        return fail(Errno::einval);
    }
    vfs::OperationContext context = self.context();
    return file->seek_position(context, offset, whence);
}

}  // namespace cairn::syscall
