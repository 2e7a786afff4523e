/// read(2), write(2) and their kin; see files.h. Copying between files, synchronizing and the rest is in
/// file_ranges.cpp.

#include "kernel/syscall/files.h"

#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr i32 kSigPipe = 13;
constexpr i32 kSigFileSize = 25;

/// What a write that did not move all does to the writer (write(2)): one to a pipe that loses its readers has moved
/// some bytes, and gets the signal all the same.
[[gnu::noinline]] void signal_short_write(Caller& self, vfs::File& file, const Result<usize>& result, u32 flags) {
    const bool broken = result.ok()
                            ? file.inode().type() == vfs::FileType::Fifo && (file.poll(nullptr) & vfs::kPollErr) != 0
                            : result.error() == Errno::epipe;
    if (broken && (flags & vfs::transfer_flags::kNoSignal) == 0) {
        self.signal_self(kSigPipe);
    }
    if (result.error() == Errno::efbig && self.context().file_size_limit != ~u64{0}) {
        self.signal_self(kSigFileSize);
    }
}

inline Result<u64> finish_write(Caller& self, vfs::File& file, const mm::IoSource& source, const Result<usize>& result,
                                u32 flags = 0) {
    if (!result.ok() || source.remaining() != 0) [[unlikely]] {
        signal_short_write(self, file, result, flags);
    }
    return result;
}

/// readv(2) and its kin: nothing for an offset means the file's own position.
struct Segments {
    Fd fd;
    UserIn<mm::IoSegment> segments;
    u64 count;
    std::optional<i64> offset;
    u32 flags = 0;

    /// The file; what can be wrong about it comes before what is wrong about the segments.
    Result<vfs::DescriptorReference> file(Caller& self, bool (vfs::File::*permitted)() const) const {
        if (offset && *offset < 0) {
            return fail(Errno::einval);
        }
        vfs::DescriptorReference file = TRY(self.borrow(fd));
        if (offset && !file->seekable()) {
            return fail(Errno::espipe);
        }
        if (!((*file).*permitted)()) {
            return fail(Errno::ebadf);
        }
        return file;
    }
};

Result<u64> read_segments(Caller& self, const Segments& request) {
    vfs::DescriptorReference file = TRY(request.file(self, &vfs::File::readable));
    IoVector vector = TRY(IoVector::fetch(request.segments, request.count));
    mm::IoSink sink = vector.sink();
    vfs::OperationContext context = self.context();
    context.transfer = request.flags;
    if (sink.remaining() == 0) {
        return u64{0};
    }
    return request.offset ? file->read_at(context, sink, static_cast<u64>(*request.offset))
                          : file->read_at_position(context, sink);
}

Result<u64> write_segments(Caller& self, const Segments& request) {
    vfs::DescriptorReference file = TRY(request.file(self, &vfs::File::writable));
    IoVector vector = TRY(IoVector::fetch(request.segments, request.count));
    mm::IoSource source = vector.source();
    vfs::OperationContext context = self.context();
    context.transfer = request.flags;
    if (source.remaining() == 0) {
        return u64{0};
    }
    const Result<usize> result = request.offset ? file->write_at(context, source, static_cast<u64>(*request.offset))
                                                : file->write_at_position(context, source);
    const u64 written = TRY(finish_write(self, *file, source, result, request.flags));
    if ((request.flags & (vfs::transfer_flags::kDataSync | vfs::transfer_flags::kSync)) != 0 &&
        file->inode().is_regular()) {
        TRY(file->synchronize(context, (request.flags & vfs::transfer_flags::kSync) == 0));
    }
    return written;
}

/// preadv2(2) and pwritev2(2) take -1 for the file's own position.
std::optional<i64> optional_offset(i64 offset) {
    return offset == -1 ? std::nullopt : std::optional(offset);
}

}  // namespace

/// read(2).
Result<u64> sys_read(Caller& self, Fd fd, UserOut<std::byte> to, usize size) {
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    mm::IoSink sink = mm::IoSink::to_user(to.address(), size);
    vfs::OperationContext context = self.context();
    return file->read_at_position(context, sink);
}

/// write(2).
Result<u64> sys_write(Caller& self, Fd fd, UserIn<std::byte> from, usize size) {
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    mm::IoSource source = mm::IoSource::from_user(from.address(), size);
    vfs::OperationContext context = self.context();
    const Result<usize> written = file->write_at_position(context, source);
    return finish_write(self, *file, source, written);
}

/// pread(2).
Result<u64> sys_pread64(Caller& self, Fd fd, UserOut<std::byte> to, usize size, i64 offset) {
    if (offset < 0) {
        return fail(Errno::einval);
    }
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    mm::IoSink sink = mm::IoSink::to_user(to.address(), size);
    vfs::OperationContext context = self.context();
    return file->read_at(context, sink, static_cast<u64>(offset));
}

/// pwrite(2).
Result<u64> sys_pwrite64(Caller& self, Fd fd, UserIn<std::byte> from, usize size, i64 offset) {
    if (offset < 0) {
        return fail(Errno::einval);
    }
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    mm::IoSource source = mm::IoSource::from_user(from.address(), size);
    vfs::OperationContext context = self.context();
    const Result<usize> written = file->write_at(context, source, static_cast<u64>(offset));
    return finish_write(self, *file, source, written);
}

/// readv(2).
Result<u64> sys_readv(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count) {
    return read_segments(self, {fd, segments, count, std::nullopt});
}

/// writev(2).
Result<u64> sys_writev(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count) {
    return write_segments(self, {fd, segments, count, std::nullopt});
}

/// preadv(2). The kernel's call has the offset in two registers; the first holds all of it.
Result<u64> sys_preadv(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset) {
    return read_segments(self, {fd, segments, count, offset});
}

/// pwritev(2).
Result<u64> sys_pwritev(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset) {
    return write_segments(self, {fd, segments, count, offset});
}

/// preadv2(2).
Result<u64> sys_preadv2(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset, u64, u32 flags) {
    return read_segments(self, {fd, segments, count, optional_offset(offset), flags});
}

/// pwritev2(2).
Result<u64> sys_pwritev2(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, i64 offset, u64, u32 flags) {
    return write_segments(self, {fd, segments, count, optional_offset(offset), flags});
}

/// lseek(2).
Result<u64> sys_lseek(Caller& self, Fd fd, i64 offset, u32 whence) {
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    constexpr u32 kLast = 4;  // SEEK_HOLE
    if (whence > kLast) {
        return fail(Errno::einval);
    }
    vfs::OperationContext context = self.context();
    return file->seek_position(context, offset, whence);
}

}  // namespace cairn::syscall
