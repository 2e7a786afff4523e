#include "kernel/syscall/pipes.h"

#include "fs/pipe/splice.h"

namespace cairn::syscall {

namespace {

constexpr i32 kSigPipe = 13;
constexpr u64 kOffsetLimit = u64{1} << 63;

/// A write that finds no reader also raises SIGPIPE (pipe(7)).
Result<u64> raise_if_broken(Caller& self, Result<usize> result) {
    if (!result.ok() && result.error() == Errno::epipe) {
        self.signal_self(kSigPipe);
    }
    return result;
}

/// The offset that a program passed, if it did.
Result<std::optional<u64>> fetch_offset(UserInOut<u64> from) {
    if (from.is_null()) {
        return std::optional<u64>();
    }
    const u64 offset = TRY(from.fetch());
    if (offset >= kOffsetLimit) {
        return fail(Errno::einval);
    }
    return std::optional<u64>(offset);
}

Result<void> store_offset(UserInOut<u64> to, const std::optional<u64>& offset) {
    return offset ? to.store(*offset) : Result<void>();
}

}  // namespace

/// pipe(2).
Result<void> sys_pipe(Caller& self, UserOut<i32> descriptors) {
    return sys_pipe2(self, descriptors, 0);
}

/// pipe2(2). Both descriptors are reserved and told before either exists.
Result<void> sys_pipe2(Caller& self, UserOut<i32> descriptors, u32 flags) {
    using namespace vfs::open_flags;
    if ((flags & ~(kCloseOnExec | kNonBlock | kDirect)) != 0) {
        return fail(Errno::einval);
    }
    vfs::OperationContext context = self.context();
    pipe::PipeEnds ends = TRY(pipe::create_pipe(context, flags));
    const bool close_on_exec = (flags & kCloseOnExec) != 0;
    auto reader = TRY(self.descriptors().reserve(self.descriptor_limit(), close_on_exec));
    auto writer = TRY(self.descriptors().reserve(self.descriptor_limit(), close_on_exec));
    const i32 numbers[2] = {reader.fd().value, writer.fd().value};
    TRY(descriptors.store(std::span<const i32>(numbers)));
    std::move(reader).install(std::move(ends.reader));
    std::move(writer).install(std::move(ends.writer));
    return {};
}

/// splice(2).
Result<u64> sys_splice(Caller& self, Fd in, UserInOut<u64> in_offset, Fd out, UserInOut<u64> out_offset, usize size,
                       u32 flags) {
    if (size == 0) {
        return u64{0};
    }
    if ((flags & ~pipe::splice_flags::kAll) != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> from = TRY(self.file(in));
    Ref<vfs::File> to = TRY(self.file(out));
    // Whether a pipe got an offset comes before whether the offset can be read.
    if ((pipe::find_pipe(*from) != nullptr && !in_offset.is_null()) ||
        (pipe::find_pipe(*to) != nullptr && !out_offset.is_null())) {
        return fail(Errno::espipe);
    }
    std::optional<u64> from_offset = TRY(fetch_offset(in_offset));
    std::optional<u64> to_offset = TRY(fetch_offset(out_offset));
    vfs::OperationContext context = self.context();
    Result<usize> moved = pipe::splice(context, *from, from_offset ? &*from_offset : nullptr, *to,
                                       to_offset ? &*to_offset : nullptr, size, flags);
    if (moved.ok()) {
        TRY(store_offset(in_offset, from_offset));
        TRY(store_offset(out_offset, to_offset));
    }
    return raise_if_broken(self, std::move(moved));
}

/// tee(2).
Result<u64> sys_tee(Caller& self, Fd in, Fd out, usize size, u32 flags) {
    if ((flags & ~pipe::splice_flags::kAll) != 0) {
        return fail(Errno::einval);
    }
    if (size == 0) {
        return u64{0};
    }
    Ref<vfs::File> from = TRY(self.file(in));
    Ref<vfs::File> to = TRY(self.file(out));
    return raise_if_broken(self, pipe::tee(*from, *to, size, flags));
}

/// vmsplice(2): the bytes are copied, which SPLICE_F_GIFT permits and nothing can tell.
Result<u64> sys_vmsplice(Caller& self, Fd fd, UserIn<mm::IoSegment> segments, u64 count, u32 flags) {
    if ((flags & ~pipe::splice_flags::kAll) != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    pipe::PipeFile* end = pipe::find_pipe(*file);
    if (end == nullptr) {
        return fail(Errno::ebadf);
    }
    IoVector vector = TRY(IoVector::fetch(segments, count));
    const bool waits = (flags & pipe::splice_flags::kNonBlock) == 0;  // O_NONBLOCK is not looked at
    const pipe::Pipe::Waiting waiting = waits ? pipe::Pipe::Waiting::Allowed : pipe::Pipe::Waiting::Forbidden;
    if (file->writable()) {
        mm::IoSource source = vector.source();
        return raise_if_broken(self, end->pipe().write(source, waiting, pipe::Pipe::Framing::Bytes));
    }
    mm::IoSink sink = vector.sink();
    return end->pipe().read(sink, waiting);
}

}  // namespace cairn::syscall
