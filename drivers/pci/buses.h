#pragma once
/// Buses: all PCI devices of the machine. They are found once, at start-up, along the numbers that the firmware gave to
/// the buses behind bridges; then the devices never change. g_kernel.pci.

#include "drivers/pci/device.h"

namespace cairn::pci {

class Buses {
public:
    /// Looks for the devices of a PC and makes g_kernel.pci, even when there is no PCI. ENOMEM. Start-up, in a thread.
    static Result<void> start(const arch::PlatformDescription& platform, const boot::MemoryMap& memory);

    /// Looks for the devices on the bus and behind its bridges. A bridge that names a bus twice, or one that its own
    /// parent does not lead to, is taken for one without a bus. ENOMEM: some are missing.
    Result<void> enumerate(u16 segment, u8 root_bus);
    /// Takes the addresses from BARs that lie in memory: no device is there that could answer. A log line for each.
    void check_against_memory(const boot::MemoryMap& memory);
    /// What the firmware wrote into the devices' interrupt-line registers becomes their pins' lines, where nothing
    /// better is known: an ISA interrupt, which PCI drives as a low level unless the firmware says otherwise.
    void route_pins(const arch::PlatformDescription& platform);
    /// The same from somebody who knows better; before drivers are probed.
    static void set_pin_line(Device& device, arch::InterruptLine line) { device.pin_line_ = line; }
    /// Enters the devices into the tree of devices (nodes.cpp). ENOMEM: some are missing.
    Result<void> add_nodes();
    /// Writes the device's line of /proc/bus/pci/devices.
    static void write_line(Device& device, TextBuffer& text);
    /// Gives each device that has a driver to it, in threads. ENOMEM.
    Result<void> probe_drivers();
    /// The driver has taken the device, or has not: links between the two, or forgets the driver.
    static void note_probed(Device& device, bool driven);

    Device* first() const { return first_; }
    Device* find(const FunctionAddress& address) const;
    /// What configuration space is read through; lives for ever.
    ConfigSpace& space() { return space_; }

    explicit Buses(ConfigSpace& space) : space_(space) {}
    ~Buses();

private:
    Result<void> scan_bus(u16 segment, u8 bus, Device* bridge);
    Result<bool> add_function(const FunctionAddress& address, Device* bridge, u32 reach);
    void read_bridge(Device& bridge);
    Result<void> add_node(Device& device);
    static Result<Device*> add_bus_files(Device& first);

    ConfigSpace& space_;
    Device* first_ = nullptr;  // owned
    Device* last_ = nullptr;
    u16 segment_ = 0;
    u32 seen_[256 / 32] = {};  // buses of this segment
};

/// Calls `visit(device)` for each device of the machine.
template <typename Visit>
void for_each_device(const Buses& buses, Visit visit) {
    for (Device* device = buses.first(); device != nullptr; device = device->next()) {
        visit(*device);
    }
}

}  // namespace cairn::pci
