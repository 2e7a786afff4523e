/// Mounts and the tree of them; see mount_tree.h. The calls mount(2) and its kin are in mount_calls.cpp.

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

// --- Changing ----------------------------------------------------------------------------------------------------

void MountTree::note_change() {
    changes_.fetch_add(1, Order::release);
    changed.wake_all();
}

void MountTree::set_root(Ref<Mount> mount) {
    sync::MutexGuard guard(mutex_);
    ASSERT(root_.load(Order::relaxed) == nullptr);
    Mount& root = mount.release();  // the tree's reference
    root.attached_.store(true, Order::release);
    all_.push_back(root);
    root_.store(&root, Order::release);
}

/// Who follows both upwards does so under the tree lock, and sees both or neither change.
void MountTree::set_place(Mount& mount, Mount* parent, Dentry* point) {
    the_vfs().dentries.with_tree([&] {
        mount.parent_.store(parent, Order::release);
        mount.point_.store(point, Order::release);
    });
}

/// The caller's reference becomes the tree's.
void MountTree::attach_locked(Mount& mount, Mount& parent, Dentry& point) {
    parent.acquire_reference();
    point.acquire_reference();
    ++parent.children_;
    set_place(mount, &parent, &point);
    mount.attached_.store(true, Order::release);
    mount.next_on_point_.store(point.mounts_.load(Order::relaxed), Order::release);
    point.mounts_.store(&mount, Order::release);
    all_.push_back(mount);
}

/// Leaves parent and point to last_reference_dropped(): walks may stand on the mount. The tree's reference goes
/// to `dying`.
void MountTree::detach_locked(Mount& mount, List<Mount, &Mount::node>& dying) {
    Mount* parent = mount.parent_.load(Order::relaxed);
    Dentry* point = mount.point_.load(Order::relaxed);
    Atomic<Mount*>* link = &point->mounts_;
    while (link->load(Order::relaxed) != &mount) {
        link = &link->load(Order::relaxed)->next_on_point_;
    }
    link->store(mount.next_on_point_.load(Order::relaxed), Order::release);
    --parent->children_;
    mount.attached_.store(false, Order::release);
    all_.remove(mount);
    dying.push_back(mount);
}

bool MountTree::is_below_locked(const Mount& mount, const Mount& ancestor) {
    for (const Mount* at = &mount; at != nullptr; at = at->parent_.load(Order::relaxed)) {
        if (at == &ancestor) {
            return true;
        }
    }
    return false;
}

namespace {

Result<void> check_place(const Mount& mount, const Path& where) {
    if (mount.root().is_directory() != where.dentry().is_directory()) {
        return fail(Errno::enotdir);
    }
    if (!where.mount().is_attached()) {
        return fail(Errno::einval);
    }
    return {};
}

/// Calls `body` while the entry can be neither removed nor renamed. ENOENT: its name is gone.
template <typename Body>
Result<void> with_name(Dentry& entry, Body body) {
    for (;;) {
        Ref<Dentry> parent = entry.parent();
        sync::SharedGuard names(parent->inode().directory_lock);
        if (entry.is_deleted()) {
            return fail(Errno::enoent);
        }
        if (&*entry.parent() == &*parent) {
            body();
            return {};
        }
    }
}

}  // namespace

Result<void> MountTree::attach(Ref<Mount> mount, const Path& where) {
    sync::MutexGuard guard(mutex_);
    // Somebody may have mounted there since the walk: then on top of that.
    std::optional<Path> top = descend(where);
    const Path& at = top ? *top : where;
    TRY(check_place(*mount, at));
    // mount(8) run twice does the same thing once (EBUSY).
    if (&at.mount().superblock() == &mount->superblock() && &at.mount().root() == &mount->root() &&
        &at.dentry() == &at.mount().root()) {
        return fail(Errno::ebusy);
    }
    TRY(with_name(at.dentry(),
                  [&]() NO_THREAD_SAFETY_ANALYSIS { attach_locked(mount.release(), at.mount(), at.dentry()); }));
    note_change();
    return {};
}

Result<void> MountTree::move(const Path& from, const Path& to) {
    List<Mount, &Mount::node> moved;
    std::optional<Ref<Mount>> old_parent;
    std::optional<Ref<Dentry>> old_point;
    {
        sync::MutexGuard guard(mutex_);
        Mount& mount = from.mount();
        Mount* parent = mount.parent_.load(Order::relaxed);
        if (&from.dentry() != &mount.root() || !mount.is_attached() || parent == nullptr) {
            return fail(Errno::einval);
        }
        TRY(check_place(mount, to));
        if (is_below_locked(to.mount(), mount)) {
            return fail(Errno::eloop);
        }
        TRY(with_name(to.dentry(), [&]() NO_THREAD_SAFETY_ANALYSIS {
            old_parent = Ref<Mount>::adopt(*parent);
            old_point = Ref<Dentry>::adopt(*mount.point_.load(Order::relaxed));
            detach_locked(mount, moved);
            moved.remove(mount);
            attach_locked(mount, to.mount(), to.dentry());
        }));
    }
    note_change();
    return {};
}

bool MountTree::lies_in(Dentry& entry, const Dentry& root) {
    return entry.is_below(root);
}

Result<Ref<Mount>> MountTree::clone_locked(Mount& mount, Dentry& root) {
    return Mount::create(Ref<Superblock>(mount.superblock()), Ref<Dentry>(root), mount.source(), mount.flags());
}

/// Copies what is mounted below `from`, within what `to` shows, and attaches it to `to`. A failure leaves what was
/// made so far in `made`.
Result<void> MountTree::clone_children_locked(Mount& from, Mount& to, List<Mount, &Mount::node>& made) {
    // The list grows at its end while it is walked; copies are not children of `from`.
    for (Mount* at = all_.front(); at != nullptr; at = all_.next(*at)) {
        if (at->parent_.load(Order::relaxed) != &from || at == &to) {
            continue;
        }
        Dentry& point = *at->point_.load(Order::relaxed);
        if (!lies_in(point, to.root())) {
            continue;
        }
        Ref<Mount> copy = TRY(clone_locked(*at, at->root()));
        Mount& attached = copy.release();
        attach_locked(attached, to, point);
        TRY(clone_children_locked(*at, attached, made));
    }
    return {};
}

Result<void> MountTree::bind(const Path& from, const Path& to, u32 flags, bool recursive) {
    List<Mount, &Mount::node> dying;
    Result<void> result;
    {
        sync::MutexGuard guard(mutex_);
        if (!from.mount().is_attached()) {
            return fail(Errno::einval);
        }
        Ref<Mount> copy = TRY(clone_locked(from.mount(), from.dentry()));
        copy->flags_.store(from.mount().flags() | flags, Order::relaxed);
        TRY(check_place(*copy, to));
        if (recursive) {
            result = clone_children_locked(from.mount(), *copy, dying);
        }
        if (result.ok()) {
            result = with_name(to.dentry(), [&]() NO_THREAD_SAFETY_ANALYSIS {
                attach_locked(Ref<Mount>(copy).release(), to.mount(), to.dentry());
            });
        }
        if (!result.ok()) {
            for (Mount *at = all_.front(), *next = nullptr; at != nullptr; at = next) {
                next = all_.next(*at);
                if (at != &*copy && is_below_locked(*at, *copy)) {
                    detach_locked(*at, dying);
                }
            }
        }
    }
    while (Mount* mount = dying.pop_front()) {
        mount->release_reference();
    }
    note_change();
    return result;
}

Result<void> MountTree::remount(const Path& path, u32 flags) {
    sync::MutexGuard guard(mutex_);
    Mount& mount = path.mount();
    if (&path.dentry() != &mount.root()) {
        return fail(Errno::einval);
    }
    bool was_read_only = mount.is_read_only();
    mount.flags_.store(flags, Order::seq_cst);
    // Openers count themselves first and look at the flag second.
    if (!was_read_only && (flags & mount_flags::kReadOnly) != 0 && mount.writers.load(Order::seq_cst) != 0) {
        mount.flags_.fetch_and(~mount_flags::kReadOnly, Order::seq_cst);
        return fail(Errno::ebusy);
    }
    note_change();
    return {};
}

Result<void> MountTree::detach(const Path& path, Detach how) {
    List<Mount, &Mount::node> dying;
    {
        sync::MutexGuard guard(mutex_);
        Mount& mount = path.mount();
        if (&path.dentry() != &mount.root() || !mount.is_attached() || &mount == root_.load(Order::relaxed)) {
            return fail(Errno::einval);
        }
        if (how == Detach::WhenIdle) {
            // The tree's reference and the caller's.
            constexpr u32 kIdle = 2;
            if (mount.children_ != 0 || mount.reference_count() > kIdle) {
                return fail(Errno::ebusy);
            }
        }
        // Children before their parents: a pass finds those without children, until the mount itself is gone.
        while (mount.is_attached()) {
            for (Mount *at = all_.back(), *previous = nullptr; at != nullptr; at = previous) {
                previous = all_.previous(*at);
                if (at->children_ == 0 && is_below_locked(*at, mount)) {
                    detach_locked(*at, dying);
                }
            }
        }
    }
    while (Mount* mount = dying.pop_front()) {
        mount->release_reference();
    }
    note_change();
    return {};
}

Result<void> MountTree::pivot(const Path& new_root, const Path& put_old, const Path& old_root) {
    std::optional<Ref<Mount>> old_parent;
    std::optional<Ref<Dentry>> old_point;
    List<Mount, &Mount::node> moved;
    {
        sync::MutexGuard guard(mutex_);
        Mount& mount = new_root.mount();
        Mount& old = old_root.mount();
        if (&old != root_.load(Order::relaxed) || &mount == &old || !mount.is_attached() ||
            !is_below_locked(put_old.mount(), mount)) {
            return fail(Errno::einval);
        }
        old_parent = Ref<Mount>::adopt(*mount.parent_.load(Order::relaxed));
        old_point = Ref<Dentry>::adopt(*mount.point_.load(Order::relaxed));
        detach_locked(mount, moved);
        moved.remove(mount);
        set_place(mount, nullptr, nullptr);
        mount.attached_.store(true, Order::release);
        all_.push_front(mount);
        root_.store(&mount, Order::release);
        all_.remove(old);
        attach_locked(old, put_old.mount(), put_old.dentry());
    }
    note_change();
    return {};
}

void MountTree::detach_all() {
    List<Mount, &Mount::node> dying;
    {
        sync::MutexGuard guard(mutex_);
        Mount* root = root_.exchange(nullptr, Order::acq_rel);
        while (Mount* at = all_.front()) {
            if (at == root) {
                if (at == all_.back()) {
                    all_.remove(*at);
                    at->attached_.store(false, Order::release);
                    dying.push_back(*at);
                    break;
                }
                at = all_.next(*at);
            }
            while (at->children_ != 0) {
                at = all_.next(*at);
            }
            detach_locked(*at, dying);
        }
    }
    while (Mount* mount = dying.pop_front()) {
        mount->release_reference();
    }
}

}  // namespace cairn::vfs
