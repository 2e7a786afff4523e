#pragma once
/// Random numbers that depend on the seed alone: SplitMix64 (Steele, Lea, Flood: "Fast Splittable
/// Pseudorandom Number Generators", OOPSLA 2014), small and good enough for schedules.

#include "kernel/base/types.h"

namespace cairn::arch::host {

class Random {
public:
    constexpr Random() = default;
    constexpr explicit Random(u64 seed) : state_(seed) {}

    constexpr u64 next() {
        state_ += 0x9e37'79b9'7f4a'7c15;
        u64 z = state_;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31);
    }
    /// A number in [0, bound); bound is not zero. The bias of a 64-bit remainder does not matter here.
    constexpr u64 below(u64 bound) { return next() % bound; }
    constexpr bool one_in(u64 n) { return below(n) == 0; }
    /// An independent stream.
    constexpr Random split() { return Random(next()); }

private:
    u64 state_ = 0;
};

}  // namespace cairn::arch::host
