/// A ring of threads that hand one token on: each sleeps until it is its turn. A lost wake-up
/// stops the ring, which the deadline of the sleep turns into a failure.

#include "kernel/stress/stress.h"
#include "kernel/sync/semaphore.h"
#include "kernel/sync/wait_queue.h"
#include "kernel/time/clock.h"

namespace cairn::stress {

namespace {

struct Shared {
    Atomic<u64> turn{0};
    sync::WaitQueue queue;
    sync::Semaphore permits{2};
    Atomic<u32> inside{0};
};

/// No step of the ring takes that long, also on a host that has far fewer processors than we; a whole
/// round may.
constexpr Nanoseconds kPatience = Nanoseconds::from_seconds(20);

/// Until it is this worker's turn. A time in which the token does not move at all is a failure.
void await_turn(Worker& worker, Shared& shared) {
    auto my_turn = [&] {
        return shared.turn.load(Order::acquire) % worker.group_size == worker.number || worker.stopping();
    };
    for (;;) {
        u64 turn = shared.turn.load(Order::relaxed);
        sync::WakeReason reason =
            shared.queue.wait_until(my_turn, sync::SleepKind::Uninterruptible, time::now() + kPatience);
        if (reason == sync::WakeReason::Condition) {
            return;
        }
        if (shared.turn.load(Order::relaxed) == turn) {
            worker.fail("wait queue: the token is stuck");
        }
    }
}

void pass_token(Worker& worker, Shared& shared) {
    await_turn(worker, shared);
    if (!worker.stopping()) {
        shared.turn.fetch_add(1, Order::release);
    }
    shared.queue.wake_all();
}

void use_semaphore(Worker& worker, Shared& shared) {
    if (shared.permits.acquire() != sync::WakeReason::Condition) {
        worker.fail("semaphore: an uninterruptible wait was interrupted");
    }
    if (shared.inside.fetch_add(1, Order::relaxed) >= 2) {
        worker.fail("semaphore: more inside than permits");
    }
    shared.inside.fetch_sub(1, Order::relaxed);
    shared.permits.release();
}

void work(Worker& worker) {
    Shared& shared = *static_cast<Shared*>(worker.shared);
    while (!worker.stopping()) {
        pass_token(worker, shared);
        use_semaphore(worker, shared);
        worker.count_operation();
    }
    shared.queue.wake_all();
}

}  // namespace

constinit const WorkerKind kWaitKind = {"wait", 1, prepare_shared<Shared>, work, discard_shared<Shared>};

}  // namespace cairn::stress
