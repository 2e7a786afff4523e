#pragma once
/// The clocks: monotonic time since boot, and the wall clock, which is the monotonic one plus an
/// offset that is read from the battery clock at start and may be set (clock_settime(2)).

#include "arch/arch.h"
#include "kernel/base/atomic.h"
#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::time {

/// Since boot; never goes back, not even across CPUs. Any context.
inline Nanoseconds now() {
    return arch::monotonic_now();
}

/// g_kernel.clock.
class Clock {
public:
    /// Reads the battery clock. Boot CPU, after arch::initialize_clock. ENOMEM.
    static Result<void> initialize();

    /// Since 1970-01-01 UTC. Any context.
    Nanoseconds wall_now() const { return now() + Nanoseconds{wall_offset_.load(Order::relaxed)}; }
    /// Makes `wall` the present. Any context. EINVAL for a time before the boot's monotonic zero
    /// could be represented, i.e. earlier than now() after the epoch.
    Result<void> set_wall(Nanoseconds wall);

    /// The zone that settimeofday(2) was told: minutes west of Greenwich, and an old word on daylight saving.
    struct Zone {
        i32 minutes_west = 0;
        i32 daylight_saving = 0;
    };
    Zone zone() const {
        const u64 word = zone_.load(Order::relaxed);
        return {static_cast<i32>(word >> 32), static_cast<i32>(word)};
    }
    /// True: it is the first one.
    bool set_zone(Zone zone) {
        zone_.store(u64{static_cast<u32>(zone.minutes_west)} << 32 | static_cast<u32>(zone.daylight_saving),
                    Order::relaxed);
        return !zone_was_set_.exchange(true, Order::relaxed);
    }

private:
    void set_wall_offset(Nanoseconds offset);

    /// Makes the kernel's offset and the one that programs see change in the same order.
    SpinLock<LockRank::WallClock> lock_;
    Atomic<u64> zone_{0};
    Atomic<bool> zone_was_set_{false};
    Atomic<u64> wall_offset_{0};  // wall time at monotonic zero, in nanoseconds; written under lock_
};

/// Since 1970-01-01 UTC; counts from boot while there is no Clock. Any context.
Nanoseconds wall_now();

}  // namespace cairn::time
