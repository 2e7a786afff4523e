#include "kernel/ipc/semaphore.h"

#include <algorithm>

#include "kernel/ipc/ipc.h"
#include "kernel/task/task.h"

namespace cairn::ipc {

Result<Ref<Object>> SemaphoreSet::create(const GetRequest& request) {
    if (request.size == 0) {
        return fail(Errno::einval);
    }
    OwnArray<Semaphore> array = TRY(OwnArray<Semaphore>::create(request.size));
    Ref<SemaphoreSet> set = TRY(try_new_ref<SemaphoreSet>(std::move(array)));
    return Ref<Object>::adopt(set.release());
}

Result<void> SemaphoreSet::accept(const Object& object, u64 size) {
    return object.size() < size ? fail(Errno::einval) : Result<void>();
}

void SemaphoreSet::describe_locked(u64 (&to)[Record::kFigures]) const {
    to[0] = static_cast<u64>(operation_time_);
    to[2] = static_cast<u64>(change_time);
    to[4] = semaphores.size();
}

/// Does the operations in order, and takes back what it did when one of them cannot be done.
Result<bool> SemaphoreSet::attempt_locked(Request& request) {
    const SemaphoreOperation* at = request.operations.data();
    const SemaphoreOperation* const end = at + request.operations.size();
    Errno error{};
    for (; at != end; ++at) {
        Semaphore& semaphore = semaphores[at->number];
        const i32 value = semaphore.value + at->change;
        if (value < 0 || (at->change == 0 && value != 0)) {
            request.blocking = at;
            error = (at->flags & static_cast<i16>(kNoWait)) != 0 ? Errno::eagain : Errno{};
            break;
        }
        if (value > kHighestValue) {
            error = Errno::erange;
            break;
        }
        if ((at->flags & SemaphoreOperation::kUndo) != 0) {
            const i32 undo = request.undo->adjustments[at->number] - at->change;
            if (undo < -kHighestValue - 1 || undo > kHighestValue) {
                error = Errno::erange;
                break;
            }
            request.undo->adjustments[at->number] = static_cast<i16>(undo);
        }
        semaphore.value = value;
    }
    const bool done = at == end;
    while (at != request.operations.data()) {
        --at;
        Semaphore& semaphore = semaphores[at->number];
        if (done) {
            semaphore.process = request.process;
            continue;
        }
        semaphore.value -= at->change;
        if ((at->flags & SemaphoreOperation::kUndo) != 0) {
            i16& undo = request.undo->adjustments[at->number];
            undo = static_cast<i16>(undo + at->change);
        }
    }
    if (error != Errno{}) {
        return fail(error);
    }
    if (done) {
        operation_time_ = wall_seconds();
    }
    return done;
}

/// The waiter may be gone afterwards.
void SemaphoreSet::complete_locked(Waiter& waiter, Result<void> result) {
    waiters_.remove(waiter);
    waiter.result = result;
    waiter.parking.notify();
}

/// Ends the waits of one kind that can end; true after one that changed a value.
bool SemaphoreSet::serve_first_locked(bool altering) {
    for (Waiter* waiter = waiters_.front(); waiter != nullptr;) {
        Waiter* next = waiters_.next(*waiter);
        if (waiter->request.alters == altering) {
            const Result<bool> attempt = attempt_locked(waiter->request);
            if (!attempt.ok()) {
                complete_locked(*waiter, attempt.failure());
            } else if (attempt.value()) {
                complete_locked(*waiter, {});
                if (altering) {
                    return true;
                }
            }
        }
        waiter = next;
    }
    return false;
}

/// Those that only look come first, as long as what they wait for is there.
void SemaphoreSet::serve_waiters_locked() {
    do {
        static_cast<void>(serve_first_locked(false));
    } while (serve_first_locked(true));
}

Result<void> SemaphoreSet::operate(const vfs::Credentials& who, Request& request, Nanoseconds deadline) {
    Waiter waiter(request);
    {
        SpinLockGuard guard(lock);
        for (const SemaphoreOperation& operation : request.operations) {
            if (operation.number >= semaphores.size()) {
                return fail(Errno::efbig);
            }
        }
        TRY(check_locked(who, request.alters ? kMayWrite : kMayRead));
        if (removed) {
            return fail(Errno::eidrm);
        }
        const bool done = TRY(attempt_locked(request));
        if (done) {
            if (request.alters) {
                serve_waiters_locked();
            }
            return {};
        }
        waiters_.push_back(waiter);
    }
    const sync::WakeReason reason = waiter.parking.sleep(sync::SleepKind::Interruptible, deadline);
    SpinLockGuard guard(lock);
    if (!waiter.node.linked()) {
        return waiter.result;
    }
    waiters_.remove(waiter);
    return fail(reason == sync::WakeReason::TimedOut ? Errno::eagain : Errno::eintr);
}

void SemaphoreSet::remove_locked() {
    while (Waiter* waiter = waiters_.front()) {
        complete_locked(*waiter, fail(Errno::eidrm));
    }
    while (undo_entries_.pop_front() != nullptr) {
    }
}

void SemaphoreSet::values_set_locked(usize first, usize count) {
    for (UndoEntry& entry : undo_entries_) {
        std::fill_n(entry.adjustments.data() + first, count, i16{0});
    }
    change_time = wall_seconds();
    serve_waiters_locked();
}

u32 SemaphoreSet::waiters_locked(u32 number, bool for_zero) {
    u32 count = 0;
    for (const Waiter& waiter : waiters_) {
        const SemaphoreOperation& wanted = *waiter.request.blocking;
        count += wanted.number == number && (wanted.change == 0) == for_zero;
    }
    return count;
}

void SemaphoreSet::undo_locked(UndoEntry& entry) {
    undo_entries_.remove(entry);
    for (usize i = 0; i < semaphores.size(); ++i) {
        if (const i32 change = entry.adjustments[i]; change != 0) {
            semaphores[i].value = std::clamp(semaphores[i].value + change, 0, kHighestValue);
            semaphores[i].process = caller_process();
        }
    }
    operation_time_ = wall_seconds();
    serve_waiters_locked();
}

UndoEntry* UndoList::find_locked(SemaphoreSet& set, Entries& outdated) {
    UndoEntry* found = nullptr;
    for (UndoEntry* at = entries_.front(); at != nullptr;) {
        UndoEntry* next = entries_.next(*at);
        SemaphoreSet& its_set = *at->set;
        SpinLockGuard guard(its_set.lock);
        if (its_set.removed) {
            entries_.remove(*at);
            outdated.push_back(*at);
        } else if (&its_set == &set) {
            found = at;
        }
        at = next;
    }
    return found;
}

Result<UndoEntry*> UndoList::find_or_create(SemaphoreSet& set) {
    Own<UndoEntry> made;
    Entries outdated;
    UndoEntry* entry = nullptr;
    for (;;) {
        {
            SpinLockGuard guard(lock_);
            entry = find_locked(set, outdated);
            SpinLockGuard set_guard(set.lock);
            if (entry == nullptr && made && !set.removed) {
                entry = made.release();
                entries_.push_back(*entry);
                set.undo_entries_.push_back(*entry);
            }
        }
        while (UndoEntry* gone = outdated.pop_front()) {
            Own<UndoEntry>::adopt(gone).reset();
        }
        if (entry != nullptr || made) {
            return entry == nullptr ? Result<UndoEntry*>(fail(Errno::eidrm)) : entry;
        }
        OwnArray<i16> numbers = TRY(OwnArray<i16>::create(set.size()));
        made = TRY(try_new<UndoEntry>(Ref<SemaphoreSet>(set), std::move(numbers)));
    }
}

UndoList::~UndoList() {
    for (;;) {
        Own<UndoEntry> entry;
        SpinLockGuard guard(lock_);
        entry = Own<UndoEntry>::adopt(entries_.pop_front());
        if (!entry) {
            return;
        }
        SemaphoreSet& set = *entry->set;
        SpinLockGuard set_guard(set.lock);
        if (!set.removed) {
            set.undo_locked(*entry);
        }
    }
}

Result<Ref<UndoList>> share_undo_list(task::Task& parent) {
    if (!parent.undo_list) {
        Ref<UndoList> fresh = TRY(try_new_ref<UndoList>());
        SpinLockGuard guard(parent.group().lock);
        parent.undo_list.emplace(std::move(fresh));
    }
    return *parent.undo_list;
}

void leave_undo_list(task::Task& self) {
    std::optional<Ref<UndoList>> left;
    SpinLockGuard guard(self.group().lock);
    std::swap(left, self.undo_list);
}

Result<void> operate(task::Task& caller, i32 id, std::span<const SemaphoreOperation> operations, Nanoseconds deadline) {
    Ref<Object> object = TRY(g_kernel.ipc->semaphores.find(id));
    auto& set = static_cast<SemaphoreSet&>(*object);
    SemaphoreSet::Request request{.operations = operations, .process = caller.process_number()};
    bool undoes = false;
    for (const SemaphoreOperation& operation : operations) {
        undoes = undoes || (operation.flags & SemaphoreOperation::kUndo) != 0;
        request.alters = request.alters || operation.change != 0;
    }
    if (undoes) {
        Ref<UndoList> list = TRY(share_undo_list(caller));
        request.undo = TRY(list->find_or_create(set));
    }
    return set.operate(caller.credentials(), request, deadline);
}

}  // namespace cairn::ipc
