#pragma once
/// Known faults and weaknesses of processors, and the microcode that may have repaired them.

#include "kernel/base/types.h"

namespace cairn::arch {

/// Does on the calling CPU what the table of errata says; on the boot CPU also says so in the log, with the level of
/// the microcode. From initialize_cpu.
void handle_errata(bool is_boot_cpu);

/// The level of the boot CPU's microcode; 0: not known.
u32 microcode_level();

}  // namespace cairn::arch
