/// Record locks and flocks; see file_locks.h.

#include "fs/vfs/file_locks.h"

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

/// One lock that is held.
struct HeldRecord {
    ListNode node;
    RecordLock lock;
    LockOwner owner = nullptr;
    LockScope scope = LockScope::Process;
};
using HeldList = List<HeldRecord, &HeldRecord::node>;

class FileLockList {
public:
    ~FileLockList() {
        free_all(records);
        free_all(flocks);
    }
    static void free_all(HeldList& list) {
        while (HeldRecord* held = list.pop_front()) {
            Own<HeldRecord>::adopt(held).reset();
        }
    }

    SpinLock<LockRank::FileLocks> lock;
    HeldList records;  // under lock, as are flocks
    HeldList flocks;
    sync::WaitQueue released;
};

Result<FileLockList*> create_locks() {
    Own<FileLockList> locks = TRY(try_new<FileLockList>());
    return locks.release();
}

void delete_locks(FileLockList* locks) {
    Own<FileLockList>::adopt(locks).reset();
}

namespace {

bool conflicts(const HeldRecord& held, const RecordLock& wanted, LockOwner owner) {
    return held.owner != owner && held.lock.start <= wanted.end && wanted.start <= held.lock.end &&
           (held.lock.type == RecordLock::Type::Write || wanted.type == RecordLock::Type::Write);
}

HeldRecord* find_conflict(HeldList& list, const RecordLock& wanted, LockOwner owner) {
    for (HeldRecord& held : list) {
        if (conflicts(held, wanted, owner)) {
            return &held;
        }
    }
    return nullptr;
}

/// Two spare records: an unlock in the middle of a lock makes two of it, and the new lock is one more.
struct Spares {
    Own<HeldRecord> whole;
    Own<HeldRecord> rest;

    static Result<Spares> create() {
        Spares spares;
        spares.whole = TRY(try_new<HeldRecord>());
        spares.rest = TRY(try_new<HeldRecord>());
        return spares;
    }
};

/// Each owner's locks stand in order, so that F_GETLK finds the first that is in the way.
void enter(HeldList& list, HeldRecord& record) {
    for (HeldRecord& other : list) {
        if (other.owner == record.owner && other.lock.start > record.lock.start) {
            return list.insert_before(other, record);
        }
    }
    list.push_back(record);
}

/// Gives `owner` what `wanted` says, joined with its neighbours of the same type; what is replaced goes to `dying`.
/// Under the list's lock; nothing of others is in the way.
void apply(HeldList& list, RecordLock wanted, LockOwner owner, LockScope scope, Spares& spares, HeldList& dying) {
    HeldRecord* next = nullptr;
    for (HeldRecord* at = list.front(); at != nullptr; at = next) {
        next = list.next(*at);
        if (at->owner != owner) {
            continue;
        }
        RecordLock& present = at->lock;
        bool overlaps = present.start <= wanted.end && wanted.start <= present.end;
        bool adjacent = (present.end != ~u64{0} && present.end + 1 == wanted.start) ||
                        (wanted.end != ~u64{0} && wanted.end + 1 == present.start);
        if (present.type == wanted.type) {
            if (overlaps || adjacent) {
                wanted.start = std::min(wanted.start, present.start);
                wanted.end = std::max(wanted.end, present.end);
                list.remove(*at);
                dying.push_back(*at);
            }
            continue;
        }
        if (!overlaps) {
            continue;
        }
        if (present.start < wanted.start && present.end > wanted.end) {
            HeldRecord* rest = spares.rest.release();
            rest->lock = {present.type, wanted.end + 1, present.end, present.process};
            rest->owner = owner;
            rest->scope = scope;
            enter(list, *rest);
            present.end = wanted.start - 1;
        } else if (present.start < wanted.start) {
            present.end = wanted.start - 1;
        } else if (present.end > wanted.end) {
            present.start = wanted.end + 1;
        } else {
            list.remove(*at);
            dying.push_back(*at);
        }
    }
    if (wanted.type != RecordLock::Type::Unlock) {
        HeldRecord* made = spares.whole.release();
        made->lock = wanted;
        made->owner = owner;
        made->scope = scope;
        enter(list, *made);
    }
}

LockOwner owner_of(const OperationContext& context, const File& file, LockScope scope) {
    return scope == LockScope::Process ? context.lock_owner : &file;
}

}  // namespace

bool LockWaiters::would_deadlock(LockOwner owner, LockOwner blocker) {
    // Follow who waits for whom; each process waits for at most one lock per thread, so the walk is bounded.
    for (u32 steps = 0; steps < kDepth; ++steps) {
        if (blocker == owner) {
            return true;
        }
        LockWaiter* found = nullptr;
        for (LockWaiter& waiter : waiters) {
            if (waiter.owner == blocker) {
                found = &waiter;
                break;
            }
        }
        if (found == nullptr) {
            return false;
        }
        blocker = found->blocker;
    }
    return false;
}

void LockWaiters::forget(const FileLockList& list, LockOwner blocker) {
    SpinLockGuard guard(lock);
    LockWaiter* next = nullptr;
    for (LockWaiter* at = waiters.front(); at != nullptr; at = next) {
        next = waiters.next(*at);
        if (at->list == &list && at->blocker == blocker) {
            waiters.remove(*at);
        }
    }
}

namespace {

/// Locks of `owner` went, or became smaller or shared. What waited for them counts as waiting no more, lest the
/// owner's next lock be taken for a deadlock before those who are woken have run.
void tell_released(FileLockList& list, LockOwner owner) {
    the_vfs().lock_waiters.forget(list, owner);
    list.released.wake_all();
}

enum class Attempt : u8 { Done, Blocked, Deadlock };

/// One F_SETLKW: tries, and while blocked stands in the list of waiters.
class RecordLockRequest {
public:
    RecordLockRequest(FileLockList& list, const RecordLock& lock, LockOwner owner, LockScope scope, Spares& spares)
        : list_(list), lock_(lock), scope_(scope), spares_(spares) {
        waiter_.owner = owner;
        waiter_.list = &list;
    }
    ~RecordLockRequest() {
        {
            SpinLockGuard guard(waiters().lock);
            leave();
        }
        FileLockList::free_all(dying_);
    }

    Attempt try_once(LockWait wait) {
        SpinLockGuard waiting(waiters().lock);
        SpinLockGuard guard(list_.lock);
        leave();
        HeldRecord* conflict =
            lock_.type == RecordLock::Type::Unlock ? nullptr : find_conflict(list_.records, lock_, waiter_.owner);
        if (conflict == nullptr) {
            apply(list_.records, lock_, waiter_.owner, scope_, spares_, dying_);
            return Attempt::Done;
        }
        if (wait == LockWait::Yes) {
            if (scope_ == LockScope::Process && waiters().would_deadlock(waiter_.owner, conflict->owner)) {
                return Attempt::Deadlock;
            }
            waiter_.blocker = conflict->owner;
            waiters().waiters.push_back(waiter_);
        }
        return Attempt::Blocked;
    }

private:
    static LockWaiters& waiters() { return the_vfs().lock_waiters; }
    void leave() {
        if (waiter_.node.linked()) {
            waiters().waiters.remove(waiter_);
        }
    }

    FileLockList& list_;
    const RecordLock lock_;
    const LockScope scope_;
    Spares& spares_;
    LockWaiter waiter_;
    HeldList dying_;
};

}  // namespace

Result<void> set_record_lock(OperationContext& context, File& file, const RecordLock& lock, LockScope scope,
                             LockWait wait) {
    if (lock.type == RecordLock::Type::Unlock && file.inode().find_locks() == nullptr) {
        return {};
    }
    FileLockList& list = *TRY(file.inode().locks());
    Spares spares = TRY(Spares::create());
    RecordLock wanted = lock;
    wanted.process = scope == LockScope::Process ? context.process() : -1;
    Attempt attempt = Attempt::Blocked;
    {
        RecordLockRequest request(list, wanted, owner_of(context, file, scope), scope, spares);
        attempt = request.try_once(wait);
        if (attempt == Attempt::Blocked && wait == LockWait::Yes) {
            sync::WakeReason reason = list.released.wait_until(
                [&] {
                    attempt = request.try_once(LockWait::Yes);
                    return attempt != Attempt::Blocked;
                },
                sync::SleepKind::Interruptible);
            if (reason != sync::WakeReason::Condition) {
                return fail(Errno::eintr);
            }
        }
    }
    switch (attempt) {
        case Attempt::Blocked:
            return fail(Errno::eagain);
        case Attempt::Deadlock:
            return fail(Errno::edeadlk);
        case Attempt::Done:
            break;
    }
    tell_released(list, owner_of(context, file, scope));
    return {};
}

std::optional<RecordLock> find_conflicting_lock(OperationContext& context, File& file, const RecordLock& lock,
                                                LockScope scope) {
    FileLockList* list = file.inode().find_locks();
    if (list == nullptr) {
        return std::nullopt;
    }
    SpinLockGuard guard(list->lock);
    HeldRecord* conflict = find_conflict(list->records, lock, owner_of(context, file, scope));
    return conflict == nullptr ? std::nullopt : std::optional<RecordLock>(conflict->lock);
}

Result<void> set_flock(OperationContext&, File& file, RecordLock::Type type, LockWait wait) {
    if (type == RecordLock::Type::Unlock && file.inode().find_locks() == nullptr) {
        return {};
    }
    FileLockList& list = *TRY(file.inode().locks());
    Spares spares = TRY(Spares::create());
    RecordLock wanted{type, 0, ~u64{0}, 0};
    HeldList dying;
    auto attempt = [&] {
        SpinLockGuard guard(list.lock);
        if (type != RecordLock::Type::Unlock && find_conflict(list.flocks, wanted, &file) != nullptr) {
            return false;
        }
        apply(list.flocks, wanted, &file, LockScope::OpenFile, spares, dying);
        return true;
    };
    bool done = attempt();
    bool interrupted = false;
    if (!done) {
        // A conversion is not atomic (flock(2)): the present lock goes before the new one is waited for.
        Spares unlocking = TRY(Spares::create());
        {
            SpinLockGuard guard(list.lock);
            apply(list.flocks, {RecordLock::Type::Unlock, 0, ~u64{0}, 0}, &file, LockScope::OpenFile, unlocking, dying);
        }
        list.released.wake_all();
        if (wait == LockWait::Yes) {
            done = list.released.wait_until(attempt, sync::SleepKind::Interruptible) == sync::WakeReason::Condition;
            interrupted = !done;
        }
    }
    FileLockList::free_all(dying);
    if (!done) {
        return fail(interrupted ? Errno::eintr : Errno::eagain);
    }
    list.released.wake_all();
    return {};
}

namespace {

/// Takes out all locks of an owner from one list.
bool take_out(HeldList& list, LockOwner owner, HeldList& dying) {
    bool found = false;
    HeldRecord* next = nullptr;
    for (HeldRecord* at = list.front(); at != nullptr; at = next) {
        next = list.next(*at);
        if (at->owner == owner) {
            list.remove(*at);
            dying.push_back(*at);
            found = true;
        }
    }
    return found;
}

void release_all(FileLockList& list, LockOwner owner, bool flocks_too) {
    HeldList dying;
    bool found = false;
    {
        SpinLockGuard guard(list.lock);
        found = take_out(list.records, owner, dying);
        if (flocks_too) {
            found = take_out(list.flocks, owner, dying) || found;
        }
    }
    if (found) {
        FileLockList::free_all(dying);
        tell_released(list, owner);
    }
}

}  // namespace

void release_record_locks(OperationContext& context, File& file) {
    if (FileLockList* list = file.inode().find_locks()) {
        release_all(*list, context.lock_owner, false);
    }
}

void release_file_locks(File& file) {
    if (FileLockList* list = file.inode().find_locks()) {
        release_all(*list, &file, true);
    }
}

}  // namespace cairn::vfs
