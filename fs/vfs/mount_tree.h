#pragma once
/// Mount: a filesystem, or a directory of one, at a place in the tree. MountTree: the tree of them.
///
/// Walks read parent, mount point and the list of mounts on an entry under a ReadGuard; mounts are freed after a
/// grace period. Changes hold `mutex` (rank Mounts). The tree owns one reference to each mount that is attached, and
/// each mount one to its parent, until it is detached.

#include "fs/vfs/mount.h"
#include "kernel/sync/read_side.h"

namespace cairn::vfs {

class Mount : public RefCounted<Mount> {
public:
    /// A mount that is attached nowhere. ENOMEM.
    static Result<Ref<Mount>> create(Ref<Superblock> superblock, Ref<Dentry> root, std::string_view source, u32 flags);

    Superblock& superblock() const { return *superblock_; }
    Dentry& root() const { return *root_; }
    /// The same for who found the mount under a ReadGuard and does not hold it: either may be dying.
    Dentry& root_under_guard() const { return root_entry_; }
    /// What /proc/mounts calls the device.
    std::string_view source() const { return {source_, source_size_}; }
    u32 id() const { return id_; }
    u32 flags() const { return flags_.load(Order::acquire); }  // mount_flags
    bool has(u32 flag) const { return (flags() & flag) != 0; }
    bool is_read_only() const { return has(mount_flags::kReadOnly); }
    bool is_attached() const { return attached_.load(Order::acquire); }
    /// Where it stands; under the tree lock of the cache of names. Null: nowhere (the root of the tree, or detached).
    Mount* parent_under_guard() const { return is_attached() ? parent_.load(Order::acquire) : nullptr; }
    Dentry* point_under_guard() const { return point_.load(Order::acquire); }
    /// A mount that no walk reaches (memfd_create(2)): paths on it begin at its root.
    void make_internal() { internal_ = true; }
    bool is_internal() const { return internal_; }
    /// Files open for writing through it; a remount to read-only is refused meanwhile.
    Atomic<u32> writers{0};

    void last_reference_dropped();
    ListNode node;  // of MountTree's list of all attached mounts, in order of attachment

    Mount(Ref<Superblock> superblock, Ref<Dentry> root, char* source, usize source_size, u32 flags);
    ~Mount();

private:
    friend class MountTree;
    Ref<Superblock> superblock_;
    Ref<Dentry> root_;
    Dentry& root_entry_;
    char* source_;
    usize source_size_;
    const u32 id_;
    Atomic<u32> flags_;
    Atomic<bool> attached_{false};
    Atomic<Mount*> parent_{nullptr};  // counted
    Atomic<Dentry*> point_{nullptr};  // counted
    Atomic<Mount*> next_on_point_{nullptr};
    bool internal_ = false;  // set before it is shared
    u32 children_ = 0;       // under MountTree's mutex
    sync::ReadSideHead head_;
};

class MountTree {
public:
    /// Goes down from a mount point to the root of the topmost mount on it; nothing when there is none.
    std::optional<Path> descend(const Path& path);
    /// For ReadGuard walkers: the mount on (mount, point); null: none.
    Mount* find_under_guard(const Mount& mount, const Dentry& point);
    /// Where `mount` stands: the mount point as seen through the parent. Nothing for the root of the tree and
    /// for a mount that was detached.
    std::optional<Path> mount_point(const Mount& mount);

    /// The first mount. Start-up.
    void set_root(Ref<Mount> mount);
    std::optional<Path> root();
    /// Attaches `mount` on `where` (a directory on a directory, a file on a file). ENOTDIR, ENOENT (the name is gone),
    /// EBUSY, ELOOP.
    Result<void> attach(Ref<Mount> mount, const Path& where);
    Result<void> move(const Path& from, const Path& to);
    /// A copy of `from`'s mount, with those below it if `recursive`, attached on `to`.
    Result<void> bind(const Path& from, const Path& to, u32 flags, bool recursive);
    Result<void> remount(const Path& path, u32 flags);
    enum class Detach : u8 { WhenIdle, Lazily };
    Result<void> detach(const Path& path, Detach how);
    /// pivot_root(2)'s exchange. The paths are checked by the caller to be mount roots.
    Result<void> pivot(const Path& new_root, const Path& put_old, const Path& old_root);

    /// One mount as /proc/PID/mountinfo shows it.
    struct Entry {
        Ref<Mount> mount;
        u32 parent_id;
        std::optional<Path> point;  // nothing: the root of the tree
    };
    /// The attached mounts, in order of id: the first whose id is at least `from`. For /proc/PID/mounts, mountinfo.
    std::optional<Entry> next(u32 from);
    /// Counts changes, for poll(2) on /proc/PID/mounts.
    u32 changes() const { return changes_.load(Order::acquire); }
    sync::WaitQueue changed;

    /// For tests: takes everything apart.
    void detach_all();

private:
    friend class Mount;
    static void set_place(Mount& mount, Mount* parent, Dentry* point);
    void attach_locked(Mount& mount, Mount& parent, Dentry& point) REQUIRES(mutex_);
    void detach_locked(Mount& mount, List<Mount, &Mount::node>& dying) REQUIRES(mutex_);
    bool is_below_locked(const Mount& mount, const Mount& ancestor) REQUIRES(mutex_);
    Result<Ref<Mount>> clone_locked(Mount& mount, Dentry& root) REQUIRES(mutex_);
    Result<void> clone_children_locked(Mount& from, Mount& to, List<Mount, &Mount::node>& made) REQUIRES(mutex_);
    static bool lies_in(Dentry& entry, const Dentry& root);
    void note_change();

    sync::Mutex<LockRank::Mounts> mutex_;
    List<Mount, &Mount::node> all_ GUARDED_BY(mutex_);
    Atomic<Mount*> root_{nullptr};
    Atomic<u32> changes_{0};
    Atomic<u32> next_id_{1};
};

}  // namespace cairn::vfs
