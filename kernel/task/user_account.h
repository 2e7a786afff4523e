#pragma once
/// UserAccount: what all processes of one real user id use together: the figures behind RLIMIT_NPROC,
/// RLIMIT_SIGPENDING and the like. Made when the first process of a user appears, gone with the last reference.

#include "fs/vfs/credentials.h"
#include "kernel/base/rb_tree.h"
#include "kernel/base/ref.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/task/pid.h"

namespace cairn::task {

class UserAccount : public RefCounted<UserAccount> {
public:
    /// The account of a user, made if there is none. ENOMEM. Thread context, no spinlock held.
    static Result<Ref<UserAccount>> find_or_create(vfs::UserId uid);

    vfs::UserId uid() const { return uid_; }
    Atomic<u64> threads{0};          // tasks, as RLIMIT_NPROC counts them
    Atomic<u64> pending_signals{0};  // queued, as RLIMIT_SIGPENDING counts them
    Atomic<u64> locked_pages{0};     // of shared memory (shmctl(2), SHM_LOCK)
    Atomic<u64> queued_bytes{0};     // of POSIX message queues, as RLIMIT_MSGQUEUE counts them

    CombinedUse memory;

    void last_reference_dropped();
    explicit UserAccount(vfs::UserId uid) : uid_(uid) {}

    RbNode tree_node;  // UserAccountTable's

private:
    const vfs::UserId uid_;
};

/// g_kernel.tasks->accounts.
class UserAccountTable {
public:
    ~UserAccountTable();

private:
    friend class UserAccount;
    struct ByUid {
        static bool less(const UserAccount& a, const UserAccount& b) { return a.uid() < b.uid(); }
    };
    UserAccount* find_locked(vfs::UserId uid) REQUIRES(lock_);
    SpinLock<LockRank::UserAccounts> lock_;
    RbTree<UserAccount, &UserAccount::tree_node, ByUid> accounts_ GUARDED_BY(lock_);
};

}  // namespace cairn::task
