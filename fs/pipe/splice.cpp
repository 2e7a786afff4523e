#include "fs/pipe/splice.h"

#include <algorithm>
#include <cstring>

namespace cairn::pipe {

namespace {

Pipe::Waiting waiting_of(const vfs::File& pipe_end, u32 flags) {
    const bool forbidden = (flags & splice_flags::kNonBlock) != 0 || pipe_end.non_blocking();
    return forbidden ? Pipe::Waiting::Forbidden : Pipe::Waiting::Allowed;
}

Result<usize> write_out(vfs::OperationContext& context, vfs::File& file, mm::IoSource& source, u64* offset) {
    if (offset == nullptr) {
        return file.write_at_position(context, source);
    }
    const usize size = TRY(file.write_at(context, source, *offset));
    *offset += size;
    return size;
}

Result<usize> read_in(vfs::OperationContext& context, vfs::File& file, mm::IoSink& sink, u64* offset) {
    if (offset == nullptr) {
        return file.read_at_position(context, sink);
    }
    const usize size = TRY(file.read_at(context, sink, *offset));
    *offset += size;
    return size;
}

/// One page's worth; 0 at the end of the pipe.
Result<usize> move_page_to_file(vfs::OperationContext& context, Pipe& pipe, Pipe::Waiting waiting, vfs::File& file,
                                u64* offset, usize limit) {
    Own<PipeBuffer> buffer = TRY(pipe.take(limit, waiting));
    if (!buffer) {
        return usize{0};
    }
    const usize size = buffer->size;
    mm::IoSource source = mm::IoSource::from_kernel(buffer->bytes());
    Result<usize> written = write_out(context, file, source, offset);
    const usize done = written.ok() ? written.value() : 0;
    if (done == size) {
        buffer.reset();
        pipe.release_place();
    } else {
        buffer->start += static_cast<u32>(done);
        buffer->size -= static_cast<u32>(done);
        pipe.put_back(std::move(buffer));
    }
    return written;
}

Result<usize> pipe_to_file(vfs::OperationContext& context, PipeFile& in, vfs::File& out, u64* offset, usize size,
                           u32 flags) {
    usize moved = 0;
    Pipe::Waiting waiting = waiting_of(in, flags);
    while (moved < size) {
        Result<usize> step = move_page_to_file(context, in.pipe(), waiting, out, offset, size - moved);
        if (!step.ok() && moved == 0) {
            return step;
        }
        if (!step.ok() || step.value() == 0) {
            break;
        }
        moved += step.value();
        // Having moved something, take only what is there.
        waiting = Pipe::Waiting::Forbidden;
    }
    return moved;
}

/// Reads one page's worth into a reserved place; 0 at the end of the file.
Result<usize> move_page_to_pipe(vfs::OperationContext& context, vfs::File& file, u64* offset, Pipe& pipe, usize limit) {
    Result<Own<PipeBuffer>> created = PipeBuffer::create();
    if (!created.ok()) {
        pipe.release_place();
        return created.failure();
    }
    Own<PipeBuffer> buffer = std::move(created).value();
    const usize wanted = std::min<usize>(limit, kPageSize);
    mm::IoSink sink = mm::IoSink::to_kernel({buffer->page->bytes, wanted});
    Result<usize> read = read_in(context, file, sink, offset);
    if (!read.ok() || read.value() == 0) {
        pipe.release_place();
        return read;
    }
    buffer->size = static_cast<u32>(read.value());
    TRY(pipe.append(buffer));
    return read;
}

Result<usize> file_to_pipe(vfs::OperationContext& context, vfs::File& in, u64* offset, PipeFile& out, usize size,
                           u32 flags) {
    usize moved = 0;
    Pipe::Waiting waiting = waiting_of(out, flags);
    while (moved < size) {
        const usize limit = std::min<usize>(size - moved, kPageSize);
        Result<void> reserved = out.pipe().reserve_place(waiting);
        Result<usize> step = reserved.ok() ? move_page_to_pipe(context, in, offset, out.pipe(), limit)
                                           : Result<usize>(reserved.failure());
        if (!step.ok() && moved == 0) {
            return step;
        }
        if (!step.ok()) {
            break;
        }
        moved += step.value();
        if (step.value() < limit) {
            break;  // the end of a file, or all that a terminal or socket had
        }
        waiting = Pipe::Waiting::Forbidden;
    }
    return moved;
}

Result<usize> pipe_to_pipe(PipeFile& in, PipeFile& out, usize size, u32 flags) {
    usize moved = 0;
    Pipe::Waiting waiting_in = waiting_of(in, flags);
    Pipe::Waiting waiting_out = waiting_of(out, flags);
    while (moved < size) {
        Result<void> reserved = out.pipe().reserve_place(waiting_out);
        if (!reserved.ok()) {
            return moved == 0 ? Result<usize>(reserved.failure()) : Result<usize>(moved);
        }
        Result<Own<PipeBuffer>> taken = in.pipe().take(size - moved, waiting_in);
        if (!taken.ok() || !taken.value()) {
            out.pipe().release_place();
            return taken.ok() || moved != 0 ? Result<usize>(moved) : Result<usize>(taken.failure());
        }
        Own<PipeBuffer> buffer = std::move(taken).value();
        const usize bytes = buffer->size;
        Result<void> appended = out.pipe().append(buffer);
        if (!appended.ok()) {
            in.pipe().put_back(std::move(buffer));
            return moved == 0 ? Result<usize>(appended.failure()) : Result<usize>(moved);
        }
        in.pipe().release_place();
        moved += bytes;
        waiting_in = waiting_out = Pipe::Waiting::Forbidden;
    }
    return moved;
}

}  // namespace

Result<usize> splice(vfs::OperationContext& context, vfs::File& in, u64* in_offset, vfs::File& out, u64* out_offset,
                     usize size, u32 flags) {
    if (!in.readable() || !out.writable()) {
        return fail(Errno::ebadf);
    }
    PipeFile* in_pipe = find_pipe(in);
    PipeFile* out_pipe = find_pipe(out);
    if ((in_pipe != nullptr && in_offset != nullptr) || (out_pipe != nullptr && out_offset != nullptr)) {
        return fail(Errno::espipe);
    }
    if (in_pipe != nullptr && out_pipe != nullptr) {
        if (&in_pipe->pipe() == &out_pipe->pipe()) {
            return fail(Errno::einval);
        }
        return pipe_to_pipe(*in_pipe, *out_pipe, size, flags);
    }
    if (in_pipe != nullptr) {
        if ((out_offset != nullptr && !out.seekable()) || (out.flags() & vfs::open_flags::kAppend) != 0) {
            return fail(Errno::einval);
        }
        return pipe_to_file(context, *in_pipe, out, out_offset, size, flags);
    }
    if (out_pipe != nullptr) {
        if (in_offset != nullptr && !in.seekable()) {
            return fail(Errno::einval);
        }
        return file_to_pipe(context, in, in_offset, *out_pipe, size, flags);
    }
    return fail(Errno::einval);
}

Result<usize> tee(vfs::File& in, vfs::File& out, usize size, u32 flags) {
    if (!in.readable() || !out.writable()) {
        return fail(Errno::ebadf);
    }
    PipeFile* from = find_pipe(in);
    PipeFile* to = find_pipe(out);
    if (from == nullptr || to == nullptr || &from->pipe() == &to->pipe()) {
        return fail(Errno::einval);
    }
    if (!TRY(from->pipe().wait_readable(waiting_of(in, flags)))) {
        return usize{0};
    }
    usize copied = 0;
    u32 reads = 0;
    Pipe::Waiting waiting = waiting_of(out, flags);
    while (copied < size) {
        Result<void> reserved = to->pipe().reserve_place(waiting);
        if (!reserved.ok()) {
            return copied == 0 ? Result<usize>(reserved.failure()) : Result<usize>(copied);
        }
        Result<Own<PipeBuffer>> copy = from->pipe().copy_at(copied, size - copied, reads);
        if (!copy.ok() || !copy.value()) {
            to->pipe().release_place();
            return copy.ok() || copied != 0 ? Result<usize>(copied) : Result<usize>(copy.failure());
        }
        Own<PipeBuffer> buffer = std::move(copy).value();
        const usize bytes = buffer->size;
        TRY(to->pipe().append(buffer));
        copied += bytes;
        waiting = Pipe::Waiting::Forbidden;
    }
    return copied;
}

}  // namespace cairn::pipe
