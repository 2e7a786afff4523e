#pragma once
/// What the power button does. Process 1 gets SIGPWR if it has a handler for it, and ends the session; when it has
/// none, or the button is pressed again, the kernel writes out what is not on disks yet and switches off.

#include "arch/platform.h"
#include "kernel/base/result.h"

namespace cairn {

/// Starts the thread that waits for it. ENODEV: the machine has no button; else as FixedEvents::start(). Thread
/// context.
Result<void> start_power_button(const arch::PlatformDescription& platform);

}  // namespace cairn
