#include "kernel/time/clock.h"

#include "kernel/base/kernel.h"
#include "kernel/base/own.h"

namespace cairn::time {

Result<void> Clock::initialize() {
    Own<Clock> clock = TRY(try_new<Clock>());
    clock->set_wall_offset(arch::read_wall_clock() - now());
    g_kernel.clock = clock.release();
    return {};
}

Result<void> Clock::set_wall(Nanoseconds wall) {
    Nanoseconds present = now();
    if (wall < present) {
        return fail(Errno::einval);
    }
    set_wall_offset(wall - present);
    return {};
}

void Clock::set_wall_offset(Nanoseconds offset) {
    SpinLockGuard guard(lock_);
    wall_offset_.store(offset.value, Order::relaxed);
    arch::set_vdso_wall_offset(offset);
}

Nanoseconds wall_now() {
    return g_kernel.clock == nullptr ? now() : g_kernel.clock->wall_now();
}

}  // namespace cairn::time
