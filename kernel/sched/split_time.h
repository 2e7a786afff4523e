#pragma once
/// SplitTime: how much of a run time was spent in user mode, and how much in the kernel. Samples tell: where one finds
/// the owner, there it is taken to be until the next one. So a system call costs nothing for it, both parts never run
/// backwards, and together they are always the whole run time, which is exact.

#include <algorithm>

#include "kernel/base/atomic.h"
#include "kernel/base/types.h"

namespace cairn::sched {

class SplitTime {
public:
    struct Parts {
        u64 user;
        u64 system;
    };

    /// The owner has run for `ran` so far, in whatever unit, and is in the kernel now or is not. One caller at a time.
    void sample(u64 ran, bool in_kernel) {
        const u64 user = user_.load(Order::relaxed);
        u64 system = system_.load(Order::relaxed);
        if (user != kRuns) {
            system = std::max(system, ran - std::min(user, ran));  // two clocks' difference may be a little behind
            system_.store(system, Order::relaxed);
            user_.store(kRuns, Order::release);
        }
        if (in_kernel) {
            user_.store(ran - std::min(system, ran), Order::release);
        }
    }

    /// Splits what `ran()` returns, beside a sample on another CPU, too.
    template <typename Ran>
    Parts split(Ran ran) const {
        for (;;) {
            const u64 user = user_.load(Order::acquire);
            const u64 system = system_.load(Order::acquire);
            const u64 all = ran();
            if (user_.load(Order::acquire) != user || system_.load(Order::relaxed) != system) {
                continue;
            }
            // The counters of two CPUs need not agree to the tick.
            const u64 user_part = std::min(user != kRuns ? user : all - std::min(system, all), all);
            return {user_part, all - user_part};
        }
    }

    /// Time in user mode stands still until the next sample.
    bool in_kernel() const { return user_.load(Order::relaxed) != kRuns; }

private:
    static constexpr u64 kRuns = ~u64{0};
    Atomic<u64> user_{kRuns};  // the user's part if that stands still, which is when the last sample was of the kernel
    Atomic<u64> system_{0};    // the kernel's part when it last stood still
};

}  // namespace cairn::sched
