#pragma once
/// The date and time that a PC's battery clock holds (Motorola MC146818A data sheet), as plain
/// data: decoding needs no hardware.

#include "kernel/base/result.h"
#include "kernel/base/types.h"

namespace cairn {

/// The clock's registers as read. `century` is zero when the machine has no such register.
struct CmosRegisters {
    u8 seconds = 0;
    u8 minutes = 0;
    u8 hours = 0;
    u8 day = 0;
    u8 month = 0;
    u8 year = 0;
    u8 century = 0;
    u8 status_b = 0;

    constexpr bool operator==(const CmosRegisters&) const = default;
};

constexpr u8 kCmosStatusB24Hour = 0x02;
constexpr u8 kCmosStatusBBinary = 0x04;
constexpr u8 kCmosHourPm = 0x80;  // in 12-hour mode

/// Nanoseconds since 1970-01-01 00:00:00, taking the clock to run in UTC. BCD or binary, 12 or 24
/// hours as status B says. Without a usable century register years 70 to 99 are 19xx and 00 to 69
/// are 20xx. EINVAL for what is not a date (an absent clock reads as all ones).
Result<Nanoseconds> decode_cmos_time(const CmosRegisters& registers);

/// A date of the Gregorian calendar, without a zone.
struct CalendarTime {
    u32 year = 1970;
    u32 month = 1;  // 1 … 12
    u32 day = 1;    // 1 … 31
    u32 hours = 0;
    u32 minutes = 0;
    u32 seconds = 0;
};
/// Seconds since 1970-01-01. The date exists, in 1970 or later.
u64 seconds_since_epoch(const CalendarTime& time);
CalendarTime calendar_time(u64 seconds);
/// Days since the year's first, 0 … 365.
u32 day_of_year(const CalendarTime& time);
/// 0 is Sunday.
u32 day_of_week(const CalendarTime& time);
/// Whether there is such a date, from 1970 on.
bool exists(const CalendarTime& time);
/// The registers' contents for a time, in the form that `status_b` says. EINVAL: the date does not exist, or is not
/// within 1970 … 2069.
Result<CmosRegisters> encode_cmos_time(const CalendarTime& time, u8 status_b);

}  // namespace cairn
