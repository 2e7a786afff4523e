#pragma once
/// Dentry: a name in a directory and the inode that it leads to, or the knowledge that there is none (a negative
/// entry). DentryCache: all of them by (parent, name), so that most walks ask no filesystem.
///
/// The inode of an entry never changes: creating replaces a negative entry by a new one, unlinking takes the entry
/// out of the cache and whoever has it keeps it. rename(2) changes name and parent of the entry itself, so that
/// open files, working directories and mount points under it follow.
///
/// Lookups run under a ReadGuard and write nothing but the count of what they return. The cache owns one reference to
/// each entry in it; an entry without other references may be evicted (second chance over the chains of the
/// hash). Entries are freed after a grace period, and those of directories and links keep their inode until then.
///
/// Locks: chain locks (rank DentryHash) for the chains; `tree_lock_` (rank DentryTree) for changing name and parent.
/// Names of one directory are added and moved only by holders of its directory_lock.

#include <string_view>

#include "fs/vfs/inode.h"
#include "kernel/sync/read_side.h"

namespace cairn::vfs {

class Mount;

/// The text of a name; immutable. Its characters follow the object. The name that an entry is made with is the entry's
/// last member, and lives and ends with it; rename(2) gives it one of its own, which is freed after a grace period.
struct DentryName {
    /// What frees the name, or the entry that it is a part of.
    sync::ReadSideHead head;
    const u32 hash;
    const u32 size;
    std::string_view text() const { return {static_cast<const char*>(static_cast<const void*>(this + 1)), size}; }
    static Result<DentryName*> create(std::string_view text);
    static void free(DentryName* name);
    static void free_later(DentryName* name);

    /// Where there is room for the characters.
    explicit DentryName(std::string_view text);
};

class Dentry : public RefCounted<Dentry> {
public:
    /// The root of a filesystem: no name, no parent, never in the cache. ENOMEM.
    static Result<Ref<Dentry>> create_root(Superblock& superblock, Ref<Inode> inode);
    /// An entry that is not in the cache (yet). Null inode: negative. ENOMEM.
    static Result<Ref<Dentry>> create(Dentry& parent, std::string_view name, Inode* inode);

    bool is_negative() const { return type_ == FileType::Anonymous; }
    Inode& inode() const {
        DEBUG_ASSERT(inode_ != nullptr);
        return *inode_;
    }

    bool is_directory() const { return type_ == FileType::Directory; }
    FileType type() const { return type_; }  // Anonymous: negative
    bool is_link() const { return type_ == FileType::SymbolicLink; }
    Superblock& superblock() const { return *superblock_; }
    bool is_root() const { return parent_.load(Order::relaxed) == nullptr; }
    /// The present name and parent; under the tree lock, or for holders of the directory's lock. The parent also under
    /// a ReadGuard.
    const DentryName& name() const { return *name_.load(Order::acquire); }
    Dentry* parent_under_guard() const { return parent_.load(Order::acquire); }
    /// The directory that holds it; itself for a root. Valid however names change meanwhile.
    Ref<Dentry> parent();
    /// Whether the name is gone (unlink, rmdir) while somebody still has the entry.
    bool is_deleted() const { return deleted_.load(Order::acquire); }
    /// Whether `ancestor` is this entry or above it. Holder of the filesystem's rename_mutex, or it may be outdated.
    bool is_below(const Dentry& ancestor);

    /// The mounts on it; see mount_tree.h.
    bool is_mount_point() const { return mounts_.load(Order::acquire) != nullptr; }

    void last_reference_dropped();

    /// For the functions above: there is room for the name's characters behind the object.
    Dentry(Superblock& superblock, Dentry* parent, std::string_view name, Inode* inode);
    ~Dentry();

private:
    friend class DentryCache;
    friend class MountTree;
    static Result<Ref<Dentry>> make(Superblock& superblock, Dentry* parent, std::string_view name, Inode* inode);
    static void free_after_grace(sync::ReadSideHead& head);
    /// What is left of a name when the entry has another one.
    void drop_name(DentryName* name) {
        if (name != &first_name_) {
            DentryName::free_later(name);
        }
    }

    /// Null while name and parent change. No name is given twice: who reads the same one before and after the parent
    /// has read what belongs together.
    Atomic<DentryName*> name_;
    Atomic<Dentry*> parent_;         // counted
    Superblock* const superblock_;   // counted
    Inode* inode_;                   // counted; cleared when the last reference goes, unless it is a directory or link
    Atomic<Dentry*> next_{nullptr};  // in its chain
    Atomic<Mount*> mounts_{nullptr};
    const FileType type_;  // Anonymous: negative
    Atomic<bool> cached_{false};
    Atomic<bool> deleted_{false};
    Atomic<bool> used_{false};  // second chance
    DentryName first_name_;     // the last member: its characters follow
};
static_assert(sizeof(Dentry) % alignof(DentryName) == 0);

class DentryCache {
public:
    /// Sized by memory. ENOMEM.
    static Result<DentryCache> create();
    DentryCache(DentryCache&& other) noexcept;
    DentryCache& operator=(DentryCache&&) = delete;
    ~DentryCache();

    /// The entry, with a reference; nothing when the cache does not know the name.
    std::optional<Ref<Dentry>> find(const Dentry& parent, std::string_view name);
    /// The same without a reference, under the caller's ReadGuard; may miss what is being moved.
    Dentry* find_under_guard(const Dentry& parent, u32 hash, std::string_view name);
    /// Somebody has found the entry: it is not the next to be evicted.
    static void note_use(Dentry& entry) {
        if (!entry.used_.load(Order::relaxed)) {
            entry.used_.store(true, Order::relaxed);
        }
    }
    /// The entry from the cache, or made by asking the directory's inode. Takes its directory_lock shared. A
    /// negative entry when the filesystem says ENOENT.
    Result<Ref<Dentry>> lookup(OperationContext& context, Dentry& parent, std::string_view name);
    /// The same for holders of the directory's lock.
    Result<Ref<Dentry>> lookup_locked(OperationContext& context, Dentry& parent, std::string_view name);

    /// The same for who is about to give the name away: nothing when there is none, and no negative entry is made.
    Result<std::optional<Ref<Dentry>>> find_present_locked(OperationContext& context, Dentry& parent,
                                                           std::string_view name);

    /// Puts an entry that was made for (parent, name) in, and takes out a negative one of that name. Cannot fail.
    /// Holder of the directory's lock, exclusive.
    void replace(Dentry& entry);
    /// The name is gone: takes the entry out and marks it. Holder of the directory's lock, exclusive.
    void forget_deleted(Dentry& entry);
    /// rename(2): `entry` gets name and parent; what stood there is taken out, a negative entry, too, and `replaced` is
    /// marked deleted. With an exchange,
    /// `other` gets entry's old place. The names were made before, so that this cannot fail. Both directories'
    /// locks are held exclusively.
    void move(Dentry& entry, Dentry& new_parent, DentryName* new_name, Dentry* replaced);
    void exchange(Dentry& entry, DentryName* entry_name, Dentry& other, DentryName* other_name);
    /// The filesystem is mounted nowhere any more: takes out all that is its own.
    void evict(const Superblock& superblock);
    /// Takes out about `count` entries that nobody uses, if there are so many. No lock held of rank Directory or inner
    /// but directory locks.
    usize shrink(usize count);

    static u32 hash_of(std::string_view name) {
        // By words: multiplied and folded one after the other, the rest as one of its own.
        constexpr u64 kFactor = 0x9e37'79b9'7f4a'7c15;
        u64 hash = name.size() * kFactor;
        const char* at = name.data();
        usize left = name.size();
        for (; left >= sizeof(u64); left -= sizeof(u64), at += sizeof(u64)) {
            u64 word;
            __builtin_memcpy(&word, at, sizeof word);
            hash = (hash ^ hash >> 32 ^ word) * kFactor;
        }
        u64 rest = 0;
        if (left >= sizeof(u32)) {
            u32 low;
            u32 high;  // may overlap the other half
            __builtin_memcpy(&low, at, sizeof low);
            __builtin_memcpy(&high, at + left - sizeof high, sizeof high);
            rest = low | u64{high} << 32;
        } else if (left != 0) {
            rest = static_cast<u8>(at[0]) | u64{static_cast<u8>(at[left / 2])} << 8 |
                   u64{static_cast<u8>(at[left - 1])} << 16;
        }
        hash = (hash ^ hash >> 32 ^ rest) * kFactor;
        // Once more: the last characters have reached the highest bits only, and chains are chosen by the lowest of
        // these.
        hash = (hash ^ hash >> 32) * kFactor;
        return static_cast<u32>(hash >> 32);
    }
    /// Calls `body` with the tree lock held: names and parents stand still.
    template <typename Body>
    auto with_tree(Body body) {
        SpinLockGuard guard(tree_lock_);
        return body();
    }
    u64 size() const { return count_.load(Order::relaxed); }
    u64 limit() const { return limit_; }

private:
    struct Chain {
        SpinLock<LockRank::DentryHash> lock;
        Atomic<Dentry*> first{nullptr};
    };
    DentryCache(Chain* chains, usize chain_count, u64 limit)
        : chains_(chains), chain_count_(chain_count), limit_(limit) {}

    Chain& chain_of(const Dentry& parent, u32 hash) const;
    static bool matches(const Dentry& entry, const Dentry& parent, u32 hash, std::string_view name);
    Result<Ref<Dentry>> insert_found(Dentry& parent, std::string_view name, Inode* inode);
    Ref<Dentry> insert_or_find(Ref<Dentry> entry);
    void link(Chain& chain, Dentry& entry);
    static bool unlink(Chain& chain, Dentry& entry);
    bool remove(Dentry& entry);
    struct Swept {
        usize freed;
        bool spared;  // something had its second chance
    };
    void drop_swept(Dentry& entry, bool by_chance);
    Swept sweep(Chain& chain, usize count, const Superblock* superblock, bool second_chance);
    Dentry* take_out_namesake(Chain& chain, const Dentry& parent, const DentryName& name);
    void set_place(Dentry& entry, Dentry& parent, DentryName* name);

    Chain* chains_;
    usize chain_count_;  // a power of two
    u64 limit_;
    Atomic<u64> count_{0};
    Atomic<usize> hand_{0};
    SpinLock<LockRank::DentryTree> tree_lock_;
};

}  // namespace cairn::vfs
