#pragma once
/// Sets of semaphores (semget(2), semop(2)). The operations of one call are done all together or not at all; who must
/// wait stands in the set's list, first come first, and whoever changes a value does there and then, under the set's
/// lock, what has become possible for those who wait. So a sleeper that was chosen cannot be overtaken.
///
/// SEM_UNDO: a process (or what clone(CLONE_SYSVSEM) makes share) has an UndoList, with an entry for each set that it
/// uses so. The list's lock (rank IpcTable; no table's is taken with it) protects its entries, the set's their numbers
/// and the set's own list of them. An entry of a set that was removed stays behind until the list is next used.

#include <span>

#include "kernel/base/list.h"
#include "kernel/base/own_array.h"
#include "kernel/ipc/object.h"
#include "kernel/sync/parking.h"

namespace cairn::ipc {

constexpr i32 kHighestValue = 32767;  // SEMVMX, and SEMAEM

/// struct sembuf.
struct SemaphoreOperation {
    static constexpr i16 kUndo = 0x1000;
    u16 number;
    i16 change;
    i16 flags;
};

class SemaphoreSet;

struct UndoEntry {
    explicit UndoEntry(Ref<SemaphoreSet> its_set, OwnArray<i16> changes)
        : set(std::move(its_set)), adjustments(std::move(changes)) {}
    ListNode list_node;  // UndoList's
    ListNode set_node;   // SemaphoreSet's; not in it once that is removed
    const Ref<SemaphoreSet> set;
    const OwnArray<i16> adjustments;
};

class UndoList : public RefCounted<UndoList> {
public:
    /// The caller's entry for a set, made if there is none. EIDRM, ENOMEM.
    Result<UndoEntry*> find_or_create(SemaphoreSet& set);
    /// Does what was to be done at the end.
    ~UndoList();

private:
    using Entries = List<UndoEntry, &UndoEntry::list_node>;
    /// Also takes out the entries of sets that were removed.
    UndoEntry* find_locked(SemaphoreSet& set, Entries& outdated) REQUIRES(lock_);
    SpinLock<LockRank::IpcTable> lock_;
    Entries entries_ GUARDED_BY(lock_);
};

class SemaphoreSet final : public Object {
public:
    static Result<Ref<Object>> create(const GetRequest& request);
    static Result<void> accept(const Object& object, u64 size);

    struct Semaphore {
        i32 value;
        i32 process;  // that changed it last
    };
    u64 size() const override { return semaphores.size(); }
    void describe_locked(u64 (&to)[Record::kFigures]) const override REQUIRES(lock);
    void remove_locked() override REQUIRES(lock);

    /// One semop(2). Whether it alters anything decides which permission it takes.
    struct Request {
        std::span<const SemaphoreOperation> operations;
        bool alters = false;
        UndoEntry* undo = nullptr;
        i32 process = 0;
        const SemaphoreOperation* blocking = nullptr;  // what it waits for
    };
    /// EAGAIN, EIDRM, EINTR, ERANGE, EFBIG, EACCES.
    Result<void> operate(const vfs::Credentials& who, Request& request, Nanoseconds deadline);
    /// SETVAL, SETALL, and what the end of a process undoes: the values have changed. The undo entries' numbers for
    /// [first, first + count) are forgotten.
    void values_set_locked(usize first, usize count) REQUIRES(lock);
    /// GETNCNT, GETZCNT.
    u32 waiters_locked(u32 number, bool for_zero) REQUIRES(lock);

    const OwnArray<Semaphore> semaphores;  // the elements GUARDED_BY(lock)

    explicit SemaphoreSet(OwnArray<Semaphore> array) : semaphores(std::move(array)) {}

private:
    friend class UndoList;
    struct Waiter {
        explicit Waiter(Request& its_request) : request(its_request) {}
        ListNode node;
        Request& request;
        sync::Parking parking;
        Result<void> result;  // once it is out of the list
    };
    using UndoEntries = List<UndoEntry, &UndoEntry::set_node>;

    /// False: it must wait.
    Result<bool> attempt_locked(Request& request) REQUIRES(lock);
    void complete_locked(Waiter& waiter, Result<void> result) REQUIRES(lock);
    void serve_waiters_locked() REQUIRES(lock);
    bool serve_first_locked(bool altering) REQUIRES(lock);
    void undo_locked(UndoEntry& entry) REQUIRES(lock);
    void destroy() override { destroy_counted(this); }

    i64 operation_time_ GUARDED_BY(lock) = 0;
    List<Waiter, &Waiter::node> waiters_ GUARDED_BY(lock);
    UndoEntries undo_entries_ GUARDED_BY(lock);
};

/// semtimedop(2): EINVAL, E2BIG, EFBIG …
Result<void> operate(task::Task& caller, i32 id, std::span<const SemaphoreOperation> operations, Nanoseconds deadline);

/// clone(2) with CLONE_SYSVSEM: what the child will share with its parent. ENOMEM.
Result<Ref<UndoList>> share_undo_list(task::Task& parent);
/// The thread ends, or wants one of its own (unshare(2)).
void leave_undo_list(task::Task& self);

}  // namespace cairn::ipc
