#pragma once
/// The system as a whole: names, figures, the log, random numbers, power.

#include "kernel/syscall/polling.h"

namespace cairn::syscall {

/// struct new_utsname.
struct SystemNames {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};
/// struct sysinfo.
struct SystemFigures {
    i64 uptime;
    u64 loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    u16 processes, padding;
    u32 padding2;
    u64 total_high, free_high;
    u32 unit;
    u32 padding3;
};
/// struct timex (208 bytes).
struct ClockAdjustment {
    u32 modes, padding;
    i64 offset, frequency, max_error, estimated_error;
    i32 status, padding2;
    i64 constant, precision, tolerance, seconds, microseconds, tick, pps_frequency, jitter;
    i32 shift, padding3;
    i64 stability, jitter_count, calibration_count, error_count, stability_count;
    i32 tai;
    u32 reserved[11];
};
static_assert(sizeof(ClockAdjustment) == 208);

Result<void> sys_uname(Caller& self, UserOut<SystemNames> names);
Result<void> sys_sethostname(Caller& self, UserIn<char> name, i32 length);
Result<void> sys_setdomainname(Caller& self, UserIn<char> name, i32 length);
Result<void> sys_sysinfo(Caller& self, UserOut<SystemFigures> figures);
Result<i32> sys_syslog(Caller& self, i32 action, UserOut<char> to, i32 length);
Result<u64> sys_getrandom(Caller& self, UserOut<std::byte> to, u64 size, u32 flags);
Result<void> sys_reboot(Caller& self, u32 magic, u32 magic2, u32 command, UserCString argument);
Result<i32> sys_adjtimex(Caller& self, UserInOut<ClockAdjustment> adjustment);
Result<i32> sys_clock_adjtime(Caller& self, i32 clock, UserInOut<ClockAdjustment> adjustment);
Result<void> sys_vhangup(Caller& self);
Result<void> sys_rseq(Caller& self, u64 area, u32 size, i32 flags, u32 signature);

}  // namespace cairn::syscall
