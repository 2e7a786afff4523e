#pragma once
/// The MCFG: where configuration space of PCI Express is in memory (PCI Firmware Specification 3.0, 4.1.2).

#include <cstddef>
#include <span>

#include "arch/platform.h"

namespace cairn::acpi {

/// Adds the windows of an MCFG (with its header, sum already checked). One that cannot be is left out, with a log line;
/// whether it lies in memory is for the user to check.
void read_mcfg(std::span<const std::byte> table, arch::PlatformDescription& platform);

}  // namespace cairn::acpi
