/// How the tree of mounts changes; see mount_tree.h.

#include "fs/vfs/mount_tree.h"
#include "fs/vfs/vfs.h"

namespace cairn::vfs {

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
