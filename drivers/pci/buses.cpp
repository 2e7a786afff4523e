/// See buses.h.

#include "drivers/pci/buses.h"

#include "drivers/pci/driver.h"
#include "drivers/pci/registers.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"

namespace cairn::pci {

namespace {

/// No functions answer on any bus of a machine without PCI.
class NoConfigSpace final : public ConfigSpace {
public:
    u32 read(const FunctionAddress&, u32, u32) override { return ~u32{0}; }
    void write(const FunctionAddress&, u32, u32, u32) override {}
    u32 reach(u16, u8) override { return 0; }
};
constinit NoConfigSpace no_config_space;

struct Probe {
    Device* device;
    const Driver* driver;
};

void write_name(TextBuffer& text, const Device& device) {
    device.address().write_to(text);
}

void run_probe(void* argument) {
    Device& device = *static_cast<Device*>(argument);
    const Driver& driver = *device.driver();
    Result<void> probed = driver.probe(device);
    char storage[16];
    TextBuffer name{std::span(storage)};
    write_name(name, device);
    if (!probed.ok()) {
        log_warning("pci", "{}: {} cannot drive it: {}", name.view(), driver.name, probed.error());
    }
    Buses::note_probed(device, probed.ok());
}

}  // namespace

bool Match::fits(const Device& candidate) const {
    return (vendor == kAny || vendor == candidate.vendor()) && (device == kAny || device == candidate.device()) &&
           ((class_code ^ candidate.class_code()) & class_mask) == 0;
}

Buses::~Buses() {
    while (Device* device = first_) {
        first_ = device->next_;
        Own<Device>::adopt(device).reset();
    }
}

Result<void> Buses::start(const arch::PlatformDescription& platform, const boot::MemoryMap& memory) {
    Result<Own<MachineConfigSpace>> space = MachineConfigSpace::create(platform, memory);
    ConfigSpace* used = &no_config_space;
    if (space.ok()) {
        used = space.value().release();
    } else if (space.error() != Errno::enodev) {
        return space.failure();
    }
    Own<Buses> made = TRY(try_new<Buses>(*used));
    Buses& buses = *made.release();
    g_kernel.pci = &buses;
    if (!space.ok()) {
        log_info("pci", "no PCI");
        return {};
    }
    TRY(buses.enumerate(0, 0));
    for (u32 i = 0; i < platform.pci_window_count; ++i) {
        const arch::PciConfigWindow& window = platform.pci_windows[i];
        if (window.segment != 0) {
            TRY(buses.enumerate(window.segment, window.first_bus));
        }
    }
    buses.check_against_memory(memory);
    buses.route_pins(platform);
    return {};
}

void Buses::check_against_memory(const boot::MemoryMap& memory) {
    for (Device* device = first_; device != nullptr; device = device->next_) {
        for (Bar& bar : device->bars_) {
            const PhysicalRange range{{bar.address}, {bar.address + bar.size}};
            if (bar.kind != Bar::Kind::Memory || bar.address == 0 || !memory.has_ram(range)) {
                continue;
            }
            char storage[16];
            TextBuffer name{std::span(storage)};
            write_name(name, *device);
            log_warning("pci", "{}: the registers at {} would lie in memory and are not used", name.view(),
                        range.start);
            bar.address = 0;
        }
    }
}

Device* Buses::find(const FunctionAddress& address) const {
    for (Device* device = first_; device != nullptr; device = device->next_) {
        if (device->address() == address) {
            return device;
        }
    }
    return nullptr;
}

Result<void> Buses::enumerate(u16 segment, u8 root_bus) {
    if (segment != segment_) {
        segment_ = segment;
        std::fill(std::begin(seen_), std::end(seen_), 0u);
    }
    Device* before = last_;
    TRY(scan_bus(segment, root_bus, nullptr));
    // Bridges are found while others are looked behind; each bus is looked at once, so this ends.
    for (Device* device = before == nullptr ? first_ : before->next_; device != nullptr; device = device->next_) {
        if (device->is_bridge()) {
            read_bridge(*device);
            if (device->secondary_bus_ != 0) {
                TRY(scan_bus(segment, device->secondary_bus_, device));
            }
        }
    }
    return {};
}

/// Leaves secondary_bus_ 0 when the numbers cannot be right.
void Buses::read_bridge(Device& bridge) {
    const u32 numbers = bridge.read32(kPrimaryBus);
    const u8 primary = static_cast<u8>(numbers);
    const u8 secondary = static_cast<u8>(numbers >> 8);
    const u8 subordinate = static_cast<u8>(numbers >> 16);
    const bool seen = (seen_[secondary / 32] >> secondary % 32 & 1) != 0;
    if (primary == bridge.address().bus && secondary > primary && subordinate >= secondary && !seen) {
        bridge.secondary_bus_ = secondary;
        return;
    }
    char storage[16];
    TextBuffer name{std::span(storage)};
    write_name(name, bridge);
    log_warning("pci", "{}: bridge from bus {:02x} to {:02x}-{:02x}: what is behind it is not used", name.view(),
                primary, secondary, subordinate);
}

Result<void> Buses::scan_bus(u16 segment, u8 bus, Device* bridge) {
    u32& word = seen_[bus / 32];
    const u32 bit = u32{1} << bus % 32;
    const u32 reach = space_.reach(segment, bus);
    if ((word & bit) != 0 || reach == 0) {
        return {};
    }
    word |= bit;
    for (u32 device = 0; device < kDevicesOfBus; ++device) {
        for (u32 function = 0; function < kFunctionsOfDevice; ++function) {
            const FunctionAddress address{segment, bus, static_cast<u8>(device), static_cast<u8>(function)};
            const bool present = TRY(add_function(address, bridge, reach));
            // Without function 0 there is no device, and others are there only if that one says so (6.1).
            if (function == 0 && (!present || !last_->is_multi_function())) {
                break;
            }
        }
    }
    return {};
}

Result<bool> Buses::add_function(const FunctionAddress& address, Device* bridge, u32 reach) {
    const u32 identity = space_.read(address, kVendorId, 4);
    const u16 vendor = static_cast<u16>(identity);
    if (vendor == 0xffff || vendor == 0) {
        return false;
    }
    Own<Device> made = TRY(try_new<Device>(space_, address, bridge));
    made->read_header(reach);
    Device* device = made.release();
    (last_ == nullptr ? first_ : last_->next_) = device;
    last_ = device;
    char storage[16];
    TextBuffer name{std::span(storage)};
    write_name(name, *device);
    log_info("pci", "{} [{:04x}:{:04x}] class {:06x}", name.view(), device->vendor(), device->device(),
             device->class_code());
    return true;
}

void Buses::route_pins(const arch::PlatformDescription& platform) {
    constexpr u8 kIsaInterrupts = 16;
    for (Device* device = first_; device != nullptr; device = device->next_) {
        const u8 irq = device->read8(kInterruptLine);
        if (device->interrupt_pin() == 0 || device->pin_line_ || irq == 0 || irq >= kIsaInterrupts) {
            continue;
        }
        arch::InterruptLine line = arch::isa_interrupt_line(platform, irq);
        if (line.trigger == arch::InterruptTrigger::EdgeHigh) {
            line.trigger = arch::InterruptTrigger::LevelLow;
        }
        device->pin_line_ = line;
    }
}

Result<void> Buses::probe_drivers() {
    for (Device* device = first_; device != nullptr; device = device->next_) {
        for (const Driver* driver : drivers()) {
            bool fits = false;
            for (const Match& match : driver->matches) {
                fits = fits || match.fits(*device);
            }
            if (!fits || device->driver() != nullptr) {
                continue;
            }
            device->driver_.store(driver, Order::release);
            Ref<sched::Thread> thread = TRY(sched::Thread::create(driver->name, &run_probe, device));
            thread->start();
        }
    }
    return {};
}

}  // namespace cairn::pci
