#pragma once
/// The reader's half of the protocol in ../data.h. `Counter` returns the time-stamp counter; a test
/// gives one that it controls.

#include "arch/x86_64/vdso/data.h"

namespace cairn::arch {

/// A moment on both clocks, in nanoseconds; `valid` is false when the kernel has to be asked.
struct Moment {
    bool valid = false;
    u64 monotonic = 0;
    u64 wall = 0;
};

template <typename Counter>
Moment read_clock(const VdsoData& data, Counter counter) {
    while (true) {
        u32 before = __atomic_load_n(&data.sequence, __ATOMIC_ACQUIRE);
        VdsoParameters parameters = data.parameters;
        if (before % 2 == 0 && parameters.clock == VdsoClock::SystemCall) {
            return {};
        }
        // Inside the two readings: otherwise a change of clock between them could make time go back.
        u64 now = counter();
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && before == __atomic_load_n(&data.sequence, __ATOMIC_RELAXED)) {
            u64 monotonic = monotonic_time(parameters, now);
            return {true, monotonic, monotonic + parameters.wall_offset};
        }
        __builtin_ia32_pause();
    }
}

}  // namespace cairn::arch
