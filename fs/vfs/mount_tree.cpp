/// Mounts, and how the tree of them is looked at; see mount_tree.h. How it changes is in mount_changes.cpp, the calls
/// mount(2) and its kin are in mount_calls.cpp.

#include "fs/vfs/mount_tree.h"

#include <cstring>

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

Mount::Mount(Ref<Superblock> superblock, Ref<Dentry> root, char* source, usize source_size, u32 flags)
    : superblock_(std::move(superblock)),
      root_(std::move(root)),
      root_entry_(*root_),
      source_(source),
      source_size_(source_size),
      id_(the_vfs().mounts.next_id_.fetch_add(1, Order::relaxed)),
      flags_(flags) {
    superblock_->mount_begins();
}

Mount::~Mount() {
    heap_free(source_, source_size_ + 1, 1);
}

Result<Ref<Mount>> Mount::create(Ref<Superblock> superblock, Ref<Dentry> root, std::string_view source, u32 flags) {
    void* memory = heap_allocate(source.size() + 1, 1);
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    char* text = static_cast<char*>(memory);
    std::memcpy(text, source.data(), source.size());
    text[source.size()] = '\0';
    Result<Ref<Mount>> mount = try_new_ref<Mount>(std::move(superblock), std::move(root), text, source.size(), flags);
    if (!mount.ok()) {
        heap_free(memory, source.size() + 1, 1);
    }
    return mount;
}

void Mount::last_reference_dropped() {
    Mount* parent = parent_.exchange(nullptr, Order::relaxed);
    Dentry* point = point_.exchange(nullptr, Order::relaxed);
    // The filesystem may go now; only this object's memory is still seen by walks without a reference.
    {
        Ref<Superblock> superblock(std::move(superblock_));
        Ref<Dentry> root(std::move(root_));
        superblock->mount_ends();
    }
    sync::call_after_grace_period(head_, [](sync::ReadSideHead& head) {
        destroy_counted(object_of_member<Mount, sync::ReadSideHead, &Mount::head_>(&head));
    });
    if (point != nullptr) {
        point->release_reference();
    }
    if (parent != nullptr) {
        parent->release_reference();
    }
}

// --- Looking -----------------------------------------------------------------------------------------------------

Mount* MountTree::find_under_guard(const Mount& mount, const Dentry& point) {
    // A mount that is moved just now leads over to those on its new place, so the place is compared, too.
    Mount* at = point.mounts_.load(Order::acquire);
    while (at != nullptr && (at->parent_.load(Order::acquire) != &mount || at->point_.load(Order::acquire) != &point)) {
        at = at->next_on_point_.load(Order::acquire);
    }
    return at;
}

std::optional<Path> MountTree::descend(const Path& path) {
    std::optional<Path> result;
    for (;;) {
        const Path& at = result ? *result : path;
        if (!at.dentry().is_mount_point()) {
            return result;
        }
        std::optional<Ref<Mount>> mount;
        {
            sync::ReadGuard guard;
            Mount* found = find_under_guard(at.mount(), at.dentry());
            if (found != nullptr && found->try_acquire_reference()) {
                mount = Ref<Mount>::adopt(*found);
            }
        }
        if (!mount) {
            return result;
        }
        Ref<Dentry> root((*mount)->root());
        result = Path(std::move(*mount), std::move(root));
    }
}

std::optional<Path> MountTree::mount_point(const Mount& mount) {
    for (;;) {
        std::optional<Ref<Mount>> parent;
        std::optional<Ref<Dentry>> point;
        bool same = false;
        {
            sync::ReadGuard guard;
            Mount* parent_seen = mount.parent_.load(Order::acquire);
            Dentry* point_seen = mount.point_.load(Order::acquire);
            if (parent_seen == nullptr || point_seen == nullptr || !mount.is_attached()) {
                return std::nullopt;
            }
            if (parent_seen->try_acquire_reference()) {
                parent = Ref<Mount>::adopt(*parent_seen);
            }
            if (point_seen->try_acquire_reference()) {
                point = Ref<Dentry>::adopt(*point_seen);
            }
            same = mount.parent_.load(Order::acquire) == parent_seen && mount.point_.load(Order::acquire) == point_seen;
        }
        if (parent && point && same) {
            return Path(std::move(*parent), std::move(*point));
        }
    }
}

std::optional<Path> MountTree::root() {
    sync::MutexGuard guard(mutex_);
    Mount* root = root_.load(Order::relaxed);
    if (root == nullptr) {
        return std::nullopt;
    }
    return Path(Ref<Mount>(*root), Ref<Dentry>(root->root()));
}

std::optional<MountTree::Entry> MountTree::next(u32 from) {
    sync::MutexGuard guard(mutex_);
    Mount* best = nullptr;
    for (Mount& mount : all_) {
        if (mount.id() >= from && (best == nullptr || mount.id() < best->id())) {
            best = &mount;
        }
    }
    if (best == nullptr) {
        return std::nullopt;
    }
    Mount* parent = best->parent_.load(Order::relaxed);
    std::optional<Path> point;
    if (parent != nullptr) {
        point = Path(Ref<Mount>(*parent), Ref<Dentry>(*best->point_.load(Order::relaxed)));
    }
    return Entry{Ref<Mount>(*best), parent == nullptr ? best->id() : parent->id(), std::move(point)};
}

}  // namespace cairn::vfs
