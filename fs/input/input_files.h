#pragma once
/// The files of input devices under /dev/input, which come and go with their devices.

#include "kernel/base/result.h"

namespace cairn::fs::input {

/// Registers the device numbers and listens for devices. Start-up, after drivers::Input::initialize and devtmpfs,
/// before any device. ENOMEM.
Result<void> initialize();

}  // namespace cairn::fs::input
