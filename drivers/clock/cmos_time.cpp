#include "drivers/clock/cmos_time.h"

namespace cairn {

namespace {

constexpr u32 kFirstTwoDigitYear = 70;  // 1970; smaller ones are of the 21st century

/// EINVAL for a nibble above nine.
Result<u32> decode_number(u8 value, bool binary) {
    if (binary) {
        return u32{value};
    }
    u32 tens = value >> 4;
    u32 ones = value & 0xf;
    if (tens > 9 || ones > 9) {
        return fail(Errno::einval);
    }
    return tens * 10 + ones;
}

Result<u32> decode_hours(u8 value, u8 status_b) {
    bool twenty_four = (status_b & kCmosStatusB24Hour) != 0;
    bool afternoon = !twenty_four && (value & kCmosHourPm) != 0;
    u8 digits = twenty_four ? value : static_cast<u8>(value & ~kCmosHourPm);
    u32 hours = TRY(decode_number(digits, (status_b & kCmosStatusBBinary) != 0));
    if (twenty_four) {
        return hours;
    }
    if (hours < 1 || hours > 12) {
        return fail(Errno::einval);
    }
    return hours % 12 + (afternoon ? 12 : 0);  // 12 AM is midnight, 12 PM noon
}

constexpr bool is_leap_year(u32 year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

constexpr u32 days_in_month(u32 year, u32 month) {
    constexpr u8 kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return kDays[month - 1] + (month == 2 && is_leap_year(year) ? 1 : 0);
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, year 1970 or later.
constexpr u64 days_since_epoch(u32 year, u32 month, u32 day) {
    u64 previous = year - 1;
    u64 days = previous * 365 + previous / 4 - previous / 100 + previous / 400;
    constexpr u64 kDaysBefore1970 = 719'162;
    days -= kDaysBefore1970;
    for (u32 m = 1; m < month; ++m) {
        days += days_in_month(year, m);
    }
    return days + day - 1;
}

}  // namespace

Result<Nanoseconds> decode_cmos_time(const CmosRegisters& registers) {
    bool binary = (registers.status_b & kCmosStatusBBinary) != 0;
    u32 seconds = TRY(decode_number(registers.seconds, binary));
    u32 minutes = TRY(decode_number(registers.minutes, binary));
    u32 hours = TRY(decode_hours(registers.hours, registers.status_b));
    u32 day = TRY(decode_number(registers.day, binary));
    u32 month = TRY(decode_number(registers.month, binary));
    u32 year = TRY(decode_number(registers.year, binary));
    if (year > 99) {
        return fail(Errno::einval);
    }
    // The century register is often not maintained; one that cannot be right is not believed.
    Result<u32> century = decode_number(registers.century, binary);
    if (century.ok() && century.value() >= 19 && century.value() <= 29) {
        year += century.value() * 100;
    } else {
        year += year < kFirstTwoDigitYear ? 2000 : 1900;
    }
    if (year < 1970 || seconds > 59 || minutes > 59 || hours > 23 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month)) {
        return fail(Errno::einval);
    }
    u64 total = ((days_since_epoch(year, month, day) * 24 + hours) * 60 + minutes) * 60 + seconds;
    constexpr u64 kLargestSecond = ~u64{0} / 1'000'000'000;  // in the year 2554
    if (total > kLargestSecond) {
        return fail(Errno::einval);
    }
    return Nanoseconds::from_seconds(total);
}

}  // namespace cairn
