#pragma once
/// The files of USB devices under /dev/bus/usb, which come and go with their devices.

#include "kernel/base/result.h"

namespace cairn::fs::usb {

/// Registers the device numbers and listens for devices. Start-up, after devtmpfs, before any controller is looked for.
/// ENOMEM.
Result<void> initialize();

}  // namespace cairn::fs::usb
