#pragma once
/// LoadAverage: how many threads wanted a CPU, averaged over one, five and fifteen minutes (proc_loadavg(5)).
/// A sample is taken every five seconds from begin() on, which is when somebody may come to read it.

#include "kernel/base/atomic.h"
#include "kernel/time/timer.h"

namespace cairn::sched {

class LoadAverage {
public:
    static constexpr u32 kAverages = 3;
    static constexpr u32 kOne = 2048;  // 1.0 in the fixed-point form of get()

    LoadAverage() : timer_(&sample) {}
    ~LoadAverage();

    /// Starts the samples, once; further calls do nothing. Any context.
    void begin();
    /// The average over 1, 5 or 15 minutes.
    u64 get(u32 which) const { return averages_[which].load(Order::relaxed); }
    /// Threads that run or wait for a CPU now.
    static u32 runnable();

    /// One step of an average: exponential decay by `decay` / kOne towards `active` threads.
    static u64 step(u64 average, u64 decay, u64 active);

private:
    static void sample(time::Timer& timer);

    Atomic<bool> begun_{false};
    time::Timer timer_;
    Atomic<u64> averages_[kAverages];
};

}  // namespace cairn::sched
