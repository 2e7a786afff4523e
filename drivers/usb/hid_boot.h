#pragma once
/// Keyboards and mice by the boot protocol (HID 1.11, appendix B): from reports to events.

#include <span>

#include "drivers/input/input_device.h"

namespace cairn::usb {

constexpr u8 kBootSubclass = 1;
constexpr u8 kKeyboardProtocol = 1, kMouseProtocol = 2;

/// What keys a boot keyboard can have.
drivers::InputCapabilities boot_keyboard_capabilities();

/// The key of a usage on the page Keyboard (HID Usage Tables, 10); 0: none.
u16 key_of_usage(u8 usage);

class BootKeyboard {
public:
    static constexpr usize kReportSize = 8;
    /// Reports what has changed since the last one. Shorter reports, and those of too many keys at once, are ignored.
    void take(std::span<const u8> report, drivers::InputDevice& device);

private:
    u8 last_[kReportSize] = {};
};

/// Stateless: what has not changed is dropped by the device.
void take_boot_mouse(std::span<const u8> report, drivers::InputDevice& device);

/// What SET_REPORT sends for the lights that are wanted (a bit for each drivers::light_code).
u8 boot_lights(u32 wanted);

}  // namespace cairn::usb
