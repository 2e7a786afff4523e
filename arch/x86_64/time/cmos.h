#pragma once
/// Access to the battery clock, for arch::read_wall_clock.

#include "arch/platform.h"

namespace cairn::arch {

/// Remembers whether there is one and where its century is. From initialize_clock.
void initialize_cmos(const PlatformDescription& platform);

}  // namespace cairn::arch
