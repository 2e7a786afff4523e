#pragma once
/// What the three kinds of System V IPC have in common (sysvipc(7)): objects with a key, an id, an owner and a mode,
/// and a table of each kind.
///
/// Locks: the table's (rank IpcTable) protects its two trees and the sum of the sizes; the object's (rank IpcObject),
/// inner to it, everything in the object, and `removed`, which is set under both. The table owns one reference of each
/// object; whoever found one goes on with it after it was removed, and sees that.

#include <optional>

#include "fs/vfs/credentials.h"
#include "kernel/base/atomic.h"
#include "kernel/base/rb_tree.h"
#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::task {
class Task;
}

namespace cairn::ipc {

/// Flags of the …get calls, and of the operations.
constexpr u32 kCreate = 01000, kExclusive = 02000, kNoWait = 04000;
constexpr u32 kModeBits = 0777;
/// What an operation wants, for all three classes at once as Linux asks.
constexpr u32 kMayRead = 0444, kMayWrite = 0222, kMayExecute = 0111;
constexpr i32 kPrivateKey = 0;

/// An id is a sequence number and, below it, an index.
constexpr u32 kIndexBits = 15;
constexpr u64 kMostObjects = u64{1} << kIndexBits;

/// Seconds since 1970.
i64 wall_seconds();
/// The caller's process; 0 in a kernel thread.
i32 caller_process();

/// Two numbers of a record that share a word.
constexpr u64 word_of(i32 low, i32 high) {
    return static_cast<u32>(low) | u64{static_cast<u32>(high)} << 32;
}

/// struct ipc_perm, but for the sequence number.
struct Permission {
    i32 key = kPrivateKey;
    u32 uid = 0, gid = 0;
    u32 creator_uid = 0, creator_gid = 0;
    u32 mode = 0;
};

/// What the …_STAT commands tell: struct ipc64_perm, and of each kind its own figures (shmid64_ds, semid64_ds and
/// msqid64_ds on x86-64; where two numbers share a word, the first is the lower half).
struct Record {
    i32 key;
    u32 uid, gid, creator_uid, creator_gid;
    u32 mode;
    u16 sequence, padding[3];
    u64 unused[2];
    static constexpr usize kFigures = 9;
    u64 figures[kFigures];
};

class Object : public RefCounted<Object> {
public:
    SpinLock<LockRank::IpcObject> lock;

    i32 id() const { return id_; }
    u32 index() const { return static_cast<u32>(id_) & (kMostObjects - 1); }
    /// What it takes of the limit on all together: pages, semaphores.
    virtual u64 size() const { return 0; }
    /// Fills in the figures, which are zero.
    virtual void describe_locked(u64 (&figures)[Record::kFigures]) const REQUIRES(lock) = 0;
    Record record_locked() const REQUIRES(lock);
    /// Bytes of memory (shared memory).
    virtual u64 resident() const { return 0; }
    /// IPC_RMID: whether it goes only when the last user has left it (shared memory), which is noted.
    virtual bool stays_until_unused_locked() REQUIRES(lock) { return false; }
    /// It is leaving the table: whoever sleeps on it wakes. The object is locked.
    virtual void remove_locked() REQUIRES(lock) {}

    Permission permission GUARDED_BY(lock);  // the key is written under the table's lock, too
    bool removed GUARDED_BY(lock) = false;
    i64 change_time GUARDED_BY(lock) = 0;

    /// EACCES. With CAP_IPC_OWNER everything is permitted.
    Result<void> check_locked(const vfs::Credentials& who, u32 wanted) const REQUIRES(lock);
    /// EACCES, EIDRM.
    Result<void> check(const vfs::Credentials& who, u32 wanted);
    /// IPC_SET: EPERM for who is neither owner nor creator, EIDRM.
    Result<void> check_owner_locked(const vfs::Credentials& who) const REQUIRES(lock);
    void set_permission_locked(u32 uid, u32 gid, u32 mode) REQUIRES(lock);

    void last_reference_dropped() { destroy(); }
    RbNode by_index, by_key;  // the table's

protected:
    Object() = default;
    ~Object() = default;
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;

private:
    friend class Table;
    i32 id_ = 0;  // written once, before the object can be found
};

/// The …get calls' arguments.
struct GetRequest {
    const vfs::Credentials& who;
    i32 key;
    u64 size;
    u32 flags;
};

class Table {
public:
    /// What one kind does of its own: makes an object; says whether an existing one will do (EINVAL).
    struct Kind {
        Result<Ref<Object>> (*create)(const GetRequest& request);
        Result<void> (*accept)(const Object& object, u64 size);
    };
    /// With the limits on the number of objects, and on their sizes together.
    Table(Kind kind, Atomic<u64>& objects, Atomic<u64>& size) : most_objects_(objects), most_size_(size), kind_(kind) {}
    ~Table();

    /// Returns the id. ENOENT, EEXIST, EINVAL, EACCES, ENOSPC, ENOMEM.
    Result<i32> get(const GetRequest& request);
    /// EINVAL. By index: whatever the sequence number of `id` says.
    enum class By : u8 { Id, Index };
    Result<Ref<Object>> find(i32 id, By by = By::Id);
    /// The first with this index or a higher one.
    std::optional<Ref<Object>> next(u32 index);
    /// IPC_RMID: EPERM, EIDRM.
    Result<void> remove(Object& object, const vfs::Credentials& who);
    /// An object that waits for that may have lost its last user.
    void remove_unused(Object& object);

    struct Figures {
        u32 objects = 0;
        i32 highest_index = 0;  // 0 also where there is none
        u64 size = 0;
    };
    Figures figures();

private:
    struct ByIndex {
        static bool less(const Object& a, const Object& b) { return a.index() < b.index(); }
    };
    struct ByKey {
        static bool less(const Object& a, const Object& b) NO_THREAD_SAFETY_ANALYSIS {
            return a.permission.key < b.permission.key;
        }
    };
    Object* find_key(i32 key) const REQUIRES(lock_) NO_THREAD_SAFETY_ANALYSIS;
    Object* at_or_after(u32 index) const REQUIRES(lock_);
    Result<i32> enter(Object& object) REQUIRES(lock_);
    void forget_key_locked(Object& object) REQUIRES(lock_, object.lock);
    void take_out_locked(Object& object) REQUIRES(lock_, object.lock);

    Atomic<u64>& most_objects_;
    Atomic<u64>& most_size_;
    const Kind kind_;
    SpinLock<LockRank::IpcTable> lock_;
    RbTree<Object, &Object::by_index, ByIndex> by_index_ GUARDED_BY(lock_);
    RbTree<Object, &Object::by_key, ByKey> by_key_ GUARDED_BY(lock_);  // without those of IPC_PRIVATE
    u64 size_ GUARDED_BY(lock_) = 0;
    u32 count_ GUARDED_BY(lock_) = 0;
    u32 cursor_ GUARDED_BY(lock_) = 0;  // where the search for a free index begins
    u32 sequence_ GUARDED_BY(lock_) = 0;
};

}  // namespace cairn::ipc
