#pragma once
/// A machine for the fuzzers: one CPU that only computes. What parsers need of machine.h.

#include "arch/long_mode_format.h"
#include "kernel/base/address.h"
#include "kernel/base/per_cpu_forward.h"
#include "kernel/base/types.h"

namespace cairn::arch {

PerCpu& this_cpu();

struct InterruptState {
    bool enabled;
};
inline InterruptState disable_interrupts() {
    return {true};
}
inline void forbid_interrupts() {}
inline void cpu_relax() {}
inline void interleave() {}
inline Nanoseconds monotonic_now() {
    return {0};
}

struct TrapFrame {};
struct ThreadContext {};

}  // namespace cairn::arch
