#pragma once
/// A hub (USB 2.0, 11; USB 3.2, 10): powers its ports, and tells its controller of what comes and goes at them.

#include "drivers/usb/device.h"

namespace cairn::usb {

/// Takes charge of a hub's interface. ENOMEM, EINVAL, or what a request to it gives.
Result<Function*> create_hub(Device& device, const Interface& interface);

}  // namespace cairn::usb
