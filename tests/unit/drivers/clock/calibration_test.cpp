#include "drivers/clock/calibration.h"

#include <gtest/gtest.h>

#include <functional>

namespace cairn {
namespace {

/// A machine on which each read takes some time, and which may be interrupted.
struct ModelSource {
    double now = 12'345.0;  // nanoseconds
    double counter_gigahertz = 2.4;
    double timer_gigahertz = 0.1;
    double reference_megahertz = 14.31818;
    u64 mask = 0xffff'ffff;
    double read_time = 500;
    bool reference_counts = true;
    std::function<double(u32)> pause = [](u32) { return 0.0; };  // extra time of the n-th read
    u32 reads = 0;

    void advance() { now += read_time + pause(reads++); }
    u64 counter() {
        now += 10;
        return static_cast<u64>(now * counter_gigahertz);
    }
    u64 timer() {
        advance();
        return static_cast<u64>(now * timer_gigahertz);
    }
    u64 reference() {
        advance();
        return reference_counts ? static_cast<u64>(now * reference_megahertz / 1000) & mask : mask;
    }
    u64 reference_mask() { return mask; }
    TickScale reference_scale() { return TickScale::to_nanoseconds(static_cast<u64>(reference_megahertz * 1e6)); }
};

void expect_close(u64 measured, double expected, double relative) {
    EXPECT_NEAR(static_cast<double>(measured), expected, expected * relative);
}

TEST(Calibration, FindsFrequencies) {
    for (double gigahertz : {0.1, 1.0, 2.4, 5.8}) {
        ModelSource source;
        source.counter_gigahertz = gigahertz;
        Result<Calibration> result = calibrate(source, Nanoseconds::from_milliseconds(4));
        ASSERT_TRUE(result.ok());
        expect_close(result.value().counter_hertz, gigahertz * 1e9, 2e-4);
        expect_close(result.value().timer_hertz, 0.1e9, 2e-4);
        EXPECT_LE(result.value().disagreement, kCalibrationAgreement);
    }
}

TEST(Calibration, ANarrowReferenceMayWrap) {
    ModelSource source;
    source.reference_megahertz = 1.193182;
    source.mask = 0xffff;
    source.now = 49e6;  // the PIT wraps after 54.9 ms, within the window
    Result<Calibration> result = calibrate(source, Nanoseconds::from_milliseconds(10));
    ASSERT_TRUE(result.ok());
    expect_close(result.value().counter_hertz, 2.4e9, 1e-3);
}

TEST(Calibration, TheTimerMayWrap) {
    ModelSource source;
    source.timer_gigahertz = 1.0;
    source.now = 4'293'000'000.0;  // 32 bits end 2 ms later
    Result<Calibration> result = calibrate(source, Nanoseconds::from_milliseconds(4));
    ASSERT_TRUE(result.ok());
    expect_close(result.value().timer_hertz, 1e9, 2e-4);
}

TEST(Calibration, PausesInSingleReadsDoNotCount) {
    ModelSource source;
    source.pause = [](u32 read) { return read % 5 == 0 ? 50'000.0 : 0.0; };
    Result<Calibration> result = calibrate(source, Nanoseconds::from_milliseconds(4));
    ASSERT_TRUE(result.ok());
    expect_close(result.value().counter_hertz, 2.4e9, 1e-3);
}

TEST(Calibration, AStoppedReferenceIsAnError) {
    ModelSource source;
    source.reference_counts = false;
    EXPECT_EQ(calibrate(source, Nanoseconds::from_milliseconds(4)).error(), Errno::eio);
}

TEST(Calibration, AStoppedCounterIsAnError) {
    ModelSource source;
    source.counter_gigahertz = 0;
    EXPECT_EQ(calibrate(source, Nanoseconds::from_milliseconds(4)).error(), Errno::eio);
}

TEST(Calibration, ContradictingHalvesAreAnError) {
    CalibrationPoint points[3] = {{0, 0, 0, 1}, {1000, 0, 1000, 1}, {2500, 0, 2000, 1}};
    Result<Calibration> result = evaluate_calibration(points, ~u64{0}, TickScale::to_nanoseconds(1'000'000'000));
    ASSERT_TRUE(result.ok());
    EXPECT_GT(result.value().disagreement, kCalibrationDisagreement);
}

TEST(Calibration, ACounterThatGoesBackwardsIsAnError) {
    CalibrationPoint points[3] = {{5000, 0, 0, 1}, {4000, 0, 1000, 1}, {3000, 0, 2000, 1}};
    EXPECT_EQ(evaluate_calibration(points, ~u64{0}, TickScale::to_nanoseconds(1'000'000'000)).error(), Errno::eio);
}

}  // namespace
}  // namespace cairn
