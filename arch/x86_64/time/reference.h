#pragma once
/// The clocks of known frequency that a PC may have, in order of preference: HPET (IA-PC HPET
/// specification 1.0a), the ACPI power management timer (ACPI 6.5, 4.8.3.3) and channel 2 of the PIT
/// (Intel 8254 data sheet).

#include <string_view>

#include "arch/arch.h"
#include "drivers/clock/tick_scale.h"

namespace cairn::arch {

/// A free-running counter that counts upwards modulo a power of two.
struct ReferenceClock {
    std::string_view name;  // empty: there is none
    u64 (*read)(const ReferenceClock& self) = nullptr;
    volatile u64* registers = nullptr;  // HPET
    u16 port = 0;                       // power management timer
    u64 mask = 0;
    TickScale to_nanoseconds;

    u64 counter() const { return read(*this); }
    bool exists() const { return !name.empty(); }
};

/// Each starts its clock if that is necessary; the result does not exist if the machine lacks it.
ReferenceClock find_hpet(const PlatformDescription& platform, MapRegisters map_registers);
ReferenceClock find_pm_timer(const PlatformDescription& platform);
/// Whether a PIT is there only shows when it counts.
ReferenceClock start_pit();

}  // namespace cairn::arch
