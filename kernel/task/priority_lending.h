#pragma once
/// Priority inheritance: while a thread waits for a lock, the lock's owner runs with its priority if that is the more
/// urgent one, and so does whom the owner waits for itself. Real-time priorities only: fair threads lend nothing.
///
/// One lock (rank PriorityLending) guards who waits for whom, for all threads: such chains cross processes, and such
/// waits are rare. Both threads of a link exist while it does: a waiter leaves before its wait ends, an owner lets go
/// of its waiters before it ends.

#include "kernel/base/list.h"
#include "kernel/base/result.h"

namespace cairn::task {

class Task;

/// One wait for a lock that somebody owns; on the sleeper's stack.
struct LockWaiter {
    explicit LockWaiter(Task& who) : waiter(who) {}
    ListNode node;  // among the owner's
    Task& waiter;
    Task* owner = nullptr;
};

/// A thread's part in it; guarded by the lock of rank PriorityLending.
struct LockDebts {
    List<LockWaiter, &LockWaiter::node> waiters;  // for locks that the thread owns
    LockWaiter* waits = nullptr;                  // its own wait
    bool refuses_waiters = false;                 // the thread ends and has handed over all its locks
};

/// EDEADLK: the owner waits for the waiter itself, through however many locks; ESRCH: the owner refuses. Any
/// context, the owner kept alive by the caller; locks up to PidTable may be held, as for the rest.
Result<void> begin_lock_wait(LockWaiter& waiter, Task& owner);
enum class Refusing : u8 { IfNobodyWaits, AnyWay };
/// The owner ends: from now on nobody begins to wait for it. False, and nothing has changed: somebody waits.
bool refuse_lock_waiters(Task& owner, Refusing when);
/// How many wait for the thread's locks.
usize count_lock_waiters(Task& owner);
/// Somebody else has the lock now.
void change_lock_owner(LockWaiter& waiter, Task& owner);
/// The wait is over, for whatever reason. Nothing if it never began.
void end_lock_wait(LockWaiter& waiter);
/// The thread's own parameters have changed: whom it waits for may have to run with others.
void lend_new_priority(Task& waiter);
/// Calls `look(waiter)` with one of those who wait for locks of this thread, under the lock; false: nobody does.
bool find_lock_waiter(Task& owner, void (*look)(LockWaiter& waiter, void* argument), void* argument);

}  // namespace cairn::task
