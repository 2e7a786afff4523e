#include "kernel/sched/load_average.h"

#include "kernel/base/kernel.h"
#include "kernel/sched/run_queue.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"

namespace cairn::sched {

namespace {

constexpr Nanoseconds kInterval = Nanoseconds::from_milliseconds(5000);
/// exp(-5 s / 1, 5, 15 min) in units of 1 / kOne, as in Linux's sched/loadavg.h.
constexpr u64 kDecay[LoadAverage::kAverages] = {1884, 2014, 2037};

}  // namespace

LoadAverage::~LoadAverage() {
    if (begun_.load(Order::relaxed)) {
        timer_.cancel_and_wait();
    }
}

void LoadAverage::begin() {
    if (!begun_.exchange(true, Order::relaxed)) {
        timer_.arm(time::now() + kInterval);
    }
}

u32 LoadAverage::runnable() {
    u32 count = 0;
    for (u32 cpu = 0; cpu < g_kernel.cpu_count; ++cpu) {
        const PerCpu* block = g_kernel.cpus[cpu];
        if (block != nullptr && block->run_queue != nullptr) {
            const RunQueue& queue = *block->run_queue;
            count += queue.waiting.load(Order::relaxed) + (queue.urgency.load(Order::relaxed) != 0 ? 1 : 0);
        }
    }
    return count;
}

u64 LoadAverage::step(u64 average, u64 decay, u64 active) {
    const u64 target = active * kOne;
    u64 next = average * decay + target * (kOne - decay);
    if (target >= average) {
        next += kOne - 1;  // so that it can reach the target
    }
    return next / kOne;
}

void LoadAverage::sample(time::Timer& timer) {
    LoadAverage& load = g_kernel.scheduler->load;
    const u32 active = runnable();
    for (u32 i = 0; i < kAverages; ++i) {
        load.averages_[i].store(step(load.get(i), kDecay[i], active), Order::relaxed);
    }
    timer.arm(time::now() + kInterval);
}

}  // namespace cairn::sched
