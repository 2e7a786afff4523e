#pragma once
/// TickScale: turns counts of one clock into counts of another by a 32.32 fixed-point factor and
/// one 128-bit multiplication, so that no product overflows and nothing divides at run time. The
/// factor is rounded to the nearest 2^-32: below 1e-9 relative error for clocks from 250 MHz up,
/// far less than any calibration achieves.

#include "kernel/base/types.h"

namespace cairn {

class TickScale {
public:
    constexpr TickScale() = default;

    /// From ticks of a clock of `hertz` (not zero) to nanoseconds.
    static constexpr TickScale to_nanoseconds(u64 hertz) {
        return TickScale{((kNanosecondsPerSecond << kShift) + hertz / 2) / hertz};
    }
    /// From ticks that last `period` femtoseconds, at most 2^32 of them, to nanoseconds.
    static constexpr TickScale femtoseconds_to_nanoseconds(u64 period) {
        return TickScale{((period << kShift) + kFemtosecondsPerNanosecond / 2) / kFemtosecondsPerNanosecond};
    }
    /// From nanoseconds to ticks of a clock of `hertz` (below 2^62).
    static constexpr TickScale from_nanoseconds(u64 hertz) {
        u64 whole = hertz / kNanosecondsPerSecond;
        u64 rest = hertz % kNanosecondsPerSecond;
        return TickScale{(whole << kShift) + ((rest << kShift) + kNanosecondsPerSecond / 2) / kNanosecondsPerSecond};
    }

    /// Rounds down. The caller keeps the result below 2^64.
    constexpr u64 apply(u64 count) const {
        return static_cast<u64>(static_cast<unsigned __int128>(count) * factor_ >> kShift);
    }

private:
    static constexpr u32 kShift = 32;
    static constexpr u64 kNanosecondsPerSecond = 1'000'000'000;
    static constexpr u64 kFemtosecondsPerNanosecond = 1'000'000;

    constexpr explicit TickScale(u64 factor) : factor_(factor) {}
    u64 factor_ = 0;
};

}  // namespace cairn
