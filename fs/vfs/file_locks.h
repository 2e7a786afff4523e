#pragma once
/// Locks on files as programs see them: record locks of processes (fcntl(2) F_SETLK) and of open files (F_OFD_SETLK),
/// and flock(2). Advisory.
///
/// Each inode has one FileLockList, made at first use; its spinlock (rank FileLocks) protects it. Who waits is known
/// globally (rank FileLockWaiters), so that a circle of processes is found (EDEADLK). A waiter is woken when any
/// lock of the file is released, and tries again.

#include "fs/vfs/file.h"

namespace cairn::vfs {

/// What fcntl(2) asks for; `end` is inclusive.
struct RecordLock {
    enum class Type : u16 { Read = 0, Write = 1, Unlock = 2 };  // F_RDLCK, F_WRLCK, F_UNLCK
    Type type = Type::Read;
    u64 start = 0;
    u64 end = 0;
    i32 process = 0;  // in answers; -1 for locks of open files
};

enum class LockWait : u8 { No, Yes };
/// Whose lock: the process's descriptor table, or the open file.
enum class LockScope : u8 { Process, OpenFile };

/// F_SETLK and F_SETLKW. EAGAIN, EDEADLK, EINTR, ENOMEM (ENOLCK).
Result<void> set_record_lock(OperationContext& context, File& file, const RecordLock& lock, LockScope scope,
                             LockWait wait);
/// F_GETLK: a lock that is in the way; nothing when there is none.
std::optional<RecordLock> find_conflicting_lock(OperationContext& context, File& file, const RecordLock& lock,
                                                LockScope scope);
/// flock(2): shared, exclusive or unlock. EAGAIN, EINTR.
Result<void> set_flock(OperationContext& context, File& file, RecordLock::Type type, LockWait wait);

/// close(2) of any descriptor of the file: the process's record locks on it go.
void release_record_locks(OperationContext& context, File& file);
/// The open file goes: its own locks go.
void release_file_locks(File& file);

/// For Inode. ENOMEM.
Result<FileLockList*> create_locks();
void delete_locks(FileLockList* locks);

class FileLockList;

/// A process that waits for a record lock of a file, and whose lock is in its way.
struct LockWaiter {
    ListNode node;
    const FileLockList* list = nullptr;
    LockOwner owner = nullptr;
    LockOwner blocker = nullptr;
};

/// All of them; of Vfs.
struct LockWaiters {
    static constexpr u32 kDepth = 1000;
    SpinLock<LockRank::FileLockWaiters> lock;
    List<LockWaiter, &LockWaiter::node> waiters;  // under lock
    /// Whether `owner` would wait for itself if it waited for `blocker`. Under the lock.
    bool would_deadlock(LockOwner owner, LockOwner blocker);
    /// `blocker` gave up a lock of that file: nobody waits for it there until having tried again.
    void forget(const FileLockList& list, LockOwner blocker);
};

}  // namespace cairn::vfs
