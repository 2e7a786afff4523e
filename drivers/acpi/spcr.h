#pragma once
/// The SPCR: which serial port the firmware calls the console (Microsoft's Serial Port Console Redirection Table).

#include <cstddef>
#include <span>

#include "arch/platform.h"

namespace cairn::acpi {

/// Enters the port if it is one that we can drive: a 16550 at ports, or in memory.
void read_spcr(std::span<const std::byte> table, arch::PlatformDescription& platform);

}  // namespace cairn::acpi
