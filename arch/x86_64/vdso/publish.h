#pragma once
/// The kernel's side of the vDSO's data: keeps the parameters, and the page that programs see once
/// there is one. arch::set_vdso_wall_offset and arch::start_vdso_data are the contract's part.
/// Locks: a spinlock of rank ClockPage inside.

#include "drivers/clock/tick_scale.h"
#include "kernel/base/types.h"

namespace cairn::arch {

/// From now on monotonic time is `base_time` plus the scaled distance of the time-stamp counter from
/// `base_counter`.
void publish_counter_clock(u64 base_counter, Nanoseconds base_time, TickScale scale);
/// The clock is one that user mode cannot read.
void publish_system_call_clock();

}  // namespace cairn::arch
