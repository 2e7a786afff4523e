#pragma once
/// A small, fast, repeatable source of numbers for tests and balancing; never for secrets.
/// Sebastiano Vigna's splitmix64 (public domain), which passes BigCrush and has no bad seeds.

#include "kernel/base/types.h"

namespace cairn {

class PseudoRandom {
public:
    constexpr explicit PseudoRandom(u64 seed) : state_(seed) {}

    constexpr u64 next() {
        u64 z = (state_ += 0x9e37'79b9'7f4a'7c15);
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31);
    }
    /// A number in [0, bound); bound is not zero. The bias is below bound / 2^64.
    constexpr u64 below(u64 bound) { return next() % bound; }

private:
    u64 state_;
};

}  // namespace cairn
