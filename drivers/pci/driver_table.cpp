/// The table of drivers of PCI devices.

#include "drivers/pci/driver.h"

namespace cairn::pci {

std::span<const Driver* const> drivers() {
    return {};  // xHCI is going to be the first
}

}  // namespace cairn::pci
