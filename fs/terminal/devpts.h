#pragma once
/// devpts: the filesystem in which each pseudo terminal's slave has a name (devpts(5)-like; Documentation/filesystems/
/// devpts.rst). Each mount is an instance of its own with its own numbers; how many there may be is a matter of memory.
///
/// Lock: `lock_` (rank InodeTable) protects the list of ptys, which is sorted by number.

#include <optional>

#include "fs/terminal/pty.h"
#include "fs/vfs/mount.h"

namespace cairn::fs::terminal {

/// Mount options.
struct DevptsOptions {
    std::optional<vfs::UserId> uid;  // of new slaves; not given: the opener's
    std::optional<vfs::GroupId> gid;
    u16 mode = 0600;
    u16 ptmx_mode = 0;
    static Result<DevptsOptions> parse(std::string_view text);
};

class DevptsInstance final : public vfs::Superblock {
public:
    /// A row of the table of filesystems.
    static Result<Ref<vfs::Superblock>> mount(vfs::OperationContext& context, std::string_view source,
                                              std::string_view options);

    std::string_view type_name() const override { return "devpts"; }
    Ref<vfs::Inode> root() override { return *root_; }
    vfs::FilesystemStatistics statistics() override;
    void describe_options(TextBuffer& text) override;

    /// A new pseudo terminal with the lowest free number, whose slave belongs to the caller. ENOMEM.
    Result<Ref<Pty>> create_pty(vfs::OperationContext& context);
    /// Its master was closed: the slave's name goes.
    void remove(Pty& pty);

    std::optional<Ref<Pty>> find_pty(u32 index);
    /// The first one whose number is at least `from`.
    std::optional<u32> next_index(u32 from);
    vfs::Inode& ptmx_inode() const { return **ptmx_; }

    explicit DevptsInstance(const DevptsOptions& options) : options_(options) {}
    ~DevptsInstance();
    ListNode instance_node;  // of Terminals

private:
    void destroy() override { destroy_counted(this); }
    void unmounted() override;
    u32 lowest_free() REQUIRES(lock_);
    bool insert(Pty& pty);

    const DevptsOptions options_;
    std::optional<Ref<vfs::Inode>> root_;
    std::optional<Ref<vfs::Inode>> ptmx_;
    SpinLock<LockRank::InodeTable> lock_;
    List<Pty, &Pty::list_node> ptys_ GUARDED_BY(lock_);
};

/// Opens /dev/ptmx: makes a pseudo terminal. ENODEV when no devpts is mounted.
Result<Ref<vfs::File>> open_ptmx(vfs::OperationContext& context, vfs::Inode& inode, const vfs::OpenRequest& request);

}  // namespace cairn::fs::terminal
