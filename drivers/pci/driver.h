#pragma once
/// Drivers of PCI devices. A driver is one Driver and one row in driver_table.cpp.

#include <span>
#include <string_view>

#include "drivers/pci/device.h"

namespace cairn::pci {

/// Which devices; what is not given fits every device.
struct Match {
    static constexpr u32 kAny = ~u32{0};
    u32 vendor = kAny;
    u32 device = kAny;
    u32 class_code = 0;  // compared in the bits of class_mask
    u32 class_mask = 0;

    static constexpr Match of_class(u32 class_code, u32 mask = 0xffffff) {
        return {.class_code = class_code, .class_mask = mask};
    }
    static constexpr Match of_device(u16 vendor, u16 device) { return {.vendor = vendor, .device = device}; }
    bool fits(const Device& device) const;
};

struct Driver {
    std::string_view name;
    std::span<const Match> matches;
    /// Takes charge of the device. In a thread of its own, once for each device, while programs may run already; an
    /// error leaves the device without a driver and is logged.
    Result<void> (*probe)(Device& device);
};

/// All drivers; the first that fits gets the device.
std::span<const Driver* const> drivers();

}  // namespace cairn::pci
