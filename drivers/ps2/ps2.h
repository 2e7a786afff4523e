#pragma once
/// The keyboard and the mouse on the controller of a PC.

#include "arch/platform.h"
#include "kernel/base/result.h"

namespace cairn::drivers {

/// Starts the thread that looks for them; a machine without a controller has the thread end again. After
/// Input::initialize. `platform` lives for ever. ENOMEM.
Result<void> start_ps2(const arch::PlatformDescription& platform);

}  // namespace cairn::drivers
