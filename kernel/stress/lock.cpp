/// Every kind of lock around one pair of numbers that must stay equal.

#include "kernel/sched/thread.h"
#include "kernel/stress/stress.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/rw_lock.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::stress {

namespace {

/// Written under its lock only, one half after the other, so that an intruder is seen.
struct Pair {
    volatile u64 first = 0;
    volatile u64 second = 0;

    bool consistent() const { return first == second; }
    void advance() {
        first = first + 1;
        second = second + 1;
    }
};

struct Shared {
    sync::Mutex<LockRank::TestOuter> mutex;
    Pair under_mutex GUARDED_BY(mutex);
    sync::RwLock<LockRank::TestInner> rw_lock;
    Pair under_rw_lock GUARDED_BY(rw_lock);
    SpinLock<LockRank::TestSpinOuter> spin_lock;
    Pair under_spin_lock GUARDED_BY(spin_lock);
};

void use_mutex(Worker& worker, Shared& shared) {
    sync::MutexGuard guard(shared.mutex);
    if (!shared.under_mutex.consistent()) {
        worker.fail("mutex: two owners");
    }
    shared.under_mutex.advance();
    if (worker.random.below(64) == 0) {
        sched::yield();  // while holding it: others must sleep, not slip in
    }
}

void use_rw_lock(Worker& worker, Shared& shared) {
    if (worker.random.below(4) == 0) {
        sync::ExclusiveGuard guard(shared.rw_lock);
        shared.under_rw_lock.advance();
    } else {
        sync::SharedGuard guard(shared.rw_lock);
        if (!shared.under_rw_lock.consistent()) {
            worker.fail("rw lock: a reader saw a writer's work");
        }
    }
}

void use_spin_lock(Worker& worker, Shared& shared) {
    SpinLockGuard guard(shared.spin_lock);
    if (!shared.under_spin_lock.consistent()) {
        worker.fail("spinlock: two owners");
    }
    shared.under_spin_lock.advance();
}

void work(Worker& worker) {
    Shared& shared = *static_cast<Shared*>(worker.shared);
    while (!worker.stopping()) {
        switch (worker.random.below(3)) {
            case 0:
                use_mutex(worker, shared);
                break;
            case 1:
                use_rw_lock(worker, shared);
                break;
            default:
                use_spin_lock(worker, shared);
        }
        worker.count_operation();
    }
}

}  // namespace

constinit const WorkerKind kLockKind = {"lock", 2, prepare_shared<Shared>, work, discard_shared<Shared>};

}  // namespace cairn::stress
