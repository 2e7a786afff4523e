#pragma once
/// ProcFile: an open file of procfs. Its text is made at the first read and again by each read at offset 0, so that
/// what was read stays of one piece however small the reads are.

#include "fs/procfs/inodes.h"

namespace cairn::procfs {

class ProcFile final : public vfs::File {
public:
    /// `entry` lives for ever. EACCES, ESRCH, ENOMEM.
    static Result<Ref<vfs::File>> create(vfs::OperationContext& context, ProcInode& inode, const Entry& entry,
                                         const vfs::OpenRequest& request, i32 descriptor = -1);

    bool seekable() const override { return true; }
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    Result<u64> seek(vfs::OperationContext& context, i64 offset, u32 whence) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;

    ProcFile(ProcInode& inode, const Entry& entry, const vfs::OpenRequest& request, u64 space, i32 descriptor);

private:
    ProcInode& proc_inode() const { return static_cast<ProcInode&>(inode()); }
    Request request(vfs::OperationContext& context) const;
    Result<void> check_look() const;
    Result<void> generate(vfs::OperationContext& context) REQUIRES(text_lock_);
    Result<void> store(vfs::OperationContext& context, std::string_view text);
    void destroy() override { destroy_counted(this); }

    const Entry& entry_;
    const u64 space_;
    const i32 descriptor_;
    sync::Mutex<LockRank::ProcText> text_lock_;
    Text text_ GUARDED_BY(text_lock_);
    bool has_text_ GUARDED_BY(text_lock_) = false;
    Atomic<u32> mounts_seen_{0};
};

}  // namespace cairn::procfs
