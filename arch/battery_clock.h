#pragma once
/// The registers of a PC's battery clock (MC146818 and its likes), for its driver. A part of the contract of
/// arch/arch.h.

#include "kernel/base/types.h"

namespace cairn::arch {

/// Whether the machine has one, as far as its firmware says. The following need one.
bool has_battery_clock();
/// The register of the century; 0: none.
u8 battery_clock_century();
/// One register, 0 … 127. Any context; rank Device.
u8 read_battery_clock(u8 index);
void write_battery_clock(u8 index, u8 value);

}  // namespace cairn::arch
