#include "kernel/time/clock.h"

#include "kernel/base/kernel.h"
#include "kernel/base/own.h"

namespace cairn::time {

Result<void> Clock::initialize() {
    Own<Clock> clock = TRY(try_new<Clock>());
    clock->wall_offset_.store((arch::read_wall_clock() - now()).value, Order::relaxed);
    g_kernel.clock = clock.release();
    return {};
}

Result<void> Clock::set_wall(Nanoseconds wall) {
    Nanoseconds present = now();
    if (wall < present) {
        return fail(Errno::einval);
    }
    wall_offset_.store((wall - present).value, Order::relaxed);
    return {};
}

Nanoseconds wall_now() {
    return g_kernel.clock == nullptr ? now() : g_kernel.clock->wall_now();
}

}  // namespace cairn::time
