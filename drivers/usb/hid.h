#pragma once
/// Keyboards and mice on USB, by the boot protocol of HID.

#include "drivers/usb/device.h"

namespace cairn::usb {

/// Takes charge of an interface of class HID if it is a boot keyboard or mouse; null: it is none. ENOMEM, EINVAL.
Result<Function*> create_boot_device(Device& device, const Interface& interface);

}  // namespace cairn::usb
