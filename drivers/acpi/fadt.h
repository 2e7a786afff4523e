#pragma once
/// The FADT: power management registers and what legacy hardware there is (ACPI 6.5, 5.2.9).

#include <cstddef>
#include <span>

#include "arch/platform.h"
#include "kernel/base/address.h"

namespace cairn::acpi {

/// A register that `platform` may use: in memory or an I/O port, and not at zero.
bool register_usable(const arch::GenericAddress& address);

/// Reads a generic address structure (5.2.3.2) at `offset`; an absent register when it is outside.
arch::GenericAddress load_generic_address(std::span<const std::byte> table, u64 offset);

/// Takes from a FADT (with its header, sum already checked) whatever it is long enough for.
/// Returns where the DSDT is; zero when it does not say.
PhysicalAddress read_fadt(std::span<const std::byte> table, arch::PlatformDescription& platform);

}  // namespace cairn::acpi
