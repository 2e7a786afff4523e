#pragma once
/// The vDSO in a new address space: its code, and below it the page of time data that it reads (vdso(7)).

#include <optional>

#include "mm/address_space.h"

namespace cairn::exec {

/// The address of its ELF header (AT_SYSINFO_EHDR); nothing on a machine without one. ENOMEM.
Result<std::optional<u64>> map_vdso(mm::AddressSpace& space);

}  // namespace cairn::exec
