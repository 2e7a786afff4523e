#pragma once
/// The inodes of tmpfs. A directory keeps its entries in two trees, by name and by a number that grows, which is the
/// offset that getdents(2) continues from: neither creating nor deleting disturbs who is reading.
///
/// Locks: the trees belong to holders of directory_lock; the number of entries and whether the directory is dead are
/// under attribute_lock, since rmdir(2) holds only the parent's directory_lock.

#include "fs/tmpfs/attribute_set.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs/dentry.h"
#include "kernel/base/rb_tree.h"

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

class TmpfsFile final : public TmpfsInode {
public:
    TmpfsFile(TmpfsSuperblock& superblock, const vfs::InodeAttributes& attributes, Ref<mm::PageCache> cache)
        : TmpfsInode(superblock, attributes), cache_(std::move(cache)) {}
    mm::PageCache* page_cache() override { return &*cache_; }

private:
    void destroy() override { destroy_counted(this); }
    const Ref<mm::PageCache> cache_;
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

/// A name in a directory.
struct TmpfsEntry {
    RbNode by_name;
    RbNode by_offset;
    u64 offset = 0;
    Ref<vfs::Inode> inode;

    TmpfsEntry(vfs::DentryName* its_name, Ref<vfs::Inode> its_inode)
        : inode(std::move(its_inode)), name_(its_name), hash_(its_name->hash) {}
    ~TmpfsEntry() { vfs::DentryName::free(name_); }
    TmpfsEntry(const TmpfsEntry&) = delete;
    TmpfsEntry& operator=(const TmpfsEntry&) = delete;
    std::string_view name() const { return name_->text(); }
    /// Takes the name over. In no tree meanwhile.
    void rename(vfs::DentryName* name) {
        vfs::DentryName::free(std::exchange(name_, name));
        hash_ = name->hash;
    }
    u32 hash() const { return hash_; }

private:
    vfs::DentryName* name_;  // owned
    u32 hash_;               // the name's: a search looks at nothing else of most entries
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

    /// By hash first, so that most comparisons are of numbers; the order of listing is that of offsets.
    struct ByName {
        static bool less(const TmpfsEntry& a, const TmpfsEntry& b) { return is_before(a, b.hash(), b.name()); }
        static bool is_before(const TmpfsEntry& entry, u32 hash, std::string_view name) {
            return entry.hash() != hash ? entry.hash() < hash : entry.name() < name;
        }
    };
    struct ByOffset {
        static bool less(const TmpfsEntry& a, const TmpfsEntry& b) { return a.offset < b.offset; }
    };
    using NameTree = RbTree<TmpfsEntry, &TmpfsEntry::by_name, ByName>;

    /// Takes all below apart, without recursion. Nobody else uses the filesystem.
    void clear_tree();

private:
    void destroy() override { destroy_counted(this); }
    TmpfsEntry* find_entry(std::string_view name) const;
    /// Counts one entry more; ENOENT in a directory that was removed.
    Result<void> reserve_entry();
    /// rmdir(2): from now on nothing can be created in it. ENOTEMPTY.
    Result<void> die_if_empty();
    void insert(TmpfsEntry& entry);
    Own<TmpfsEntry> take_out(TmpfsEntry& entry);
    void note_removal();
    Result<void> move_entry(TmpfsEntry& entry, std::string_view name, TmpfsDirectory& to);
    void replace_with(TmpfsEntry& moved, const Rename& rename, TmpfsDirectory& to, TmpfsEntry& present);
    void exchange_with(TmpfsEntry& mine, TmpfsDirectory& other, TmpfsEntry& theirs);

    NameTree by_name_;
    RbTree<TmpfsEntry, &TmpfsEntry::by_offset, ByOffset> by_offset_;
    u64 next_offset_ = 1;
    u32 entries_ = 0;    // under attribute_lock
    bool dead_ = false;  // under attribute_lock
};

}  // namespace cairn::fs::tmpfs
