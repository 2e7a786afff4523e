#pragma once
/// The MADT: CPUs, I/O interrupt controllers, and where ISA interrupts arrive (ACPI 6.5, 5.2.12).

#include <cstddef>
#include <span>

#include "arch/platform.h"

namespace cairn::acpi {

/// Adds what a MADT (with its header, sum already checked) says to `platform`, whose entry 0 is
/// the boot CPU already. Entries that are damaged end the reading, with a log line.
void read_madt(std::span<const std::byte> table, arch::PlatformDescription& platform);

}  // namespace cairn::acpi
