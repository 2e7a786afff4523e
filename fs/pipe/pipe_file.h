#pragma once
/// PipeFile: one end of a pipe or FIFO as an open file (both ends, when a FIFO is opened O_RDWR). Thread context.

#include "fs/pipe/pipe.h"

namespace cairn::pipe {

class PipeFile final : public vfs::File {
public:
    /// Counts as an end from now on, until it is closed.
    PipeFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, Ref<Pipe> buffer);

    Pipe& pipe() const { return **pipe_; }
    const Pipe::Partners& partners_found() const { return partners_; }
    /// A reader that was opened without waiting sees no hang-up before there was a writer.
    void ignore_absence_of_writers() { ignored_generation_ = partners_.writer_generation; }

    u32 known_transfer_flags() const override { return vfs::transfer_flags::kUsual | vfs::transfer_flags::kNoWait; }
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    /// FIONREAD.
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;
    void describe_link(TextBuffer& text) override;
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

private:
    void closed() override;
    void async_changed() override;
    void destroy() override { destroy_counted(this); }

    std::optional<Ref<Pipe>> pipe_;  // until it is closed
    const Pipe::Partners partners_;
    vfs::AsyncWatch async_reader_{*this};
    vfs::AsyncWatch async_writer_{*this};
    u32 ignored_generation_ = 0;  // set before the file is known to others
};

/// The file as a PipeFile, or null.
PipeFile* find_pipe(vfs::File& file);

struct PipeEnds {
    Ref<vfs::File> reader;
    Ref<vfs::File> writer;
};
/// pipe2(2): `flags` may have O_NONBLOCK and O_DIRECT. ENOMEM.
Result<PipeEnds> create_pipe(vfs::OperationContext& context, u32 flags);

/// open(2) of a FIFO, for the filesystem that has it (fifo(7)). EINTR, ENXIO, ENOMEM.
Result<Ref<vfs::File>> open_fifo(vfs::OperationContext& context, vfs::Inode& inode, const vfs::OpenRequest& request);

/// fcntl(2): F_SETPIPE_SZ and F_GETPIPE_SZ. EBADF for what is no pipe.
Result<u64> set_pipe_size(vfs::OperationContext& context, vfs::File& file, u64 bytes);
Result<u64> get_pipe_size(vfs::File& file);

}  // namespace cairn::pipe
