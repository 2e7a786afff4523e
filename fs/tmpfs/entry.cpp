/// Entries of directories, and finding them by name; see entry.h.

#include "fs/tmpfs/entry.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "fs/vfs/dentry.h"
#include "kernel/base/bytes.h"

namespace cairn::fs::tmpfs {

namespace {

/// Most names have room to become somewhat longer.
usize room_for(std::string_view name) {
    constexpr usize kUsual = 128 - sizeof(TmpfsEntry);
    return std::max(name.size(), kUsual);
}

}  // namespace

TmpfsEntry::TmpfsEntry(std::string_view name, usize room, vfs::Inode& its_inode)
    : inode(its_inode), room_(static_cast<u8>(room)) {
    rename(name);
}

Result<Own<TmpfsEntry>> TmpfsEntry::create(std::string_view name, vfs::Inode& inode) {
    if (name.size() > vfs::kNameLimit) {
        return fail(Errno::enametoolong);
    }
    const usize room = room_for(name);
    void* memory = heap_allocate(sizeof(TmpfsEntry) + room, alignof(TmpfsEntry));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    return Own<TmpfsEntry>::adopt(std::construct_at(static_cast<TmpfsEntry*>(memory), name, room, inode));
}

void TmpfsEntry::free(TmpfsEntry* entry) {
    const usize size = sizeof(TmpfsEntry) + entry->room_;
    std::destroy_at(entry);
    heap_free(entry, size, alignof(TmpfsEntry));
}

void TmpfsEntry::rename(std::string_view name) {
    hash_ = vfs::DentryCache::hash_of(name);
    size_ = static_cast<u8>(name.size());
    std::memcpy(static_cast<void*>(this + 1), name.data(), name.size());
}

TmpfsNames::~TmpfsNames() {
    ASSERT(empty());
    resize(1);
}

TmpfsEntry* TmpfsNames::find(std::string_view name) const {
    const u32 hash = vfs::DentryCache::hash_of(name);
    const Tree& tree = tree_of(hash);
    TmpfsEntry* entry = tree.root();
    while (entry != nullptr && (entry->hash() != hash || !same_text(entry->name(), name))) {
        entry = ByName::is_before(*entry, hash, name) ? tree.right(*entry) : tree.left(*entry);
    }
    return entry;
}

void TmpfsNames::insert(TmpfsEntry& entry) {
    tree_of(entry.hash()).insert_quickly(entry);
    ++count_;
    if (count_ > kFew && count_ > kMostInTree * tree_count() && tree_count() < kMostTrees) {
        resize(kStep * tree_count());
    }
}

void TmpfsNames::remove(TmpfsEntry& entry) {
    tree_of(entry.hash()).remove_quickly(entry);
    --count_;
    // Far fewer than what the table was made for: names that come and go do not make it change each time.
    if (tree_count() > 1 && count_ < tree_count() / kStep) {
        resize(tree_count() / kStep);
    }
}

/// Moves all entries to another table, unless there is no memory for it.
[[gnu::cold]] void TmpfsNames::resize(u32 trees) {
    if (trees == tree_count()) {
        return;
    }
    Tree* table = &few_;
    if (trees != 1) {
        void* memory = heap_allocate(trees * sizeof(Tree), alignof(Tree));
        if (memory == nullptr) {
            return;
        }
        table = static_cast<Tree*>(memory);
        std::uninitialized_value_construct_n(table, trees);
    }
    Tree* const old = std::exchange(trees_, table);
    const u32 old_trees = std::exchange(mask_, trees - 1) + 1;
    std::for_each_n(old, old_trees, [&](Tree& tree) {
        tree.clear([&](TmpfsEntry& entry) { tree_of(entry.hash()).insert_quickly(entry); });
    });
    if (old != &few_) {
        std::destroy_n(old, old_trees);
        heap_free(old, old_trees * sizeof(Tree), alignof(Tree));
    }
}

}  // namespace cairn::fs::tmpfs
