#pragma once
/// Switching off and starting again; arch::power_off and arch::reboot are the contract's part.

#include "arch/arch.h"

namespace cairn::arch {

/// Remembers how the platform does it and maps registers that are in memory, since that may be
/// impossible when they are needed. From initialize_interrupts.
void initialize_power(const PlatformDescription& platform, MapRegisters map_registers);

}  // namespace cairn::arch
