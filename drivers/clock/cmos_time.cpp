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

u64 seconds_since_epoch(const CalendarTime& time) {
    return ((days_since_epoch(time.year, time.month, time.day) * 24 + time.hours) * 60 + time.minutes) * 60 +
           time.seconds;
}

CalendarTime calendar_time(u64 seconds) {
    constexpr u64 kSecondsOfDay = 24 * 60 * 60;
    u64 days = seconds / kSecondsOfDay;
    const u64 rest = seconds % kSecondsOfDay;
    CalendarTime time;
    // An estimate that is at most a year too early, and then the rest.
    time.year = static_cast<u32>(1970 + days / 366);
    while (days_since_epoch(time.year + 1, 1, 1) <= days) {
        ++time.year;
    }
    days -= days_since_epoch(time.year, 1, 1);
    while (days >= days_in_month(time.year, time.month)) {
        days -= days_in_month(time.year, time.month++);
    }
    time.day = static_cast<u32>(days + 1);
    time.hours = static_cast<u32>(rest / 3600);
    time.minutes = static_cast<u32>(rest / 60 % 60);
    time.seconds = static_cast<u32>(rest % 60);
    return time;
}

u32 day_of_year(const CalendarTime& time) {
    return static_cast<u32>(days_since_epoch(time.year, time.month, time.day) - days_since_epoch(time.year, 1, 1));
}

u32 day_of_week(const CalendarTime& time) {
    constexpr u64 kThursday = 4;  // 1970-01-01
    return static_cast<u32>((days_since_epoch(time.year, time.month, time.day) + kThursday) % 7);
}

bool exists(const CalendarTime& time) {
    constexpr u32 kLastYear = 2554;  // where nanoseconds end
    return time.year >= 1970 && time.year < kLastYear && time.month >= 1 && time.month <= 12 && time.day >= 1 &&
           time.day <= days_in_month(time.year, time.month) && time.hours < 24 && time.minutes < 60 &&
           time.seconds < 60;
}

Result<CmosRegisters> encode_cmos_time(const CalendarTime& time, u8 status_b) {
    constexpr u32 kLastYear = 2069;
    if (!exists(time) || time.year > kLastYear) {
        return fail(Errno::einval);
    }
    auto encode = [&](u32 value) {
        const bool binary = (status_b & kCmosStatusBBinary) != 0;
        return static_cast<u8>(binary ? value : value / 10 << 4 | value % 10);
    };
    CmosRegisters registers;
    registers.seconds = encode(time.seconds);
    registers.minutes = encode(time.minutes);
    if ((status_b & kCmosStatusB24Hour) != 0) {
        registers.hours = encode(time.hours);
    } else {
        const u8 half = time.hours >= 12 ? kCmosHourPm : u8{0};
        registers.hours = encode((time.hours + 11) % 12 + 1) | half;
    }
    registers.day = encode(time.day);
    registers.month = encode(time.month);
    registers.year = encode(time.year % 100);
    registers.century = encode(time.year / 100);
    registers.status_b = status_b;
    return registers;
}

}  // namespace cairn
