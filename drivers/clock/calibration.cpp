#include "drivers/clock/calibration.h"

namespace cairn {

namespace {

constexpr u64 kNanosecondsPerSecond = 1'000'000'000;
constexpr u64 kMillion = 1'000'000;
constexpr u64 kTimerMask = 0xffff'ffff;

/// `ticks` within `nanoseconds`, as hertz. Windows are milliseconds, so the product fits: 2^64
/// would take a 1000 GHz counter.
u64 frequency(u64 ticks, u64 nanoseconds) {
    return (ticks * kNanosecondsPerSecond + nanoseconds / 2) / nanoseconds;
}

}  // namespace

Result<Calibration> evaluate_calibration(const CalibrationPoint (&points)[3], u64 reference_mask, TickScale scale) {
    auto elapsed = [&](u32 from, u32 to) {
        return scale.apply((points[to].reference - points[from].reference) & reference_mask);
    };
    if (elapsed(0, 1) == 0 || elapsed(1, 2) == 0) {
        return fail(Errno::eio);
    }
    u64 total = elapsed(0, 2);
    u64 ticks = points[2].counter - points[0].counter;
    constexpr u64 kLargestProduct = ~u64{0} / kNanosecondsPerSecond;
    if (total == 0 || ticks > kLargestProduct) {
        return fail(Errno::eio);
    }
    Calibration result;
    result.counter_hertz = frequency(ticks, total);
    result.timer_hertz = frequency((points[2].timer - points[0].timer) & kTimerMask, total);
    u64 first = frequency(points[1].counter - points[0].counter, elapsed(0, 1));
    u64 second = frequency(points[2].counter - points[1].counter, elapsed(1, 2));
    if (result.counter_hertz == 0 || first == 0 || second == 0) {
        return fail(Errno::eio);
    }
    u64 difference = first > second ? first - second : second - first;
    if (difference >= result.counter_hertz) {
        return fail(Errno::eio);
    }
    result.disagreement = difference * kMillion / result.counter_hertz;
    return result;
}

}  // namespace cairn
