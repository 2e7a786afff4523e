#pragma once
/// The reader's half of the protocol in ../data.h. `Counter` returns the time-stamp counter; a test
/// gives one that it controls.

#include "arch/x86_64/vdso/data.h"

namespace cairn::arch {

enum class Reading : u8 {
    Done,
    Again,      // the kernel was changing the page
    AskKernel,  // the clock cannot be read in user mode
};

/// What a clock shows now, in nanoseconds.
template <typename Counter>
inline Reading try_read_clock(const VdsoData& data, u32 clock, Counter counter, u64& time) {
    const VdsoParameters& parameters = data.parameters;
    const u32 before = __atomic_load_n(&data.sequence, __ATOMIC_ACQUIRE);
    if (before % 2 != 0) [[unlikely]] {
        return Reading::Again;
    }
    if (clock >= kVdsoClocks || (parameters.readable >> clock & 1) == 0) [[unlikely]] {
        return Reading::AskKernel;
    }
    const u64 base_counter = parameters.base_counter;
    const TickScale scale = parameters.scale;
    const u64 base = parameters.base[clock];
    // Inside the two readings: otherwise a change of clock between them could make time go back.
    const u64 now = counter();
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (before != __atomic_load_n(&data.sequence, __ATOMIC_RELAXED)) [[unlikely]] {
        return Reading::Again;
    }
    time = base + elapsed_time(scale, now - base_counter);
    return Reading::Done;
}

/// The same, until the page stands still. False: the kernel has to be asked.
template <typename Counter>
bool read_clock(const VdsoData& data, u32 clock, Counter counter, u64& time) {
    for (;;) {
        const Reading reading = try_read_clock(data, clock, counter, time);
        if (reading != Reading::Again) {
            return reading == Reading::Done;
        }
        __builtin_ia32_pause();
    }
}

}  // namespace cairn::arch
