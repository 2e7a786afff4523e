#pragma once
/// The inodes of procfs. They are made at each lookup, know their row of a table and their process by its number, and
/// hold nothing of the process. Numbers are computed from the name, so that stat(2) and readdir(3) agree.

#include "fs/procfs/entry.h"

namespace cairn::procfs {

constexpr u64 kRootNumber = 1;

/// The number of what has this name in the directory `parent`.
u64 number_of(u64 parent, std::string_view name);

class ProcInode : public vfs::Inode {
public:
    ProcInode(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes, const Subject& subject)
        : Inode(superblock, number, attributes), subject_(subject) {}

    const Subject& subject() const { return subject_; }
    /// ESRCH when the process is gone.
    Result<void> check_alive() const;

    vfs::InodeAttributes attributes() override;
    Result<void> change_attributes(vfs::OperationContext& context, const vfs::AttributeChange& change) override;
    /// Nobody makes names here: what does not exist is ENOENT for mkdir(2) too.
    Result<Ref<vfs::Inode>> create_child(vfs::OperationContext& context, std::string_view name,
                                         const vfs::CreateRequest& request) override;
    Result<void> link_child(vfs::OperationContext& context, std::string_view name, vfs::Inode& target) override;
    bool names_are_stable() const override { return !subject_.is_process(); }

protected:
    ~ProcInode() = default;
    const Subject subject_;
};

/// Makes the inode of a row. ENOMEM.
Result<Ref<vfs::Inode>> make_inode(vfs::Superblock& superblock, u64 number, const Entry& entry, const Subject& subject);

/// The root directory: its table, and the processes.
Result<Ref<vfs::Inode>> make_root(vfs::Superblock& superblock);
/// /proc/PID/task; fd and fdinfo.
Result<Ref<vfs::Inode>> make_threads_directory(vfs::Superblock&, u64 number, const Entry&, const Subject&);
Result<Ref<vfs::Inode>> make_descriptors_directory(vfs::Superblock&, u64 number, const Entry&, const Subject&);
/// /proc/PID or /proc/PID/task/TID.
Result<Ref<vfs::Inode>> make_process_directory(vfs::Superblock&, u64 number, const Subject&, Scope scope);

/// The attributes of a new inode.
vfs::InodeAttributes attributes_for(vfs::FileType type, u16 permissions);
/// A number without sign and leading zeros, as names of processes and descriptors are.
std::optional<i32> parse_number_name(std::string_view name);

}  // namespace cairn::procfs
