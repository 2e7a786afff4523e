#pragma once
/// RegularFile: an open file whose contents are in the page cache (Inode::page_cache()).
///
/// Locks: writers hold the inode's data_lock, which makes O_APPEND and each write atomic with respect to the
/// others; readers hold none, as on Linux.

#include "fs/vfs/file.h"

namespace cairn::vfs {

/// fcntl(2)'s seals of memfd_create(2).
namespace seal_flags {
constexpr u32 kSeal = 1, kShrink = 2, kGrow = 4, kWrite = 8, kFutureWrite = 16, kExecute = 32;
constexpr u32 kAll = 63;
}  // namespace seal_flags

/// Largest size of a file (MAX_LFS_FILESIZE).
constexpr u64 kFileSizeLimit = ~u64{0} >> 1;

class RegularFile final : public File {
public:
    /// The inode has a page cache. ENOMEM.
    static Result<Ref<File>> create(Inode& inode, const OpenRequest& request);

    bool seekable() const override { return true; }
    u32 known_transfer_flags() const override { return transfer_flags::kUsual; }
    Result<usize> read(OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(OperationContext& context, mm::IoSource& source, u64& offset) override;
    Result<u64> seek(OperationContext& context, i64 offset, u32 whence) override;
    Result<void> synchronize(OperationContext& context, bool data_only) override;
    Result<void> allocate(OperationContext& context, u32 mode, u64 offset, u64 length) override;
    Result<Ref<mm::MemoryObject>> memory_object() override { return inode().memory_object(); }
    void describe_link(TextBuffer& text) override;

    RegularFile(Ref<Inode> inode, u32 flags, const Path* path) : File(std::move(inode), flags, path) {}

private:
    mm::PageCache& cache() const { return *inode().page_cache(); }
    void destroy() override { destroy_counted(this); }
};

/// EPERM when the inode is sealed against a change of its size from `from` to `to`.
Result<void> check_size_seals(Inode& inode, u64 from, u64 to);

}  // namespace cairn::vfs
