#pragma once
/// tmpfs(5): a filesystem in memory. Its files are page caches with nothing behind them. Also the root filesystem, and
/// what memfd_create(2) makes its files of.
///
/// Lifetime: an inode holds its filesystem, and the filesystem its root, until it is mounted nowhere any more
/// (unmounted()); then the tree is taken apart and what is still open lives on by itself.

#include <optional>

#include "fs/vfs/mount.h"
#include "mm/page_cache.h"

namespace cairn::fs::tmpfs {

/// Mount options. Limits of zero: none.
struct Options {
    u64 size_pages = 0;
    u64 inodes = 0;
    u16 mode = 01777;
    vfs::UserId uid = 0;
    vfs::GroupId gid = 0;

    /// Half of memory, and as many inodes as that has pages: Linux's defaults.
    static Options defaults();
    /// "size=64m,mode=755": EINVAL. What is not mentioned stays.
    Result<void> parse(std::string_view text);
};

class TmpfsSuperblock : public vfs::Superblock, public mm::PageStore {
public:
    static Result<Ref<TmpfsSuperblock>> create(const Options& options, std::string_view type_name = "tmpfs");

    std::string_view type_name() const override { return type_name_; }
    Ref<vfs::Inode> root() override { return *root_; }
    vfs::FilesystemStatistics statistics() override;
    void describe_options(TextBuffer& text) override;
    void unmounted() override;

    /// A further inode; ENOSPC beyond nr_inodes.
    Result<void> reserve_inode() { return reserve_inode_space(kInodeSpace); }
    void release_inode() { release_inode_space(kInodeSpace); }
    /// Extended attributes take from what nr_inodes allows, an inode counting as kInodeSpace bytes. ENOSPC.
    static constexpr u64 kInodeSpace = 1024;
    Result<void> reserve_inode_space(u64 bytes);
    void release_inode_space(u64 bytes) { inode_space_.fetch_sub(bytes, Order::relaxed); }
    /// An inode without a name yet. ENOSPC, ENOMEM.
    Result<Ref<vfs::Inode>> create_inode(const vfs::CreateRequest& request, const vfs::FileTime& now);

    // What a filesystem that is built on this one has other (fs/mqueue): its regular files, and whether there is
    // nothing besides them, and no second name (EPERM).
    virtual Result<Ref<vfs::Inode>> make_file(const vfs::InodeAttributes& attributes,
                                              const vfs::CreateRequest& request);
    virtual Result<void> check_more_than_files() const { return {}; }
    /// Whether there are extended attributes (EOPNOTSUPP).
    virtual Result<void> check_attributes() const { return {}; }

    // PageStore. The first two are never called: pages begin as zeros and are never written back.
    Result<void> read_page(u64 index, FrameNumber frame) override;
    Result<void> write_page(u64 index, FrameNumber frame) override;
    Result<void> reserve_page() override;
    void release_page() override { pages_.fetch_sub(1, Order::relaxed); }
    bool is_persistent() const override { return false; }

    TmpfsSuperblock(const Options& options, std::string_view type_name) : options_(options), type_name_(type_name) {}

protected:
    ~TmpfsSuperblock() = default;
    Result<void> make_root();

private:
    /// nr_inodes in bytes; 0: none.
    u64 inode_space_limit() const;

    const Options options_;
    const std::string_view type_name_;
    std::optional<Ref<vfs::Inode>> root_;
    Atomic<u64> pages_{0};
    Atomic<u64> inode_space_{0};
};

/// Rows of the table of filesystems.
Result<Ref<vfs::Superblock>> mount(vfs::OperationContext& context, std::string_view source, std::string_view options);

/// memfd_create(2): an unnamed file; `flags` are MFD_ALLOW_SEALING and the like, already checked. ENOMEM.
namespace memfd_flags {
constexpr u32 kCloseOnExec = 1, kAllowSealing = 2, kHugePages = 4, kNoExecSeal = 8, kExecute = 16;
}
Result<Ref<vfs::File>> create_memory_file(vfs::OperationContext& context, std::string_view name, u32 flags);
/// Makes what create_memory_file() needs. Start-up. ENOMEM.
Result<void> initialize();
/// A mount that no walk reaches. ENOMEM.
Result<Ref<vfs::Mount>> mount_internally(TmpfsSuperblock& superblock);

}  // namespace cairn::fs::tmpfs
