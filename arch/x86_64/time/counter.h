#pragma once
/// The time-stamp counter (SDM vol. 3B, 18.17).

#include "kernel/base/types.h"

namespace cairn::arch {

/// Read after everything before it has been executed: without the fence two readings on two CPUs
/// that are ordered by a message could appear in the wrong order (SDM vol. 2B, RDTSC).
inline u64 read_counter() {
    u32 low;
    u32 high;
    // SAFETY: reads a counter; LFENCE waits for earlier loads, and AMD's LFENCE is made to do so
    // by every firmware and hypervisor since the speculation fixes of 2018.
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return static_cast<u64>(high) << 32 | low;
}

}  // namespace cairn::arch
