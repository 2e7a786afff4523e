/// sendfile(2), copy_file_range(2), fsync(2) and its kin, truncate(2), fallocate(2); see files.h.

#include <algorithm>

#include "fs/pipe/splice.h"
#include "fs/vfs/mount_tree.h"
#include "fs/vfs/regular_file.h"
#include "kernel/syscall/files.h"
#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr i32 kSigPipe = 13;
constexpr i32 kSigFileSize = 25;

/// The bytes on their way from one file to another.
class TransferBuffer {
public:
    static constexpr usize kSize = 16 * kKiB;
    static Result<TransferBuffer> create() {
        void* memory = heap_allocate(kSize, kPageSize);
        if (memory == nullptr) {
            return fail(Errno::enomem);
        }
        return TransferBuffer(static_cast<std::byte*>(memory));
    }
    TransferBuffer(TransferBuffer&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
    TransferBuffer& operator=(TransferBuffer&&) = delete;
    ~TransferBuffer() { heap_free(bytes_, kSize, kPageSize); }
    std::span<std::byte> first(usize size) const { return {bytes_, std::min(size, kSize)}; }

private:
    explicit TransferBuffer(std::byte* bytes) : bytes_(bytes) {}
    std::byte* bytes_;
};

/// Moves up to `count` bytes from `in` at `offset` (advanced) to `out`: at `out_offset` (advanced), or without one
/// where `out` stands. What was moved before an error counts.
Result<u64> transfer(vfs::OperationContext& context, vfs::File& in, u64& offset, vfs::File& out, u64* out_offset,
                     usize count) {
    TransferBuffer buffer = TRY(TransferBuffer::create());
    u64 moved = 0;
    while (moved < count) {
        std::span<std::byte> part = buffer.first(count - moved);
        mm::IoSink sink = mm::IoSink::to_kernel(part);
        Result<usize> got = in.read_at(context, sink, offset);
        if (!got.ok() || got.value() == 0) {
            return moved != 0 || got.ok() ? Result<u64>(moved) : got.failure();
        }
        mm::IoSource source = mm::IoSource::from_kernel(part.first(got.value()));
        Result<usize> put =
            out_offset != nullptr ? out.write_at(context, source, *out_offset) : out.write_at_position(context, source);
        if (!put.ok()) {
            return moved != 0 ? Result<u64>(moved) : put.failure();
        }
        moved += put.value();
        offset += put.value();
        if (out_offset != nullptr) {
            *out_offset += put.value();
        }
        if (put.value() < got.value()) {
            break;
        }
    }
    return moved;
}

/// An offset that the program passed, or the file's own position.
class Offset {
public:
    static Result<Offset> fetch(UserInOut<i64> from, vfs::File& file) {
        if (from.is_null()) {
            return Offset(from, file.position());
        }
        i64 value = TRY(from.fetch());
        if (value < 0) {
            return fail(Errno::einval);
        }
        return Offset(from, static_cast<u64>(value));
    }
    u64 value;

    Result<void> store(vfs::OperationContext& context, vfs::File& file) const {
        if (!user_.is_null()) {
            return user_.store(static_cast<i64>(value));
        }
        constexpr u32 kSet = 0;
        TRY(file.seek_position(context, static_cast<i64>(value), kSet));
        return {};
    }

private:
    Offset(UserInOut<i64> user, u64 start) : value(start), user_(user) {}
    UserInOut<i64> user_;
};

Result<u64> finish_transfer(Caller& self, Result<u64> result) {
    if (!result.ok() && result.error() == Errno::epipe) {
        self.signal_self(kSigPipe);
    }
    if (!result.ok() && result.error() == Errno::efbig && self.context().file_size_limit != ~u64{0}) {
        self.signal_self(kSigFileSize);
    }
    return result;
}

Result<void> check_size_limit(Caller& self, Result<void> result) {
    if (!result.ok() && result.error() == Errno::efbig && self.context().file_size_limit != ~u64{0}) {
        self.signal_self(kSigFileSize);
    }
    return result;
}

}  // namespace

/// sendfile(2).
Result<u64> sys_sendfile(Caller& self, Fd out_fd, Fd in_fd, UserInOut<i64> user_offset, usize count) {
    Ref<vfs::File> in = TRY(self.file(in_fd));
    Ref<vfs::File> out = TRY(self.file(out_fd));
    if (!in->readable() || !out->writable()) {
        return fail(Errno::ebadf);
    }
    if (!in->seekable()) {
        return fail(user_offset.is_null() ? Errno::einval : Errno::espipe);
    }
    if ((out->flags() & vfs::open_flags::kAppend) != 0 || static_cast<i64>(count) < 0) {
        return fail(Errno::einval);
    }
    Offset offset = TRY(Offset::fetch(user_offset, *in));
    vfs::OperationContext context = self.context();
    count = std::min<usize>(count, vfs::kTransferLimit);
    // Once a pipe has got something, only what there is room for: the caller may be its reader.
    u64 moved = TRY(finish_transfer(self, pipe::find_pipe(*out) != nullptr
                                              ? pipe::splice(context, *in, &offset.value, *out, nullptr, count, 0)
                                              : transfer(context, *in, offset.value, *out, nullptr, count)));
    TRY(offset.store(context, *in));
    return moved;
}

/// copy_file_range(2).
Result<u64> sys_copy_file_range(Caller& self, Fd in_fd, UserInOut<i64> user_in, Fd out_fd, UserInOut<i64> user_out,
                                usize count, u32 flags) {
    if (flags != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> in = TRY(self.file(in_fd));
    Ref<vfs::File> out = TRY(self.file(out_fd));
    if (in->inode().is_directory() || out->inode().is_directory()) {
        return fail(Errno::eisdir);
    }
    if (!in->inode().is_regular() || !out->inode().is_regular() || static_cast<i64>(count) < 0) {
        return fail(Errno::einval);
    }
    if (!in->readable() || !out->writable() || (out->flags() & vfs::open_flags::kAppend) != 0) {
        return fail(Errno::ebadf);
    }
    Offset from = TRY(Offset::fetch(user_in, *in));
    Offset to = TRY(Offset::fetch(user_out, *out));
    u64 size = std::min<u64>(count, vfs::kTransferLimit);
    if (from.value + size < from.value || to.value + size < to.value) {
        return fail(Errno::eoverflow);
    }
    if (&in->inode() == &out->inode() && from.value < to.value + size && to.value < from.value + size) {
        return fail(Errno::einval);
    }
    vfs::OperationContext context = self.context();
    u64 moved = TRY(finish_transfer(self, transfer(context, *in, from.value, *out, &to.value, size)));
    TRY(from.store(context, *in));
    TRY(to.store(context, *out));
    return moved;
}

/// fsync(2).
Result<void> sys_fsync(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    vfs::OperationContext context = self.context();
    return file->synchronize(context, false);
}

/// fdatasync(2).
Result<void> sys_fdatasync(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    vfs::OperationContext context = self.context();
    return file->synchronize(context, true);
}

/// sync(2).
Result<void> sys_sync(Caller&) {
    vfs::synchronize_all();
    return {};
}

/// syncfs(2).
Result<void> sys_syncfs(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    return file->inode().superblock().synchronize();
}

/// sync_file_range(2).
Result<void> sys_sync_file_range(Caller& self, Fd fd, i64 offset, i64 size, u32 flags) {
    constexpr u32 kAll = 7;
    if ((flags & ~kAll) != 0 || offset < 0 || size < 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    if (!file->inode().is_regular() && !file->inode().is_directory()) {
        return fail(Errno::espipe);
    }
    vfs::OperationContext context = self.context();
    return file->synchronize(context, true);
}

/// truncate(2).
Result<void> sys_truncate(Caller& self, UserCString path, i64 size) {
    if (size < 0) {
        return fail(Errno::einval);
    }
    PathAt at;
    TRY(at.fetch(self, path));
    vfs::OperationContext context = self.context();
    vfs::Path found = TRY(vfs::walk(context, at.text(), at.options()));
    return check_size_limit(self, vfs::truncate(context, found, static_cast<u64>(size)));
}

/// ftruncate(2).
Result<void> sys_ftruncate(Caller& self, Fd fd, i64 size) {
    if (size < 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    vfs::OperationContext context = self.context();
    return check_size_limit(self, vfs::truncate(context, *file, static_cast<u64>(size)));
}

/// fallocate(2).
Result<void> sys_fallocate(Caller& self, Fd fd, u32 mode, i64 offset, i64 size) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (offset < 0 || size <= 0) {
        return fail(Errno::einval);
    }
    if (!file->writable()) {
        return fail(Errno::ebadf);
    }
    if (file->inode().type() == vfs::FileType::Fifo) {
        return fail(Errno::espipe);
    }
    if (file->inode().is_directory()) {
        return fail(Errno::eisdir);
    }
    i64 end = 0;
    if (__builtin_add_overflow(offset, size, &end)) {
        return fail(Errno::efbig);
    }
    vfs::OperationContext context = self.context();
    return check_size_limit(self, file->allocate(context, mode, static_cast<u64>(offset), static_cast<u64>(size)));
}

/// posix_fadvise(2): advice, and everything is in memory as it is.
Result<void> sys_fadvise64(Caller& self, Fd fd, i64, i64 size, i32 advice) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (file->inode().type() == vfs::FileType::Fifo) {
        return fail(Errno::espipe);
    }
    constexpr i32 kLast = 5;  // POSIX_FADV_NOREUSE
    return advice < 0 || advice > kLast || size < 0 ? fail(Errno::einval) : Result<void>();
}

/// readahead(2).
Result<void> sys_readahead(Caller& self, Fd fd, i64, usize) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (!file->readable()) {
        return fail(Errno::ebadf);
    }
    return file->inode().is_regular() ? Result<void>() : fail(Errno::einval);
}

}  // namespace cairn::syscall
