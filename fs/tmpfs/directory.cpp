/// Directories of tmpfs; see inode.h.

#include "fs/tmpfs/inode.h"
#include "kernel/base/bytes.h"

namespace cairn::fs::tmpfs {

using vfs::OperationContext;

namespace {

/// What an entry adds to the size of its directory (Linux's BOGO_DIRENT_SIZE).
constexpr u64 kEntrySize = 20;

Result<Own<TmpfsEntry>> create_entry(std::string_view name, vfs::Inode& inode) {
    if (name.size() > vfs::kNameLimit) {
        return fail(Errno::enametoolong);
    }
    vfs::DentryName* text = TRY(vfs::DentryName::create(name));
    Result<Own<TmpfsEntry>> entry = try_new<TmpfsEntry>(text, Ref<vfs::Inode>(inode));
    if (!entry.ok()) {
        vfs::DentryName::free(text);
    }
    return entry;
}

bool leads_to_directory(const TmpfsEntry& entry) {
    return entry.inode->is_directory();
}

TmpfsDirectory& as_directory(vfs::Inode& inode) {
    DEBUG_ASSERT(inode.is_directory());
    return static_cast<TmpfsDirectory&>(inode);
}

/// A name went: for a directory its own "." went too.
void drop_links(vfs::Inode& inode) {
    inode.add_links(inode.is_directory() ? -2 : -1);
}

}  // namespace

TmpfsDirectory::~TmpfsDirectory() {
    // Only what was never removed name by name, because the filesystem went: clear_tree() left nothing.
    DEBUG_ASSERT(by_name_.empty());
}

TmpfsEntry* TmpfsDirectory::find_entry(std::string_view name) const {
    const u32 hash = vfs::DentryCache::hash_of(name);
    TmpfsEntry* entry =
        by_name_.partition_point([&](const TmpfsEntry& at) { return ByName::is_before(at, hash, name); });
    return entry != nullptr && same_text(entry->name(), name) ? entry : nullptr;
}

Result<void> TmpfsDirectory::reserve_entry() {
    SpinLockGuard guard(attribute_lock);
    if (dead_) {
        return fail(Errno::enoent);
    }
    ++entries_;
    attributes_.size += kEntrySize;
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

void TmpfsDirectory::insert(TmpfsEntry& entry) {
    entry.offset = next_offset_++;
    by_name_.insert(entry);
    by_offset_.insert_last(entry);
}

void TmpfsDirectory::note_removal() {
    SpinLockGuard guard(attribute_lock);
    --entries_;
    attributes_.size -= kEntrySize;
}

Own<TmpfsEntry> TmpfsDirectory::take_out(TmpfsEntry& entry) {
    by_name_.remove(entry);
    by_offset_.remove(entry);
    note_removal();
    return Own<TmpfsEntry>::adopt(&entry);
}

Result<Ref<vfs::Inode>> TmpfsDirectory::find_child(OperationContext&, std::string_view name) {
    TmpfsEntry* entry = find_entry(name);
    if (entry == nullptr) {
        return fail(Errno::enoent);
    }
    return entry->inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::create_child(OperationContext&, std::string_view name,
                                                     const vfs::CreateRequest& request) {
    Ref<vfs::Inode> inode = TRY(filesystem().create_inode(request));
    Own<TmpfsEntry> entry = TRY(create_entry(name, *inode));
    TRY(reserve_entry());
    insert(*entry.release());
    touch_modification_time();
    if (inode->is_directory()) {
        add_links(1);
    }
    return inode;
}

Result<Ref<vfs::Inode>> TmpfsDirectory::create_unnamed(OperationContext&, const vfs::CreateRequest& request) {
    Ref<vfs::Inode> inode = TRY(filesystem().create_inode(request));
    inode->add_links(-1);
    return inode;
}

Result<void> TmpfsDirectory::link_child(OperationContext&, std::string_view name, vfs::Inode& target) {
    TRY(filesystem().check_more_than_files());
    Own<TmpfsEntry> entry = TRY(create_entry(name, target));
    TRY(reserve_entry());
    target.add_links(1);
    insert(*entry.release());
    touch_modification_time();
    return {};
}

Result<void> TmpfsDirectory::remove_child(OperationContext&, std::string_view name, vfs::Inode& child) {
    TmpfsEntry* entry = find_entry(name);
    if (entry == nullptr || &*entry->inode != &child) {
        return fail(Errno::enoent);
    }
    if (child.is_directory()) {
        TRY(as_directory(child).die_if_empty());
        add_links(-1);
    }
    drop_links(child);
    take_out(*entry).reset();
    touch_modification_time();
    return {};
}

/// Nothing stands under the new name: the entry gets it. ENOMEM, ENOENT.
Result<void> TmpfsDirectory::move_entry(TmpfsEntry& entry, std::string_view name, TmpfsDirectory& to) {
    vfs::DentryName* text = TRY(vfs::DentryName::create(name));
    if (&to != this) {
        Result<void> reserved = to.reserve_entry();
        if (!reserved.ok()) {
            vfs::DentryName::free(text);
            return reserved;
        }
        note_removal();
    }
    by_name_.remove(entry);
    by_offset_.remove(entry);
    entry.rename(text);
    to.insert(entry);
    return {};
}

/// The moved inode takes the place of what stood under the new name.
void TmpfsDirectory::replace_with(TmpfsEntry& moved, const Rename& rename, TmpfsDirectory& to, TmpfsEntry& present) {
    present.inode = Ref<vfs::Inode>(rename.moved);
    drop_links(*rename.replaced);
    if (rename.replaced->is_directory()) {
        to.add_links(-1);
    }
    take_out(moved).reset();
}

void TmpfsDirectory::exchange_with(TmpfsEntry& mine, TmpfsDirectory& other, TmpfsEntry& theirs) {
    if (leads_to_directory(mine) != leads_to_directory(theirs)) {
        TmpfsDirectory& loser = leads_to_directory(mine) ? *this : other;
        TmpfsDirectory& winner = leads_to_directory(mine) ? other : *this;
        loser.add_links(-1);
        winner.add_links(1);
    }
    std::swap(mine.inode, theirs.inode);
}

Result<void> TmpfsDirectory::rename_child(OperationContext&, const Rename& rename) {
    TRY(filesystem().check_more_than_files());
    TmpfsDirectory& to = as_directory(rename.new_directory);
    TmpfsEntry* moved = find_entry(rename.old_name);
    TmpfsEntry* present = rename.replaced != nullptr ? to.find_entry(rename.new_name) : nullptr;
    if (moved == nullptr || &*moved->inode != &rename.moved || (present == nullptr && rename.replaced != nullptr)) {
        return fail(Errno::enoent);
    }
    if (rename.leave_whiteout) {
        return fail(Errno::einval);
    }
    if (rename.exchange) {
        exchange_with(*moved, to, *present);
        rename.replaced->add_links(0);  // its change time
    } else {
        if (present == nullptr) {
            TRY(move_entry(*moved, rename.new_name, to));
        } else {
            if (rename.replaced->is_directory()) {
                TRY(as_directory(*rename.replaced).die_if_empty());
            }
            replace_with(*moved, rename, to, *present);
        }
        if (rename.moved.is_directory() && &to != this) {
            add_links(-1);
            to.add_links(1);
        }
    }
    rename.moved.add_links(0);
    touch_modification_time();
    if (&to != this) {
        to.touch_modification_time();
    }
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

void TmpfsDirectory::clear_tree() {
    // Entries of directories below are moved up here before their directory is dropped.
    NameTree waiting;
    auto collect = [&](TmpfsDirectory& directory) {
        sync::ExclusiveGuard guard(directory.directory_lock);
        while (TmpfsEntry* entry = directory.by_name_.first()) {
            Own<TmpfsEntry> owned = directory.take_out(*entry);
            waiting.insert(*owned.release());
        }
    };
    collect(*this);
    while (TmpfsEntry* entry = waiting.first()) {
        waiting.remove(*entry);
        Own<TmpfsEntry> owned = Own<TmpfsEntry>::adopt(entry);
        if (leads_to_directory(*owned)) {
            collect(as_directory(*owned->inode));
        }
    }
}

}  // namespace cairn::fs::tmpfs
