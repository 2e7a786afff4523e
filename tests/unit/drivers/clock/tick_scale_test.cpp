#include "drivers/clock/tick_scale.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kYear = 365 * 86400 * kSecond;

TEST(TickScale, OneGigahertzIsTheIdentity) {
    constexpr TickScale scale = TickScale::to_nanoseconds(kSecond);
    static_assert(scale.apply(0) == 0);
    static_assert(scale.apply(12345) == 12345);
    static_assert(scale.apply(100 * kYear) == 100 * kYear);
}

TEST(TickScale, ASecondOfTicksIsASecond) {
    for (u64 hertz : {1'193'182ull, 3'579'545ull, 14'318'180ull, 24'000'000ull, 999'999'999ull, 2'399'998'713ull,
                      5'700'000'000ull}) {
        u64 nanoseconds = TickScale::to_nanoseconds(hertz).apply(hertz);
        EXPECT_NEAR(static_cast<double>(nanoseconds), 1e9, 2.0) << hertz;
        u64 ticks = TickScale::from_nanoseconds(hertz).apply(kSecond);
        EXPECT_NEAR(static_cast<double>(ticks), static_cast<double>(hertz), 2.0) << hertz;
    }
}

TEST(TickScale, DoesNotOverflowForCenturies) {
    constexpr u64 hertz = 4'000'000'000;
    u64 ticks = hertz * 86400 * 365 * 100;  // a hundred years: 1.3e19, still a u64
    u64 years = TickScale::to_nanoseconds(hertz).apply(ticks) / kYear;
    EXPECT_GE(years, 99u);
    EXPECT_LE(years, 100u);
}

TEST(TickScale, NeverGoesBackwards) {
    TickScale scale = TickScale::to_nanoseconds(2'399'998'713);
    u64 previous = 0;
    for (u64 ticks = 0; ticks < 100'000; ++ticks) {
        u64 now = scale.apply(ticks);
        ASSERT_GE(now, previous);
        previous = now;
    }
}

TEST(TickScale, FromAPeriod) {
    // The usual HPET: 69841279 fs, 14.318 MHz.
    TickScale scale = TickScale::femtoseconds_to_nanoseconds(69'841'279);
    EXPECT_EQ(scale.apply(1'000'000), 69'841'279u);
    EXPECT_EQ(TickScale::femtoseconds_to_nanoseconds(10'000'000).apply(7), 70u);
}

}  // namespace
}  // namespace cairn
