#pragma once
/// The inodes of tmpfs. A directory keeps its entries twice, by name and by a number that grows, which is the
/// offset that getdents(2) continues from: neither creating nor deleting disturbs who is reading.
///
/// Locks: the entries belong to holders of directory_lock; the number of entries and whether the directory is dead are
/// under attribute_lock, since rmdir(2) holds only the parent's directory_lock.

#include "fs/tmpfs/attribute_set.h"
#include "fs/tmpfs/entry.h"
#include "fs/tmpfs/tmpfs.h"

namespace cairn::fs::tmpfs {

class TmpfsInode : public vfs::Inode {
public:
    TmpfsInode(TmpfsSuperblock& superblock, const vfs::InodeAttributes& attributes);
    TmpfsSuperblock& filesystem() const { return *filesystem_; }

    Result<usize> get_attribute(std::string_view name, std::span<std::byte> value) override;
    Result<void> set_attribute(std::string_view name, std::span<const std::byte> value, u32 flags) override;
    Result<usize> list_attributes(std::span<char> names, vfs::TrustedNames trusted) override;
    Result<void> remove_attribute(std::string_view name) override;
    bool may_have_attributes() const override { return extended_.has_value(); }

protected:
    ~TmpfsInode();

private:
    void touch_change_time();

    const Ref<TmpfsSuperblock> filesystem_;
    std::optional<Own<AttributeSet>> extended_;  // made at first use; under data_lock
};

/// A file's contents are a part of it: who maps them may have the last reference, and ends the file with it.
class TmpfsFile final : public TmpfsInode {
public:
    TmpfsFile(TmpfsSuperblock& superblock, const vfs::InodeAttributes& attributes)
        : TmpfsInode(superblock, attributes), contents_(superblock) {}
    mm::PageCache* page_cache() override { return &contents_; }

private:
    class Contents final : public mm::PageCache {
    public:
        explicit Contents(TmpfsSuperblock& superblock) : PageCache(&superblock, 0) {}

    private:
        void destroy() override {
            vfs::Inode::destroy_counted(object_of_member<TmpfsFile, Contents, &TmpfsFile::contents_>(this));
        }
    };
    /// The inode has one reference of its contents.
    void destroy() override { contents_.release_reference(); }

    Contents contents_;
};

class TmpfsLink final : public TmpfsInode {
public:
    TmpfsLink(TmpfsSuperblock& superblock, const vfs::InodeAttributes& attributes, char* target)
        : TmpfsInode(superblock, attributes), target_(target) {}
    ~TmpfsLink();
    Result<usize> read_link(vfs::OperationContext& context, std::span<char> to) override;
    std::string_view link_text() const override { return {target_, attributes_.size}; }

private:
    void destroy() override { destroy_counted(this); }
    char* const target_;  // attributes_.size bytes
};

/// FIFOs, sockets and devices: what opens them is elsewhere.
class TmpfsNode final : public TmpfsInode {
public:
    using TmpfsInode::TmpfsInode;

private:
    void destroy() override { destroy_counted(this); }
};

class TmpfsDirectory final : public TmpfsInode {
public:
    using TmpfsInode::TmpfsInode;
    ~TmpfsDirectory();

    Result<Ref<vfs::Inode>> find_child(vfs::OperationContext& context, std::string_view name) override;
    Result<Ref<vfs::Inode>> create_child(vfs::OperationContext& context, std::string_view name,
                                         const vfs::CreateRequest& request) override;
    Result<void> link_child(vfs::OperationContext& context, std::string_view name, vfs::Inode& target) override;
    Result<void> remove_child(vfs::OperationContext& context, std::string_view name, vfs::Inode& child) override;
    Result<void> rename_child(vfs::OperationContext& context, const Rename& rename) override;
    Result<Ref<vfs::Inode>> create_unnamed(vfs::OperationContext& context, const vfs::CreateRequest& request) override;
    Result<u64> read_directory(vfs::OperationContext& context, u64 offset, vfs::DirectorySink& sink) override;

    /// Takes all below apart, without recursion. Nobody else uses the filesystem.
    void clear_tree();

private:
    void destroy() override { destroy_counted(this); }
    struct ByOffset {
        static bool less(const TmpfsEntry& a, const TmpfsEntry& b) { return a.offset < b.offset; }
    };
    using OffsetTree = RbTree<TmpfsEntry, &TmpfsEntry::by_offset, ByOffset>;

    /// The directory's size, links and times: its names change. ENOENT for more entries in one that was removed.
    Result<void> note_change(i32 entries, i32 links, const vfs::FileTime& now);
    /// rmdir(2): from now on nothing can be created in it. ENOTEMPTY.
    Result<void> die_if_empty();
    void insert(TmpfsEntry& entry);
    void insert_at_offset(TmpfsEntry& entry);
    Own<TmpfsEntry> take_out(TmpfsEntry& entry);
    Result<void> move_entry(TmpfsEntry& entry, const Rename& rename, TmpfsDirectory& to, const vfs::FileTime& now);
    void replace_with(TmpfsEntry& moved, const Rename& rename, TmpfsDirectory& to, TmpfsEntry& present,
                      const vfs::FileTime& now);
    void exchange_with(TmpfsEntry& mine, const Rename& rename, TmpfsDirectory& to, TmpfsEntry& theirs,
                       const vfs::FileTime& now);

    TmpfsNames by_name_;
    OffsetTree by_offset_;
    TmpfsEntry* last_ = nullptr;  // in by_offset_
    u64 next_offset_ = 1;
    u32 entries_ = 0;    // under attribute_lock
    bool dead_ = false;  // under attribute_lock
};

}  // namespace cairn::fs::tmpfs
