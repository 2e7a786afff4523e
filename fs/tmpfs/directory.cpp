/// Directories of tmpfs; see inode.h.

#include "fs/tmpfs/inode.h"

namespace cairn::fs::tmpfs {

using vfs::FileTime;
using vfs::OperationContext;

namespace {

/// What an entry adds to the size of its directory (Linux's BOGO_DIRENT_SIZE).
constexpr i64 kEntrySize = 20;

TmpfsDirectory& as_directory(vfs::Inode& inode) {
    DEBUG_ASSERT(inode.is_directory());
    return static_cast<TmpfsDirectory&>(inode);
}

/// What an inode's name adds to the links of its directory: the ".." of a directory.
i32 links_from(const vfs::Inode& inode) {
    return inode.is_directory() ? 1 : 0;
}

/// A name went: for a directory its own "." went too.
void drop_links(vfs::Inode& inode, const FileTime& now) {
    inode.add_links(inode.is_directory() ? -2 : -1, now);
}

}  // namespace

TmpfsDirectory::~TmpfsDirectory() {
    // Only what was never removed name by name, because the filesystem went: clear_tree() left nothing.
    DEBUG_ASSERT(by_name_.empty());
}

// --- Entries -----------------------------------------------------------------------------------------------------

Result<void> TmpfsDirectory::note_change(i32 entries, i32 links, const FileTime& now) {
    SpinLockGuard guard(attribute_lock);
    if (dead_ && entries > 0) {
        return fail(Errno::enoent);
    }
    entries_ = static_cast<u32>(static_cast<i32>(entries_) + entries);
    attributes_.size = static_cast<u64>(static_cast<i64>(attributes_.size) + entries * kEntrySize);
    attributes_.link_count = static_cast<u32>(static_cast<i32>(attributes_.link_count) + links);
    attributes_.modification_time = attributes_.change_time = now;
    times_changed();
    return {};
}

Result<void> TmpfsDirectory::die_if_empty() {
    SpinLockGuard guard(attribute_lock);
    if (entries_ != 0) {
        return fail(Errno::enotempty);
    }
    dead_ = true;
    return {};
}

/// Behind all others.
void TmpfsDirectory::insert(TmpfsEntry& entry) {
    entry.offset = next_offset_++;
    by_name_.insert(entry);
    by_offset_.insert_last(entry, last_);
    last_ = &entry;
}

/// With the offset that it has.
void TmpfsDirectory::insert_at_offset(TmpfsEntry& entry) {
    by_name_.insert(entry);
    by_offset_.insert(entry);
    if (last_ == nullptr || last_->offset < entry.offset) {
        last_ = &entry;
    }
}

Own<TmpfsEntry> TmpfsDirectory::take_out(TmpfsEntry& entry) {
    by_name_.remove(entry);
    if (last_ == &entry) {
        last_ = by_offset_.previous(entry);
    }
    by_offset_.remove(entry);
    return Own<TmpfsEntry>::adopt(&entry);
}

// --- What the VFS asks for ---------------------------------------------------------------------------------------

Result<Ref<vfs::Inode>> TmpfsDirectory::find_child(OperationContext&, std::string_view name) {
    TmpfsEntry* entry = by_name_.find(name);
    if (entry == nullptr) {
        return fail(Errno::enoent);
    }
    return entry->inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::create_child(OperationContext&, std::string_view name,
                                                     const vfs::CreateRequest& request) {
    const FileTime now = FileTime::now();
    Ref<vfs::Inode> inode = TRY(filesystem().create_inode(request, now));
    Own<TmpfsEntry> entry = TRY(TmpfsEntry::create(name, *inode));
    TRY(note_change(1, links_from(*inode), now));
    insert(*entry.release());
    return inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::create_unnamed(OperationContext&, const vfs::CreateRequest& request) {
    const FileTime now = FileTime::now();
    Ref<vfs::Inode> inode = TRY(filesystem().create_inode(request, now));
    inode->add_links(-1, now);
    return inode;
}

[[gnu::cold]] Result<void> TmpfsDirectory::link_child(OperationContext&, std::string_view name, vfs::Inode& target) {
    TRY(filesystem().check_more_than_files());
    const FileTime now = FileTime::now();
    Own<TmpfsEntry> entry = TRY(TmpfsEntry::create(name, target));
    TRY(note_change(1, 0, now));
    target.add_links(1, now);
    insert(*entry.release());
    return {};
}

Result<void> TmpfsDirectory::remove_child(OperationContext&, std::string_view name, vfs::Inode& child) {
    TmpfsEntry* entry = by_name_.find(name);
    if (entry == nullptr || &*entry->inode != &child) {
        return fail(Errno::enoent);
    }
    if (child.is_directory()) {
        TRY(as_directory(child).die_if_empty());
    }
    const FileTime now = FileTime::now();
    drop_links(child, now);
    take_out(*entry).reset();
    static_cast<void>(note_change(-1, -links_from(child), now));
    return {};
}

/// Nothing stands under the new name: the entry gets it. In the same directory it keeps its offset, so that who reads
/// the directory while its files are renamed meets each of them once. ENOMEM, ENOENT.
Result<void> TmpfsDirectory::move_entry(TmpfsEntry& entry, const Rename& rename, TmpfsDirectory& to,
                                        const FileTime& now) {
    Own<TmpfsEntry> roomier;
    if (!entry.has_room_for(rename.new_name)) {
        Own<TmpfsEntry> made = TRY(TmpfsEntry::create(rename.new_name, rename.moved));
        roomier = std::move(made);
    }
    const i32 links = links_from(rename.moved);
    if (&to != this) {
        TRY(to.note_change(1, links, now));
        static_cast<void>(note_change(-1, -links, now));
    } else {
        static_cast<void>(note_change(0, 0, now));
        if (!roomier) {
            by_name_.remove(entry);
            entry.rename(rename.new_name);
            by_name_.insert(entry);
            return {};
        }
        roomier->offset = entry.offset;
    }
    Own<TmpfsEntry> moved = take_out(entry);
    if (roomier) {
        moved = std::move(roomier);
    } else {
        moved->rename(rename.new_name);
    }
    TmpfsEntry& settled = *moved.release();
    if (&to == this) {
        insert_at_offset(settled);
    } else {
        to.insert(settled);
    }
    return {};
}

/// The moved inode takes the place of what stood under the new name.
void TmpfsDirectory::replace_with(TmpfsEntry& moved, const Rename& rename, TmpfsDirectory& to, TmpfsEntry& present,
                                  const FileTime& now) {
    present.inode = Ref<vfs::Inode>(rename.moved);
    drop_links(*rename.replaced, now);
    take_out(moved).reset();
    const i32 gone = links_from(*rename.replaced);
    const i32 come = links_from(rename.moved);
    if (&to == this) {
        static_cast<void>(note_change(-1, -gone, now));
    } else {
        static_cast<void>(to.note_change(0, come - gone, now));
        static_cast<void>(note_change(-1, -come, now));
    }
}

[[gnu::cold]] void TmpfsDirectory::exchange_with(TmpfsEntry& mine, const Rename& rename, TmpfsDirectory& to,
                                                 TmpfsEntry& theirs, const FileTime& now) {
    std::swap(mine.inode, theirs.inode);
    rename.replaced->add_links(0, now);  // its change time
    const i32 difference = &to == this ? 0 : links_from(*rename.replaced) - links_from(rename.moved);
    static_cast<void>(note_change(0, difference, now));
    if (&to != this) {
        static_cast<void>(to.note_change(0, -difference, now));
    }
}

Result<void> TmpfsDirectory::rename_child(OperationContext&, const Rename& rename) {
    TRY(filesystem().check_more_than_files());
    TmpfsDirectory& to = as_directory(rename.new_directory);
    TmpfsEntry* moved = by_name_.find(rename.old_name);
    TmpfsEntry* present = rename.replaced != nullptr ? to.by_name_.find(rename.new_name) : nullptr;
    if (moved == nullptr || &*moved->inode != &rename.moved || (present == nullptr && rename.replaced != nullptr)) {
        return fail(Errno::enoent);
    }
    if (rename.leave_whiteout) {
        return fail(Errno::einval);
    }
    const FileTime now = FileTime::now();
    if (rename.exchange) {
        exchange_with(*moved, rename, to, *present, now);
    } else if (present == nullptr) {
        TRY(move_entry(*moved, rename, to, now));
    } else {
        if (rename.replaced->is_directory()) {
            TRY(as_directory(*rename.replaced).die_if_empty());
        }
        replace_with(*moved, rename, to, *present, now);
    }
    rename.moved.add_links(0, now);
    return {};
}

Result<u64> TmpfsDirectory::read_directory(OperationContext&, u64 offset, vfs::DirectorySink& sink) {
    TmpfsEntry* entry = by_offset_.partition_point([&](const TmpfsEntry& at) { return at.offset <= offset; });
    for (; entry != nullptr; entry = by_offset_.next(*entry)) {
        if (!sink.entry(entry->name(), entry->inode->number(), entry->inode->type(), entry->offset)) {
            break;
        }
        offset = entry->offset;
    }
    return offset;
}

[[gnu::cold]] void TmpfsDirectory::clear_tree() {
    // Entries of directories below are moved up here before their directory is dropped.
    OffsetTree waiting;
    auto collect = [&](TmpfsDirectory& directory) {
        sync::ExclusiveGuard guard(directory.directory_lock);
        const FileTime now = FileTime::now();
        while (TmpfsEntry* entry = directory.by_offset_.first()) {
            waiting.insert(*directory.take_out(*entry).release());
            static_cast<void>(directory.note_change(-1, 0, now));
        }
    };
    collect(*this);
    while (TmpfsEntry* entry = waiting.first()) {
        waiting.remove(*entry);
        Own<TmpfsEntry> owned = Own<TmpfsEntry>::adopt(entry);
        if (owned->inode->is_directory()) {
            collect(as_directory(*owned->inode));
        }
    }
}

}  // namespace cairn::fs::tmpfs
