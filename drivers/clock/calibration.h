#pragma once
/// Measures the frequency of a fast counter (and of a timer beside it) against a reference of
/// known frequency, in a few milliseconds. Portable: the machine hands in a source, a test a model
/// of one.
///
/// The source is read at three points, half a window apart. At each point the reference is read
/// between two reads of the counter, several times, and the attempt with the shortest bracket is
/// kept, so a read that was slowed down (SMI, a hypervisor's pause) does not count. The two
/// halves must agree; if they do not, the measurement is repeated.

#include <concepts>

#include "drivers/clock/tick_scale.h"
#include "kernel/base/result.h"
#include "kernel/base/types.h"

namespace cairn {

/// What is measured. All three count upwards; counter() has 64 bits, timer() 32 and reference()
/// as many as its mask says. Neither wraps twice within a window.
template <typename T>
concept CalibrationSource = requires(T source) {
    { source.counter() } -> std::same_as<u64>;
    { source.timer() } -> std::same_as<u64>;
    { source.reference() } -> std::same_as<u64>;
    { source.reference_mask() } -> std::same_as<u64>;
    { source.reference_scale() } -> std::same_as<TickScale>;  // reference ticks to nanoseconds
};

struct CalibrationPoint {
    u64 counter = 0;
    u64 timer = 0;
    u64 reference = 0;
    u64 bracket = ~u64{0};  // counter ticks that the read took
};

struct Calibration {
    u64 counter_hertz = 0;
    u64 timer_hertz = 0;
    u64 disagreement = 0;  // between the two halves, in millionths of the frequency
};

/// Frequencies from three points. EIO when the reference did not advance or the counter did not.
Result<Calibration> evaluate_calibration(const CalibrationPoint (&points)[3], u64 reference_mask, TickScale scale);

constexpr u64 kCalibrationAgreement = 1'000;      // millionths: good enough to stop
constexpr u64 kCalibrationDisagreement = 50'000;  // millionths: not to be believed
constexpr u32 kCalibrationRounds = 3;
constexpr u32 kCalibrationAttempts = 8;
/// So many equal reads in a row: the reference stands still. A PIT tick (838 ns) is some ten reads.
constexpr u32 kStuckReads = 100'000;

template <CalibrationSource Source>
CalibrationPoint read_calibration_point(Source& source) {
    CalibrationPoint best;
    for (u32 i = 0; i < kCalibrationAttempts; ++i) {
        u64 before = source.counter();
        u64 reference = source.reference();
        u64 timer = source.timer();
        u64 bracket = source.counter() - before;
        if (bracket < best.bracket) {
            best = {before + bracket / 2, timer, reference, bracket};
        }
    }
    return best;
}

/// Waits until the reference is `nanoseconds` past `start`. EIO when it stands still.
template <CalibrationSource Source>
Result<void> wait_for_reference(Source& source, u64 start, u64 nanoseconds) {
    u64 previous = start;
    u32 equal_reads = 0;
    while (source.reference_scale().apply((previous - start) & source.reference_mask()) < nanoseconds) {
        u64 now = source.reference();
        equal_reads = now == previous ? equal_reads + 1 : 0;
        if (equal_reads == kStuckReads) {
            return fail(Errno::eio);
        }
        previous = now;
    }
    return {};
}

/// Busy for `window` (more when it must repeat, at most kCalibrationRounds times). EIO when the
/// reference does not work or the results contradict each other.
template <CalibrationSource Source>
Result<Calibration> calibrate(Source& source, Nanoseconds window) {
    Calibration best;
    best.disagreement = ~u64{0};
    for (u32 round = 0; round < kCalibrationRounds && best.disagreement > kCalibrationAgreement; ++round) {
        CalibrationPoint points[3];
        points[0] = read_calibration_point(source);
        for (u32 i = 1; i < 3; ++i) {
            TRY(wait_for_reference(source, points[0].reference, window.value / 2 * i));
            points[i] = read_calibration_point(source);
        }
        Result<Calibration> result = evaluate_calibration(points, source.reference_mask(), source.reference_scale());
        if (result.ok() && result.value().disagreement < best.disagreement) {
            best = result.value();
        }
    }
    if (best.disagreement > kCalibrationDisagreement) {
        return fail(Errno::eio);
    }
    return best;
}

}  // namespace cairn
