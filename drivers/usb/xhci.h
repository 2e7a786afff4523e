#pragma once
/// The row of the table of PCI drivers for xHCI controllers.

namespace cairn::pci {
struct Driver;
}

namespace cairn::usb {

const pci::Driver& xhci_driver();

}  // namespace cairn::usb
