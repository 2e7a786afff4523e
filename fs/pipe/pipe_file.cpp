#include "fs/pipe/pipe_file.h"

#include "fs/anonymous/anonymous_files.h"
#include "kernel/base/format.h"
#include "kernel/base/kernel.h"
#include "mm/user_memory.h"

namespace cairn::pipe {

namespace {

constexpr u32 kFionread = 0x541B;  // asm-generic/ioctls.h

Pipe::Waiting waiting_of(const vfs::File& file, const vfs::OperationContext& context) {
    return file.non_blocking(context) ? Pipe::Waiting::Forbidden : Pipe::Waiting::Allowed;
}

/// The pipe behind a FIFO that somebody has open.
std::optional<Ref<Pipe>> find_attached(vfs::Inode& inode) {
    SpinLockGuard guard(inode.attribute_lock);
    Pipe* pipe = static_cast<Pipe*>(inode.attachment);
    if (pipe == nullptr || !pipe->try_acquire_reference()) {
        return std::nullopt;
    }
    return Ref<Pipe>::adopt(*pipe);
}

/// The FIFO's pipe, made if there is none. ENOMEM.
Result<Ref<Pipe>> attach(vfs::Inode& inode, bool named) {
    if (std::optional<Ref<Pipe>> pipe = find_attached(inode)) {
        return std::move(*pipe);
    }
    Ref<Pipe> created = TRY(Pipe::create(inode, named));
    Pipe* winner = nullptr;
    {
        SpinLockGuard guard(inode.attribute_lock);
        Pipe* present = static_cast<Pipe*>(inode.attachment);
        if (present != nullptr && present->try_acquire_reference()) {
            winner = present;
        } else {
            inode.attachment = &*created;
        }
    }
    if (winner != nullptr) {
        return Ref<Pipe>::adopt(*winner);
    }
    return created;
}

bool reads(u32 flags) {
    return (flags & vfs::open_flags::kAccessMode) != vfs::open_flags::kWriteOnly;
}
bool writes(u32 flags) {
    return (flags & vfs::open_flags::kAccessMode) != vfs::open_flags::kReadOnly;
}

}  // namespace

PipeFile::PipeFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, Ref<Pipe> buffer)
    : File(std::move(inode), flags, path),
      pipe_(std::move(buffer)),
      partners_(pipe().add_ends(readable(), writable())) {}

void PipeFile::async_changed() {
    if (readable()) {
        pipe().async_readers.update(async_reader_);
    }
    if (writable()) {
        pipe().async_writers.update(async_writer_);
    }
}

void PipeFile::closed() {
    pipe().async_readers.remove(async_reader_);
    pipe().async_writers.remove(async_writer_);
    pipe().remove_ends(readable(), writable());
    pipe_.reset();  // its last use clears the inode's attachment, and the inode goes next
}

Result<usize> PipeFile::read(vfs::OperationContext& context, mm::IoSink& sink, u64&) {
    const usize size = TRY(pipe().read(sink, waiting_of(*this, context)));
    if (size != 0) {
        inode().touch_access_time();
    }
    return size;
}

Result<usize> PipeFile::write(vfs::OperationContext& context, mm::IoSource& source, u64&) {
    const bool packets = (flags() & vfs::open_flags::kDirect) != 0;
    const usize size =
        TRY(pipe().write(source, waiting_of(*this, context), packets ? Pipe::Framing::Packets : Pipe::Framing::Bytes));
    if (size != 0) {
        inode().touch_modification_time();
    }
    return size;
}

vfs::PollEvents PipeFile::poll(vfs::PollRegistrar* registrar) {
    vfs::PollEvents events = 0;
    if (registrar != nullptr) {
        if (readable()) {
            pipe().watch_readable(*registrar);
        }
        if (writable()) {
            pipe().watch_writable(*registrar);
        }
    }
    if (readable()) {
        // Writers first: one that wrote and left must not be seen as only having left.
        const bool hung_up = !pipe().has_writers() && pipe().writer_generation() != ignored_generation_;
        const bool empty = pipe().empty();
        events |= empty ? 0 : vfs::kPollIn | vfs::kPollReadNormal;
        events |= hung_up && (!empty || pipe().ended()) ? vfs::kPollHup : 0;
    }
    if (writable()) {
        events |= pipe().full() ? 0 : vfs::kPollOut | vfs::kPollWriteNormal;
        events |= pipe().has_readers() ? 0 : vfs::kPollErr;
    }
    return events;
}

Result<u64> PipeFile::ioctl(vfs::OperationContext&, u32 command, u64 argument) {
    if (command != kFionread) {
        return fail(Errno::enotty);
    }
    TRY(mm::UserOut<i32>(argument).store(static_cast<i32>(pipe().queued_bytes())));
    return u64{0};
}

void PipeFile::describe_link(TextBuffer& text) {
    format_to(text, "pipe:[{}]", inode().number());
}

PipeFile* find_pipe(vfs::File& file) {
    return file.kind() == &PipeFile::kKind ? static_cast<PipeFile*>(&file) : nullptr;
}

Result<PipeEnds> create_pipe(vfs::OperationContext& context, u32 flags) {
    using namespace vfs::open_flags;
    Ref<vfs::Inode> inode = TRY(g_kernel.anonymous_files->create_pipe_inode(context.credentials));
    Ref<Pipe> pipe = TRY(attach(*inode, false));
    const u32 status = flags & (kNonBlock | kDirect);
    Ref<PipeFile> reader = TRY(
        try_new_ref<PipeFile>(inode, kReadOnly | (flags & kNonBlock), static_cast<const vfs::Path*>(nullptr), pipe));
    Ref<PipeFile> writer =
        TRY(try_new_ref<PipeFile>(inode, kWriteOnly | status, static_cast<const vfs::Path*>(nullptr), pipe));
    return PipeEnds{Ref<vfs::File>::adopt(reader.release()), Ref<vfs::File>::adopt(writer.release())};
}

Result<Ref<vfs::File>> open_fifo(vfs::OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request) {
    const bool non_blocking = (request.flags & vfs::open_flags::kNonBlock) != 0;
    const bool named = request.path == nullptr || inode.superblock().type_name() != "pipefs";
    Ref<Pipe> pipe = TRY(attach(inode, named));
    if (!reads(request.flags) && pipe->named() && non_blocking && !pipe->has_readers()) {
        return fail(Errno::enxio);
    }
    Ref<PipeFile> file =
        TRY(try_new_ref<PipeFile>(Ref<vfs::Inode>(inode), request.flags, request.path, std::move(pipe)));
    if (file->pipe().named() && !(reads(request.flags) && writes(request.flags))) {
        if (!reads(request.flags)) {
            TRY(file->pipe().wait_for_reader(file->partners_found()));
        } else if (non_blocking) {
            if (!file->partners_found().writers) {
                file->ignore_absence_of_writers();
            }
        } else {
            TRY(file->pipe().wait_for_writer(file->partners_found()));
        }
    }
    return Ref<vfs::File>::adopt(file.release());
}

Result<u64> set_pipe_size(vfs::OperationContext& context, vfs::File& file, u64 bytes) {
    PipeFile* pipe = find_pipe(file);
    if (pipe == nullptr) {
        return fail(Errno::ebadf);
    }
    return pipe->pipe().resize(bytes, context.credentials.has(vfs::Capability::SysResource));
}

Result<u64> get_pipe_size(vfs::File& file) {
    PipeFile* pipe = find_pipe(file);
    if (pipe == nullptr) {
        return fail(Errno::ebadf);
    }
    return pipe->pipe().capacity();
}

}  // namespace cairn::pipe
