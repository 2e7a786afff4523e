#pragma once
/// NumberedDirectory: a directory with rows of a table and, behind them, one directory for each of a number of like
/// things (cpu0, cpu1 …), which all have the same rows and differ in Subject::index.

#include "fs/procfs/inodes.h"
#include "fs/sysfs/sysfs.h"

namespace cairn::sysfs {

/// The like things; `name` writes the name of one and tells whether it exists.
struct Numbered {
    u32 (*count)();
    bool (*name)(u32 index, TextBuffer& text);
    std::span<const Entry> (*entries)();
};

class NumberedDirectory final : public procfs::ProcInode {
public:
    NumberedDirectory(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes,
                      const procfs::Subject& subject, std::span<const Entry> table, const Numbered& things)
        : ProcInode(superblock, number, attributes, subject), table_(table), things_(things) {}

    Result<Ref<vfs::Inode>> find_child(vfs::OperationContext& context, std::string_view name) override;
    Result<u64> read_directory(vfs::OperationContext& context, u64 offset, vfs::DirectorySink& sink) override;

private:
    void destroy() override { destroy_counted(this); }
    const std::span<const Entry> table_;
    const Numbered& things_;  // lives for ever
};

/// As Entry::make.
Result<Ref<vfs::Inode>> make_numbered(vfs::Superblock& superblock, u64 number, std::span<const Entry> table,
                                      const Numbered& things);

}  // namespace cairn::sysfs
