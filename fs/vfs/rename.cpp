/// rename(2). Prepared under the filesystem's rename_mutex (unless both names are in one directory) and the locks of
/// both directories; then committed in the filesystem and in the cache of names, which cannot fail.

#include "fs/vfs/names.h"

namespace cairn::vfs {

namespace {

constexpr u32 kNoReplace = 1;
constexpr u32 kExchange = 2;
constexpr u32 kWhiteout = 4;

/// The locks that a rename holds. Nobody else takes two directories' locks, and renames across directories exclude one
/// another, so either order of the two is free of deadlock.
class RenameLocks {
public:
    RenameLocks(Superblock& superblock, Inode& old_directory, Inode& new_directory) NO_THREAD_SAFETY_ANALYSIS
        : mutex_(superblock.rename_mutex),
          first_(old_directory),
          second_(new_directory) {
        if (&first_ == &second_) {
            first_.directory_lock.lock_exclusive();
            return;
        }
        mutex_.lock();
        first_.directory_lock.lock_exclusive();
        second_.directory_lock.lock_exclusive(RankUse::SecondOfPair);
    }
    ~RenameLocks() NO_THREAD_SAFETY_ANALYSIS {
        if (&first_ != &second_) {
            second_.directory_lock.unlock_exclusive();
        }
        first_.directory_lock.unlock_exclusive();
        if (&first_ != &second_) {
            mutex_.unlock();
        }
    }
    RenameLocks(const RenameLocks&) = delete;
    RenameLocks& operator=(const RenameLocks&) = delete;

private:
    sync::Mutex<LockRank::Rename>& mutex_;
    Inode& first_;
    Inode& second_;
};

/// The two places, and what stands there.
struct Places {
    const ParentAndName& from;
    const ParentAndName& to;
    std::optional<Ref<Dentry>> moved;
    std::optional<Ref<Dentry>> present;  // under the new name, if anything
};

Result<void> check_slashes(const Places& places, bool exchange) {
    if (!(*places.moved)->is_directory() && (places.from.trailing_slash || (!exchange && places.to.trailing_slash))) {
        return fail(Errno::enotdir);
    }
    if (exchange && !(*places.present)->is_directory() && places.to.trailing_slash) {
        return fail(Errno::enotdir);
    }
    return {};
}

/// No directory may come to lie below itself.
Result<void> check_ancestors(const Places& places, bool exchange) {
    if ((*places.moved)->is_directory() && places.to.parent.dentry().is_below(**places.moved)) {
        return fail(Errno::einval);
    }
    if (places.present && (*places.present)->is_directory() && places.from.parent.dentry().is_below(**places.present)) {
        return fail(exchange ? Errno::einval : Errno::enotempty);
    }
    return {};
}

/// A directory that changes its parent changes its "..": that takes write permission on it.
Result<void> check_parent_change(OperationContext& context, const Places& places, Dentry& entry) {
    if (!entry.is_directory() || &places.from.parent.dentry() == &places.to.parent.dentry()) {
        return {};
    }
    return check_permission(context.credentials, entry.inode(), static_cast<u32>(Access::Write));
}

Result<void> check_rename(OperationContext& context, const Places& places, bool exchange) {
    Dentry& moved = **places.moved;
    Dentry* present = places.present ? &**places.present : nullptr;
    TRY(check_removal(context, places.from.parent, moved));
    if (present == nullptr) {
        constexpr u32 kChange = static_cast<u32>(Access::Write) | static_cast<u32>(Access::Execute);
        if (&places.to.parent.inode() != &places.from.parent.inode()) {
            TRY(check_permission(context.credentials, places.to.parent.inode(), kChange));
        }
        if (places.to.parent.dentry().is_deleted()) {
            return fail(Errno::enoent);
        }
    } else {
        TRY(check_removal(context, places.to.parent, *present));
        if (!exchange && moved.is_directory() != present->is_directory()) {
            return fail(moved.is_directory() ? Errno::enotdir : Errno::eisdir);
        }
    }
    TRY(check_parent_change(context, places, moved));
    if (exchange) {
        TRY(check_parent_change(context, places, *present));
    }
    if (moved.is_mount_point() || (present != nullptr && present->is_mount_point())) {
        return fail(Errno::ebusy);
    }
    return {};
}

/// Names for the cache, made before the filesystem changes anything.
struct NewNames {
    DentryName* moved = nullptr;
    DentryName* present = nullptr;

    NewNames() = default;
    NewNames(const NewNames&) = delete;
    NewNames& operator=(const NewNames&) = delete;
    ~NewNames() {
        DentryName::free(moved);
        DentryName::free(present);
    }
};

[[gnu::noinline]] void notify_move(const Places& places, Inode& moved, Inode* replaced, bool exchange) {
    using namespace notify_events;
    Inode& from = places.from.parent.inode();
    Inode& to = places.to.parent.inode();
    u32 cookie = next_notify_cookie();
    notify_name(from, kMovedFrom, places.from.name, moved, cookie);
    notify_name(to, kMovedTo, places.to.name, moved, cookie);
    notify_inode(moved, kMoveSelf);
    if (exchange) {
        cookie = next_notify_cookie();
        notify_name(to, kMovedFrom, places.to.name, *replaced, cookie);
        notify_name(from, kMovedTo, places.from.name, *replaced, cookie);
        notify_inode(*replaced, kMoveSelf);
    } else if (replaced != nullptr) {
        notify_name_removed(*replaced);
    }
}

Result<void> commit(OperationContext& context, Places& places, bool exchange) {
    DentryCache& cache = the_vfs().dentries;
    Dentry& moved = **places.moved;
    Dentry* present = places.present ? &**places.present : nullptr;
    NewNames names;
    names.moved = TRY(DentryName::create(places.to.name));
    if (exchange) {
        names.present = TRY(DentryName::create(places.from.name));
    }
    Inode* replaced = present == nullptr ? nullptr : &present->inode();
    Inode::Rename rename{places.from.name, moved.inode(), places.to.parent.inode(), places.to.name, replaced,
                         exchange,         false};
    TRY(places.from.parent.inode().rename_child(context, rename));
    if (exchange) {
        cache.exchange(moved, std::exchange(names.moved, nullptr), *present, std::exchange(names.present, nullptr));
    } else {
        cache.move(moved, places.to.parent.dentry(), std::exchange(names.moved, nullptr), present);
    }
    if (!nobody_watches()) {
        notify_move(places, moved.inode(), replaced, exchange);
    }
    return {};
}

Result<void> rename_locked(OperationContext& context, Places& places, u32 flags) {
    DentryCache& cache = the_vfs().dentries;
    bool exchange = (flags & kExchange) != 0;
    RenameLocks locks(places.from.parent.mount().superblock(), places.from.parent.inode(), places.to.parent.inode());
    places.moved = TRY(cache.lookup_locked(context, places.from.parent.dentry(), places.from.name));
    if ((*places.moved)->is_negative()) {
        return fail(Errno::enoent);
    }
    places.present = TRY(cache.find_present_locked(context, places.to.parent.dentry(), places.to.name));
    const bool exists = places.present.has_value();
    if (exists && (flags & kNoReplace) != 0) {
        return fail(Errno::eexist);
    }
    if (!exists && exchange) {
        return fail(Errno::enoent);
    }
    TRY(check_slashes(places, exchange));
    TRY(check_ancestors(places, exchange));
    if (exists && &(*places.moved)->inode() == &(*places.present)->inode()) {
        return {};  // two names of one file: nothing to do (rename(2))
    }
    if (places.from.parent.mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    TRY(check_rename(context, places, exchange));
    return commit(context, places, exchange);
}

bool is_plain(std::string_view name) {
    return !name.empty() && (name.front() != '.' || (name != "." && name != ".."));
}

}  // namespace

Result<void> rename(OperationContext& context, std::string_view old_name, const WalkOptions& old_start,
                    std::string_view new_name, const WalkOptions& new_start, u32 flags) {
    if ((flags & ~(kNoReplace | kExchange | kWhiteout)) != 0 ||
        ((flags & kExchange) != 0 && (flags & (kNoReplace | kWhiteout)) != 0)) {
        return fail(Errno::einval);
    }
    if ((flags & kWhiteout) != 0) {
        return fail(Errno::einval);  // no filesystem here stands under an overlay
    }
    ParentAndName from = TRY(walk_parent(context, old_name, old_start));
    ParentAndName to = TRY(walk_parent(context, new_name, new_start));
    if (&from.parent.mount() != &to.parent.mount()) {
        return fail(Errno::exdev);
    }
    if (!is_plain(from.name)) {
        return fail(Errno::ebusy);
    }
    if (!is_plain(to.name)) {
        return fail((flags & kNoReplace) != 0 ? Errno::eexist : Errno::ebusy);
    }
    Places places{from, to, std::nullopt, std::nullopt};
    return rename_locked(context, places, flags);
}

}  // namespace cairn::vfs
