#pragma once
/// /dev/rtc0: the battery clock for programs (rtc(4)).

#include "drivers/clock/real_time_clock.h"

namespace cairn::fs::devtmpfs {

/// Registers the device; the clock lives for ever. Start-up. ENOMEM.
Result<void> register_clock_device(drivers::RealTimeClock& clock);

}  // namespace cairn::fs::devtmpfs
