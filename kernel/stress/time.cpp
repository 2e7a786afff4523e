/// Sleeps of random length: never too short, and the clock never runs backwards.

#include "kernel/sched/thread.h"
#include "kernel/stress/stress.h"
#include "kernel/time/clock.h"

namespace cairn::stress {

namespace {

constexpr u64 kLongestSleep = 3'000'000;  // ns

void work(Worker& worker) {
    Nanoseconds last = time::now();
    while (!worker.stopping()) {
        Nanoseconds deadline = time::now() + Nanoseconds{worker.random.below(kLongestSleep)};
        sched::sleep_until(deadline);
        Nanoseconds now = time::now();
        if (now < deadline) {
            worker.fail("woken before the deadline");
        }
        if (now < last) {
            worker.fail("the clock ran backwards");
        }
        last = now;
        worker.count_operation();
    }
}

}  // namespace

constinit const WorkerKind kTimeKind = {"sleep", 2, nullptr, work, nullptr};

}  // namespace cairn::stress
