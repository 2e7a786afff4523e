#include "drivers/clock/cmos_time.h"

#include <gtest/gtest.h>

#include <ctime>

namespace cairn {
namespace {

constexpr u8 bcd(u32 value) {
    return static_cast<u8>((value / 10) << 4 | value % 10);
}

CmosRegisters bcd_time(u32 year, u32 month, u32 day, u32 hours, u32 minutes, u32 seconds) {
    return {bcd(seconds), bcd(minutes),    bcd(hours),      bcd(day),
            bcd(month),   bcd(year % 100), bcd(year / 100), kCmosStatusB24Hour};
}

u64 seconds_of(const CmosRegisters& registers) {
    Result<Nanoseconds> time = decode_cmos_time(registers);
    EXPECT_TRUE(time.ok());
    return time.ok() ? time.value().value / 1'000'000'000 : 0;
}

TEST(CmosTime, BcdTwentyFourHours) {
    EXPECT_EQ(seconds_of(bcd_time(1970, 1, 1, 0, 0, 0)), 0u);
    EXPECT_EQ(seconds_of(bcd_time(2000, 2, 29, 23, 59, 59)), 951868799u);
    EXPECT_EQ(seconds_of(bcd_time(2038, 1, 19, 3, 14, 8)), 2147483648u);
    EXPECT_EQ(seconds_of(bcd_time(2100, 3, 1, 0, 0, 0)), 4107542400u);  // 2100 is no leap year
}

TEST(CmosTime, EveryDayAgreesWithTheHost) {
    std::tm date{};
    for (i64 day = 0; day < 150 * 365; ++day) {
        std::time_t seconds = day * 86400 + 4711;
        ASSERT_NE(gmtime_r(&seconds, &date), nullptr);
        CmosRegisters registers = bcd_time(static_cast<u32>(date.tm_year) + 1900, static_cast<u32>(date.tm_mon) + 1,
                                           static_cast<u32>(date.tm_mday), static_cast<u32>(date.tm_hour),
                                           static_cast<u32>(date.tm_min), static_cast<u32>(date.tm_sec));
        ASSERT_EQ(seconds_of(registers), static_cast<u64>(seconds));
    }
}

TEST(CmosTime, BinaryAndBcdAgree) {
    CmosRegisters binary{59, 30, 17, 24, 12, 26, 20, kCmosStatusB24Hour | kCmosStatusBBinary};
    EXPECT_EQ(seconds_of(binary), seconds_of(bcd_time(2026, 12, 24, 17, 30, 59)));
}

TEST(CmosTime, TwelveHours) {
    struct Case {
        u8 stored;
        u32 hours;
    };
    for (Case c : {Case{0x12, 0}, Case{0x01, 1}, Case{0x11, 11}, Case{0x92, 12}, Case{0x81, 13}, Case{0x91, 23}}) {
        CmosRegisters registers = bcd_time(2026, 1, 2, 0, 4, 5);
        registers.hours = c.stored;
        registers.status_b = 0;
        EXPECT_EQ(seconds_of(registers), seconds_of(bcd_time(2026, 1, 2, c.hours, 4, 5))) << c.hours;
    }
    CmosRegisters binary{5, 4, 0x80 | 12, 2, 1, 26, 20, kCmosStatusBBinary};
    EXPECT_EQ(seconds_of(binary), seconds_of(bcd_time(2026, 1, 2, 12, 4, 5)));
}

TEST(CmosTime, CenturyIsGuessedWhenItIsMissingOrImplausible) {
    for (u8 century : {u8{0}, u8{0xff}, bcd(18), bcd(45)}) {
        CmosRegisters registers = bcd_time(2026, 5, 6, 7, 8, 9);
        registers.century = century;
        EXPECT_EQ(seconds_of(registers), seconds_of(bcd_time(2026, 5, 6, 7, 8, 9)));
        registers.year = bcd(99);
        EXPECT_EQ(seconds_of(registers), seconds_of(bcd_time(1999, 5, 6, 7, 8, 9)));
    }
}

TEST(CmosTime, RefusesWhatIsNoDate) {
    CmosRegisters absent{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    EXPECT_EQ(decode_cmos_time(absent).error(), Errno::einval);
    EXPECT_EQ(decode_cmos_time({}).error(), Errno::einval);  // month 0
    EXPECT_EQ(decode_cmos_time(bcd_time(2026, 13, 1, 0, 0, 0)).error(), Errno::einval);
    EXPECT_EQ(decode_cmos_time(bcd_time(2026, 2, 29, 0, 0, 0)).error(), Errno::einval);
    EXPECT_EQ(decode_cmos_time(bcd_time(2026, 1, 1, 24, 0, 0)).error(), Errno::einval);
    EXPECT_EQ(decode_cmos_time(bcd_time(2026, 1, 1, 0, 60, 0)).error(), Errno::einval);
    EXPECT_EQ(decode_cmos_time(bcd_time(2026, 1, 1, 0, 0, 60)).error(), Errno::einval);
    EXPECT_EQ(decode_cmos_time(bcd_time(1900, 1, 1, 0, 0, 0)).error(), Errno::einval);  // before the epoch
    CmosRegisters not_bcd = bcd_time(2026, 1, 1, 0, 0, 0);
    not_bcd.minutes = 0x1a;
    EXPECT_EQ(decode_cmos_time(not_bcd).error(), Errno::einval);
    CmosRegisters zero_hours = bcd_time(2026, 1, 1, 0, 0, 0);
    zero_hours.status_b = 0;  // 12-hour clocks have no hour 0
    EXPECT_EQ(decode_cmos_time(zero_hours).error(), Errno::einval);
}

TEST(CmosTime, NoRegisterContentsCrash) {
    for (u32 value = 0; value < 256; ++value) {
        u8 byte = static_cast<u8>(value);
        for (u8 status : {u8{0}, kCmosStatusB24Hour, kCmosStatusBBinary, u8{0xff}}) {
            Result<Nanoseconds> time = decode_cmos_time({byte, byte, byte, byte, byte, byte, byte, status});
            EXPECT_TRUE(time.ok() || time.error() == Errno::einval);
        }
    }
}

TEST(CmosTime, CalendarThereAndBack) {
    // Each day from 1970 to the end of what the clock can hold, at a time that wanders.
    for (u64 day = 0; day < 36500; ++day) {
        const u64 seconds = day * 86400 + day * 7919 % 86400;
        const CalendarTime time = calendar_time(seconds);
        ASSERT_TRUE(exists(time)) << day;
        ASSERT_EQ(seconds_since_epoch(time), seconds);
        ASSERT_EQ(day_of_week(time), (day + 4) % 7);
        for (u8 status : {u8{0}, kCmosStatusB24Hour, kCmosStatusBBinary, u8{6}}) {
            Result<CmosRegisters> registers = encode_cmos_time(time, status);
            if (time.year > 2069) {
                ASSERT_EQ(registers.error(), Errno::einval);
                continue;
            }
            ASSERT_TRUE(registers.ok());
            ASSERT_EQ(decode_cmos_time(registers.value()).value(), Nanoseconds::from_seconds(seconds)) << day;
        }
    }
    EXPECT_EQ(day_of_year({.year = 2024, .month = 12, .day = 31}), 365u);
    EXPECT_EQ(day_of_year({.year = 2023, .month = 3, .day = 1}), 59u);
    EXPECT_FALSE(exists({.year = 2023, .month = 2, .day = 29}));
    EXPECT_FALSE(exists({.year = 2023, .month = 1, .day = 1, .hours = 24}));
}

}  // namespace
}  // namespace cairn
