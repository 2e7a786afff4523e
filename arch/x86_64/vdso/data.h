#pragma once
/// The page that the kernel writes and the vDSO in every program reads, without a lock.
///
/// Protocol: one writer at a time makes `sequence` odd, changes the rest, and makes it even again. A
/// reader copies the rest and the counter between two readings of `sequence`, and starts again when
/// they differ or are odd. Included by both sides: no kernel functions here.

#include "drivers/clock/tick_scale.h"
#include "kernel/base/types.h"

namespace cairn::arch {

enum class VdsoClock : u32 {
    SystemCall,        // user mode cannot read the clock
    TimeStampCounter,  // monotonic time is base_time + scale(counter - base_counter)
};

/// What a reader copies.
struct VdsoParameters {
    VdsoClock clock = VdsoClock::SystemCall;
    u64 base_counter = 0;
    u64 base_time = 0;    // nanoseconds
    u64 wall_offset = 0;  // wall time at monotonic zero, in nanoseconds
    TickScale scale;
};

struct VdsoData {
    u32 sequence = 0;
    VdsoParameters parameters;
};

/// The present on the monotonic clock; what ClockSource::now() does in the kernel.
inline u64 monotonic_time(const VdsoParameters& parameters, u64 counter) {
    u64 elapsed = counter - parameters.base_counter;
    // Another CPU's counter may be behind by less than anyone can see.
    bool before_base = static_cast<i64>(elapsed) < 0;
    return before_base ? parameters.base_time : parameters.base_time + parameters.scale.apply(elapsed);
}

/// The selector of a segment whose limit is the CPU's number (bits 0 to 11) and its node's (the rest):
/// what LSL reads in user mode. Linux's (__CPUNODE_SEG).
constexpr u16 kCpuNumberSelector = 0x7b;
constexpr u32 kCpuNumberBits = 12;

}  // namespace cairn::arch
