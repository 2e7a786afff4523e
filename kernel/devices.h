#pragma once
/// The devices beyond what a kernel needs to run: found at start-up, driven by threads.

#include "arch/platform.h"
#include "kernel/boot/information.h"

namespace cairn {

/// Looks for devices and starts their drivers. What goes wrong is logged, and the rest goes on. Boot CPU, thread
/// context, once, after start_process_layers.
void start_devices(const arch::PlatformDescription& platform, const boot::Information& information);

}  // namespace cairn
