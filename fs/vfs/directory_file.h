#pragma once
/// DirectoryFile: an open directory. Offsets 0 and 1 are "." and ".."; the filesystem's own offsets begin at 2.

#include "fs/vfs/file.h"

namespace cairn::vfs {

class DirectoryFile final : public File {
public:
    /// EISDIR for writing, ENOMEM.
    static Result<Ref<File>> create(Inode& inode, const OpenRequest& request);

    bool seekable() const override { return true; }
    Result<usize> read(OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<u64> seek(OperationContext& context, i64 offset, u32 whence) override;
    Result<void> synchronize(OperationContext& context, bool data_only) override;
    Result<void> read_directory(OperationContext& context, DirectorySink& sink) override;

    DirectoryFile(Ref<Inode> inode, u32 flags, const Path* path) : File(std::move(inode), flags, path) {}

private:
    Result<u64> emit(OperationContext& context, DirectorySink& sink, u64 position);
    void destroy() override { destroy_counted(this); }
};

}  // namespace cairn::vfs
