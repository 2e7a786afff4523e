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

}  // namespace cairn
