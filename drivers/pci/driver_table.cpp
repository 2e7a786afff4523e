/// The table of drivers of PCI devices.

#include "drivers/pci/driver.h"

#include "drivers/usb/xhci.h"

namespace cairn::pci {

std::span<const Driver* const> drivers() {
    static const Driver* const kDrivers[] = {&usb::xhci_driver()};
    return kDrivers;
}

}  // namespace cairn::pci
