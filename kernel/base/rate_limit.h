#pragma once
/// RateLimit: lets at most `burst` events of an interval through, for log lines that a device or a
/// program could otherwise repeat without end.
///
///     if (limit_.allow(arch::monotonic_now())) { log_warning("disk", "…, {} not shown", limit_.take_suppressed()); }

#include "kernel/base/atomic.h"
#include "kernel/base/types.h"

namespace cairn {

class RateLimit {
public:
    constexpr RateLimit(u32 burst, Nanoseconds interval) : burst_(burst), interval_(interval) {}

    /// Whether this event may pass. Any context, no lock. At the moment when an interval ends, CPUs
    /// that race may let a few events more through; never fewer.
    [[nodiscard]] bool allow(Nanoseconds now) {
        u64 start = start_.load(Order::relaxed);
        if (now.value - start >= interval_.value &&
            start_.compare_exchange(start, now.value, Order::relaxed, Order::relaxed)) {
            used_.store(0, Order::relaxed);
        }
        // The load keeps the count from wrapping in an endless storm.
        if (used_.load(Order::relaxed) < burst_ && used_.fetch_add(1, Order::relaxed) < burst_) {
            return true;
        }
        suppressed_.fetch_add(1, Order::relaxed);
        return false;
    }
    /// How many events were refused since the last call.
    [[nodiscard]] u32 take_suppressed() { return suppressed_.exchange(0, Order::relaxed); }

private:
    const u32 burst_;
    const Nanoseconds interval_;
    Atomic<u64> start_{0};
    Atomic<u32> used_{0};
    Atomic<u32> suppressed_{0};
};

}  // namespace cairn
