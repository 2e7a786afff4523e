#include "kernel/task/priority_lending.h"

#include <algorithm>

#include "kernel/task/task.h"

namespace cairn::task {

namespace {

constinit SpinLock<LockRank::PriorityLending> lending_lock;

/// Whom the thread waits for.
Task* creditor_of(Task& task) {
    return task.lock_debts.waits == nullptr ? nullptr : task.lock_debts.waits->owner;
}

/// Lends the thread what its waiters have, and so on along the chain as long as that changes something.
void settle(Task* task) {
    while (task != nullptr) {
        u32 lent = 0;
        for (LockWaiter& each : task->lock_debts.waiters) {
            lent = std::max(lent, each.waiter.thread().urgency());
        }
        if (!task->thread().lend_priority(lent)) {
            return;
        }
        task = creditor_of(*task);
    }
}

}  // namespace

Result<void> begin_lock_wait(LockWaiter& waiter, Task& owner) {
    SpinLockGuard guard(lending_lock);
    if (owner.lock_debts.refuses_waiters) {
        return fail(Errno::esrch);
    }
    for (Task* each = &owner; each != nullptr; each = creditor_of(*each)) {
        if (each == &waiter.waiter) {
            return fail(Errno::edeadlk);
        }
    }
    waiter.owner = &owner;
    owner.lock_debts.waiters.push_back(waiter);
    waiter.waiter.lock_debts.waits = &waiter;
    settle(&owner);
    return {};
}

bool refuse_lock_waiters(Task& owner, Refusing when) {
    SpinLockGuard guard(lending_lock);
    owner.lock_debts.refuses_waiters = when == Refusing::AnyWay || owner.lock_debts.waiters.empty();
    return owner.lock_debts.refuses_waiters;
}

usize count_lock_waiters(Task& owner) {
    SpinLockGuard guard(lending_lock);
    usize count = 0;
    for ([[maybe_unused]] LockWaiter& waiter : owner.lock_debts.waiters) {
        ++count;
    }
    return count;
}

void change_lock_owner(LockWaiter& waiter, Task& owner) {
    SpinLockGuard guard(lending_lock);
    Task* before = waiter.owner;
    if (before == nullptr || before == &owner) {
        return;
    }
    waiter.node.unlink();
    waiter.owner = &owner;
    owner.lock_debts.waiters.push_back(waiter);
    settle(before);
    settle(&owner);
}

void end_lock_wait(LockWaiter& waiter) {
    SpinLockGuard guard(lending_lock);
    Task* owner = std::exchange(waiter.owner, nullptr);
    if (owner == nullptr) {
        return;
    }
    waiter.node.unlink();
    waiter.waiter.lock_debts.waits = nullptr;
    settle(owner);
}

void lend_new_priority(Task& waiter) {
    SpinLockGuard guard(lending_lock);
    settle(creditor_of(waiter));
}

bool find_lock_waiter(Task& owner, void (*look)(LockWaiter& waiter, void* argument), void* argument) {
    SpinLockGuard guard(lending_lock);
    LockWaiter* first = owner.lock_debts.waiters.front();
    if (first != nullptr) {
        look(*first, argument);
    }
    return first != nullptr;
}

}  // namespace cairn::task
