#pragma once
/// Finds the screen that the firmware or boot loader has set up.

#include "drivers/display/screen.h"
#include "kernel/boot/information.h"

namespace cairn::drivers {

/// The framebuffer that the boot loader tells of, or VGA's text mode if it tells of that or of nothing on a BIOS
/// machine that has it. Lives for ever. ENODEV: there is no screen; ENOMEM. Start-up, once there is a heap.
Result<Screen*> find_screen(const boot::Information& information);

}  // namespace cairn::drivers
