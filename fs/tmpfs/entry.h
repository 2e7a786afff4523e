#pragma once
/// What a directory of tmpfs consists of: entries, and the table that finds one by its name. All of it belongs to
/// holders of the directory's directory_lock.

#include <string_view>

#include "fs/vfs/path.h"
#include "kernel/base/own.h"
#include "kernel/base/rb_tree.h"

namespace cairn::fs::tmpfs {

/// A name in a directory. The characters follow the object, with some room to spare.
class TmpfsEntry {
public:
    RbNode by_name;
    RbNode by_offset;
    u64 offset = 0;
    Ref<vfs::Inode> inode;

    /// ENAMETOOLONG, ENOMEM.
    static Result<Own<TmpfsEntry>> create(std::string_view name, vfs::Inode& inode);
    /// For Own.
    static void free(TmpfsEntry* entry);

    std::string_view name() const { return {characters(), size_}; }
    u32 hash() const { return hash_; }
    /// Whether rename() has room for the name.
    bool has_room_for(std::string_view name) const { return name.size() <= room_; }
    /// In no tree meanwhile.
    void rename(std::string_view name);

    /// For create() only.
    TmpfsEntry(std::string_view name, usize room, vfs::Inode& its_inode);
    TmpfsEntry(const TmpfsEntry&) = delete;
    TmpfsEntry& operator=(const TmpfsEntry&) = delete;

private:
    const char* characters() const { return static_cast<const char*>(static_cast<const void*>(this + 1)); }

    u32 hash_ = 0;  // a search looks at nothing else of most entries
    u8 size_ = 0;
    const u8 room_;
};
static_assert(vfs::kNameLimit <= 255);

/// Entries by name: a table of trees that are chosen by the name's hash. It grows so that most trees have an element or
/// two; where there is no memory for a larger table, or many names have one hash, a tree takes more. A directory with
/// few names has no table but one tree.
class TmpfsNames {
public:
    TmpfsNames() = default;
    TmpfsNames(const TmpfsNames&) = delete;
    TmpfsNames& operator=(const TmpfsNames&) = delete;
    ~TmpfsNames();

    TmpfsEntry* find(std::string_view name) const;
    /// Its name is not there.
    void insert(TmpfsEntry& entry);
    void remove(TmpfsEntry& entry);
    bool empty() const { return count_ == 0; }

    // How the table grows and shrinks: it has room for kFew names without one, and kSteps times as many trees each time
    // that there are kMostInTree names for each.
    static constexpr u32 kFew = 8;
    static constexpr u32 kMostInTree = 2;
    static constexpr u32 kStep = 4;
    static constexpr u32 kMostTrees = 1u << 16;

private:
    /// By hash first, so that most comparisons are of numbers.
    struct ByName {
        static bool less(const TmpfsEntry& a, const TmpfsEntry& b) { return is_before(a, b.hash(), b.name()); }
        static bool is_before(const TmpfsEntry& entry, u32 hash, std::string_view name) {
            return entry.hash() != hash ? entry.hash() < hash : entry.name() < name;
        }
    };
    using Tree = RbTree<TmpfsEntry, &TmpfsEntry::by_name, ByName>;

    Tree& tree_of(u32 hash) const { return trees_[hash & mask_]; }
    u32 tree_count() const { return mask_ + 1; }
    void resize(u32 trees);

    Tree few_;
    Tree* trees_ = &few_;
    u32 mask_ = 0;  // a power of two of trees, less one
    u32 count_ = 0;
};

}  // namespace cairn::fs::tmpfs
