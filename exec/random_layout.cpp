#include "exec/random_layout.h"

#include <algorithm>

#include "exec/stack_image.h"
#include "kernel/base/random.h"

namespace cairn::exec {

namespace {

/// A random number of pages below 2^bits, in bytes.
u64 random_pages(u32 bits) {
    u64 value = 0;
    cairn::random_bytes(std::as_writable_bytes(std::span(&value, 1)));
    return (value & ((u64{1} << bits) - 1)) << kPageShift;
}

}  // namespace

RandomLayout RandomLayout::choose(bool randomize, u64 stack_limit) {
    constexpr u32 kStackBits = 22, kMappingBits = 28, kBreakBits = 13;
    constexpr u64 kLeastGap = 128 * kMiB;
    constexpr u64 kMostGap = kStackTopLimit / 6 * 5;
    constexpr u64 kGuardGap = 256 * kPageSize;
    constexpr u64 kStackRandom = (u64{1} << kStackBits) << kPageShift;

    RandomLayout layout;
    cairn::random_bytes(layout.random_bytes);
    layout.stack_top = {kStackTopLimit - (randomize ? random_pages(kStackBits) : 0)};
    u64 gap = stack_limit + kGuardGap + (randomize ? kStackRandom : 0);
    gap = std::clamp(gap < stack_limit ? ~u64{0} : gap, kLeastGap, kMostGap);
    layout.mapping_base = {align_down(kStackTopLimit - gap - (randomize ? random_pages(kMappingBits) : 0), kPageSize)};
    layout.program_base = {align_down(kStackTopLimit / 3 * 2, kPageSize) +
                           (randomize ? random_pages(kMappingBits) : 0)};
    layout.break_offset = randomize ? random_pages(kBreakBits) : 0;
    if (randomize) {
        u64 value = 0;
        cairn::random_bytes(std::as_writable_bytes(std::span(&value, 1)));
        layout.stack_gap = value % kMaxStackGap;
    }
    return layout;
}

}  // namespace cairn::exec
