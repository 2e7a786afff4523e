#pragma once
/// The page that the kernel writes and the vDSO in every program reads, without a lock.
///
/// Protocol: one writer at a time makes `sequence` odd, changes the rest, and makes it even again. A
/// reader copies the rest and the counter between two readings of `sequence`, and starts again when
/// they differ or are odd. Included by both sides: no kernel functions here.

#include "drivers/clock/tick_scale.h"
#include "kernel/base/types.h"

namespace cairn::arch {

/// clock_gettime(2)'s numbers. Nothing slews or suspends, so that all of them show one of two times.
enum VdsoClock : u32 {
    kVdsoRealtime = 0,
    kVdsoMonotonic = 1,
    kVdsoMonotonicRaw = 4,
    kVdsoRealtimeCoarse = 5,
    kVdsoMonotonicCoarse = 6,
    kVdsoBoottime = 7,
    kVdsoClocks = 8,
};

/// What a reader copies.
struct VdsoParameters {
    u32 readable = 0;  // a bit for each clock that user mode can read: 0 means that the kernel has to be asked
    u64 base_counter = 0;
    TickScale scale;
    u64 base[kVdsoClocks] = {};  // what each clock showed when the counter was at base_counter, in nanoseconds
};

struct VdsoData {
    u32 sequence = 0;
    VdsoParameters parameters;
};

/// Nanoseconds in `ticks` of the counter since its base; what ClockSource::now() does in the kernel.
inline u64 elapsed_time(TickScale scale, u64 ticks) {
    // Another CPU's counter may be behind by less than anyone can see.
    return static_cast<i64>(ticks) < 0 ? 0 : scale.apply(ticks);
}

/// The selector of a segment whose limit is the CPU's number (bits 0 to 11) and its node's (the rest):
/// what LSL reads in user mode. Linux's (__CPUNODE_SEG).
constexpr u16 kCpuNumberSelector = 0x7b;
constexpr u32 kCpuNumberBits = 12;

}  // namespace cairn::arch
