#pragma once
/// The SRAT: which memory and which CPUs are near each other (ACPI 6.5, 5.2.16).

#include <cstddef>
#include <span>

#include "arch/platform.h"

namespace cairn::acpi {

/// Checks an SRAT (with its header, sum already checked) and logs a line for each of its proximity domains. Nothing
/// else is made of it: memory is taken from wherever it is free. `platform` has its CPUs; others count for nothing.
/// Returns how many domains were logged, at most 64: none, with a line that says why, if any entry of the table is
/// damaged.
u32 read_srat(std::span<const std::byte> table, const arch::PlatformDescription& platform);

}  // namespace cairn::acpi
