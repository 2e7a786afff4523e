/// PCI devices in the tree of devices: /sys/devices/pci0000:00/…, with links in /sys/bus/pci, and the files of
/// /proc/bus/pci. The texts are those of Linux's drivers/pci/pci-sysfs.c and proc.c.

#include <algorithm>

#include "drivers/devices/address_ranges.h"
#include "drivers/devices/device_tree.h"
#include "drivers/pci/buses.h"
#include "drivers/pci/driver.h"
#include "drivers/pci/registers.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"

namespace cairn::pci {

namespace {

// --- Texts --------------------------------------------------------------------------------------------------------

Result<void> show_vendor(Device& device, TextBuffer& text) {
    format_to(text, "0x{:04x}\n", device.vendor());
    return {};
}
Result<void> show_device(Device& device, TextBuffer& text) {
    format_to(text, "0x{:04x}\n", device.device());
    return {};
}
Result<void> show_subsystem_vendor(Device& device, TextBuffer& text) {
    format_to(text, "0x{:04x}\n", device.subsystem_vendor());
    return {};
}
Result<void> show_subsystem_device(Device& device, TextBuffer& text) {
    format_to(text, "0x{:04x}\n", device.subsystem());
    return {};
}
Result<void> show_class(Device& device, TextBuffer& text) {
    format_to(text, "0x{:06x}\n", device.class_code());
    return {};
}
Result<void> show_revision(Device& device, TextBuffer& text) {
    format_to(text, "0x{:02x}\n", device.revision());
    return {};
}
Result<void> show_irq(Device& device, TextBuffer& text) {
    format_to(text, "{}\n", device.interrupt_line().value_or(0));
    return {};
}
Result<void> show_enable(Device& device, TextBuffer& text) {
    format_to(text, "{}\n", device.driver() != nullptr ? 1 : 0);
    return {};
}
Result<void> show_numa_node(Device&, TextBuffer& text) {
    text.append("-1\n");
    return {};
}
Result<void> show_local_cpus(Device&, TextBuffer& text) {
    if (g_kernel.cpu_count == 1) {
        text.append("0\n");
    } else {
        format_to(text, "0-{}\n", g_kernel.cpu_count - 1);
    }
    return {};
}

/// A name and a number in capital digits.
void write_number(TextBuffer& text, std::string_view name, u32 number, u32 digits) {
    text.append(name);
    while (digits-- > 0) {
        text.append("0123456789ABCDEF"[number >> 4 * digits & 15]);
    }
}

void write_alias(const Device& device, TextBuffer& text) {
    write_number(text, "pci:v", device.vendor(), 8);
    write_number(text, "d", device.device(), 8);
    write_number(text, "sv", device.subsystem_vendor(), 8);
    write_number(text, "sd", device.subsystem(), 8);
    write_number(text, "bc", device.class_code() >> 16, 2);
    write_number(text, "sc", device.class_code() >> 8, 2);
    write_number(text, "i", device.class_code(), 2);
}
Result<void> show_alias(Device& device, TextBuffer& text) {
    write_alias(device, text);
    text.append('\n');
    return {};
}
Result<void> show_event(Device& device, TextBuffer& text) {
    if (const Driver* driver = device.driver()) {
        format_to(text, "DRIVER={}\n", driver->name);
    }
    write_number(text, "PCI_CLASS=", device.class_code(),
                 device.class_code() > 0xfffff  ? 6
                 : device.class_code() > 0xffff ? 5
                                                : 4);
    write_number(text, "\nPCI_ID=", device.vendor(), 4);
    write_number(text, ":", device.device(), 4);
    write_number(text, "\nPCI_SUBSYS_ID=", device.subsystem_vendor(), 4);
    write_number(text, ":", device.subsystem(), 4);
    text.append("\nPCI_SLOT_NAME=");
    device.address().write_to(text);
    text.append("\nMODALIAS=");
    write_alias(device, text);
    text.append('\n');
    return {};
}

/// Flags of <linux/ioport.h>, which lspci(8) reads.
u64 resource_flags(const Bar& bar, bool is_rom, bool is_window) {
    constexpr u64 kIo = 0x100, kMemory = 0x200, kPrefetch = 0x2000, kReadOnly = 0x4000, kSizeAligned = 0x40000,
                  kMemory64 = 0x100000;
    constexpr u64 kPrefetchBits = 0x8, k64Bits = 0x4, kIoBit = 1;
    if (bar.kind == Bar::Kind::Io) {
        return kIo | (is_window ? 0 : kIoBit | kSizeAligned);
    }
    u64 flags =
        kMemory | (bar.prefetchable ? kPrefetch | kPrefetchBits : 0) | (bar.is_64_bit ? kMemory64 | k64Bits : 0);
    if (is_rom) {
        return flags | kReadOnly | kPrefetch | kSizeAligned;
    }
    constexpr u64 kWindow64 = 1;  // the window's own bit of that meaning
    return is_window ? (flags & ~u64{0xf}) | (bar.is_64_bit ? kWindow64 : 0) : flags | kSizeAligned;
}

void write_resource(const Bar& bar, bool is_rom, bool is_window, TextBuffer& text) {
    const bool none = bar.kind == Bar::Kind::None;
    const u64 end = none ? 0 : bar.address + bar.size - 1;
    format_to(text, "0x{:016x} 0x{:016x} 0x{:016x}\n", none ? u64{0} : bar.address, end,
              none ? u64{0} : resource_flags(bar, is_rom, is_window));
}

/// Six BARs, the ROM, six of virtual functions; of bridges then the windows.
Result<void> show_resources(Device& device, TextBuffer& text) {
    constexpr u32 kVirtualFunctions = 6;
    constexpr u32 kWindowLines = 4;
    const Bar none;
    for (u32 i = 0; i <= Device::kRomBar; ++i) {
        write_resource(device.bar(i), i == Device::kRomBar, false, text);
    }
    for (u32 i = 0; i < kVirtualFunctions; ++i) {
        write_resource(none, false, false, text);
    }
    if (device.is_bridge()) {
        for (u32 i = 0; i < kWindowLines; ++i) {
            write_resource(i < Device::kBridgeWindows ? device.window(i) : none, false, true, text);
        }
    }
    return {};
}

bool is_display(Device& device) {
    constexpr u32 kVga = 0x0300;
    return device.class_code() >> 8 == kVga;
}
/// The one that the firmware drew on: its legacy addresses are decoded.
Result<void> show_boot_display(Device& device, TextBuffer& text) {
    constexpr u16 kBoth = kCommandIo | kCommandMemory;
    text.append((device.read16(kCommand) & kBoth) == kBoth ? "1\n" : "0\n");
    return {};
}
bool leads_on(Device& device) {
    return device.is_bridge();
}
Result<void> show_secondary(Device& device, TextBuffer& text) {
    format_to(text, "{}\n", device.secondary_bus());
    return {};
}
Result<void> show_subordinate(Device& device, TextBuffer& text) {
    format_to(text, "{}\n", device.read8(kPrimaryBus + 2));
    return {};
}

// --- Configuration space ------------------------------------------------------------------------------------------

/// Registers beyond the header may stop a device when they are read, so that only administrators may.
constexpr u64 kForAll = 64;

u64 config_size(Device& device) {
    return device.config_size();
}

/// The widest access that offset and rest allow.
u32 access_width(u64 offset, usize rest) {
    return (offset & 3) == 0 && rest >= 4 ? 4 : (offset & 1) == 0 && rest >= 2 ? 2 : 1;
}

Result<usize> read_config(Device& device, u64 offset, std::span<std::byte> to, bool privileged) {
    const u64 end = privileged ? device.config_size() : kForAll;
    if (offset >= end) {
        return usize{0};
    }
    const usize size = static_cast<usize>(std::min<u64>(to.size(), end - offset));
    for (usize done = 0; done < size;) {
        const u32 width = access_width(offset + done, size - done);
        const u32 at = static_cast<u32>(offset + done);
        const u32 value = width == 4 ? device.read32(at) : width == 2 ? device.read16(at) : device.read8(at);
        __builtin_memcpy(to.data() + done, &value, width);
        done += width;
    }
    return size;
}

Result<usize> write_config(Device& device, u64 offset, std::span<const std::byte> from) {
    if (offset >= device.config_size()) {
        return usize{0};
    }
    const usize size = static_cast<usize>(std::min<u64>(from.size(), device.config_size() - offset));
    for (usize done = 0; done < size;) {
        const u32 width = access_width(offset + done, size - done);
        const u32 at = static_cast<u32>(offset + done);
        u32 value = 0;
        __builtin_memcpy(&value, from.data() + done, width);
        if (width == 4) {
            device.write32(at, value);
        } else if (width == 2) {
            device.write16(at, static_cast<u16>(value));
        } else {
            device.write8(at, static_cast<u8>(value));
        }
        done += width;
    }
    return size;
}

using devices::bytes;
using devices::only_if;
using devices::text;

constexpr devices::Attribute kAttributes[] = {
    only_if<&is_display>(text<&show_boot_display>("boot_vga")),
    text<&show_class>("class"),
    bytes<&read_config, &config_size, &write_config>("config", 0644),
    text<&show_device>("device"),
    text<&show_enable>("enable"),
    text<&show_irq>("irq"),
    text<&show_local_cpus>("local_cpulist"),
    text<&show_alias>("modalias"),
    text<&show_numa_node>("numa_node"),
    text<&show_resources>("resource"),
    text<&show_revision>("revision"),
    only_if<&leads_on>(text<&show_secondary>("secondary_bus_number")),
    only_if<&leads_on>(text<&show_subordinate>("subordinate_bus_number")),
    text<&show_subsystem_device>("subsystem_device"),
    text<&show_subsystem_vendor>("subsystem_vendor"),
    text<&show_vendor>("vendor"),
    text<&show_event>("uevent"),
};

constexpr usize kNameLimit = 32;

/// The files of one bus below /proc/bus/pci. For ever.
struct BusFiles {
    OwnArray<devices::Attribute> attributes;
};
constexpr devices::Attribute kBusFile = bytes<&read_config, &config_size, &write_config>("", 0644);

bool same_bus(const Device* one, const Device& other) {
    return one != nullptr && one->address().segment == other.address().segment &&
           one->address().bus == other.address().bus;
}

/// For /proc/iomem and /proc/ioports.
void note_ranges(Device& device, std::string_view name) {
    const auto note = [](const Bar& bar, std::string_view what) {
        if (bar.kind != Bar::Kind::None && bar.address != 0) {
            devices::note_range(bar.kind == Bar::Kind::Io ? devices::RangeKind::Ports : devices::RangeKind::Memory,
                                bar.address, bar.size, what);
        }
    };
    for (u32 i = 0; i <= Device::kRomBar; ++i) {
        note(device.bar(i), name);
    }
    if (device.secondary_bus() != 0) {
        char storage[kNameLimit];
        TextBuffer bus{std::span(storage)};
        format_to(bus, "PCI Bus {:04x}:{:02x}", device.address().segment, device.secondary_bus());
        for (u32 i = 0; i < Device::kBridgeWindows; ++i) {
            note(device.window(i), bus.view());
        }
    }
}

}  // namespace

void Buses::write_line(Device& device, TextBuffer& text) {
    constexpr u64 kLowFlags = 0xf;
    const FunctionAddress& at = device.address();
    format_to(text, "{:02x}{:02x}\t{:04x}{:04x}\t{:x}", at.bus, at.device << 3 | at.function, device.vendor(),
              device.device(), device.interrupt_line().value_or(0));
    for (u32 i = 0; i <= Device::kRomBar; ++i) {
        const Bar& bar = device.bar(i);
        const bool none = bar.kind == Bar::Kind::None;
        format_to(text, "\t{:16x}",
                  none ? u64{0} : bar.address | (resource_flags(bar, i == Device::kRomBar, false) & kLowFlags));
    }
    for (u32 i = 0; i <= Device::kRomBar; ++i) {
        format_to(text, "\t{:16x}", device.bar(i).size);
    }
    const Driver* driver = device.driver();
    format_to(text, "\t{}\n", driver != nullptr ? driver->name : std::string_view());
}

/// Enters the files of the bus whose first function this is; returns the first of another.
Result<Device*> Buses::add_bus_files(Device& first) {
    usize count = 0;
    Device* end = &first;
    for (; same_bus(end, first); end = end->next_) {
        ++count;
    }
    BusFiles& files = *TRY(try_new<BusFiles>()).release();
    files.attributes = TRY(OwnArray<devices::Attribute>::create_for_overwrite(count));
    devices::Attribute* file = files.attributes.data();
    for (Device* device = &first; device != end; device = device->next_, ++file) {
        TextBuffer name{std::span(device->slot_name_)};
        format_to(name, "{:02x}.{}", device->address().device, device->address().function);
        *file = kBusFile;
        file->name = name.view();
        file->own_object = device;
    }
    char storage[kNameLimit];
    TextBuffer name{std::span(storage)};
    if (first.address().segment != 0) {
        format_to(name, "{:04x}:", first.address().segment);
    }
    format_to(name, "{:02x}", first.address().bus);
    Ref<devices::Node> folder = TRY(devices::tree().make_path("proc/bus/pci"));
    [[maybe_unused]] Ref<devices::Node> added = TRY(devices::tree().add(*folder, name.view(), files.attributes.span()));
    return end;
}

Result<void> Buses::add_node(Device& device) {
    devices::DeviceTree& tree = devices::tree();
    char storage[kNameLimit];
    TextBuffer name{std::span(storage)};
    std::optional<Ref<devices::Node>> parent;
    if (device.bridge() != nullptr && device.bridge()->node() != nullptr) {
        parent = Ref<devices::Node>(*device.bridge()->node());
    } else {
        format_to(name, "devices/pci{:04x}:{:02x}", device.address().segment, device.address().bus);
        parent = TRY(tree.make_path(name.view()));
        name.clear();
    }
    device.address().write_to(name);
    Ref<devices::Node> node = TRY(tree.add(**parent, name.view(), kAttributes, &device));
    TRY(tree.add_link("bus/pci/devices", name.view(), *node));
    Ref<devices::Node> bus = TRY(tree.make_path("bus/pci"));
    TRY(tree.add_link(*node, "subsystem", *bus));
    device.node_ = &node.release();
    note_ranges(device, name.view());
    return {};
}

Result<void> Buses::add_nodes() {
    [[maybe_unused]] Ref<devices::Node> folder = TRY(devices::tree().make_path("bus/pci/devices"));
    folder = TRY(devices::tree().make_path("bus/pci/drivers"));
    for (Device* device = first_; device != nullptr; device = device->next_) {
        TRY(add_node(*device));
    }
    for (Device* device = first_; device != nullptr;) {
        device = TRY(add_bus_files(*device));
    }
    return {};
}

namespace {

Result<void> link_driver(Device& device) {
    devices::DeviceTree& tree = devices::tree();
    char storage[kNameLimit + devices::Node::kNameLimit];
    TextBuffer path{std::span(storage)};
    format_to(path, "bus/pci/drivers/{}", device.driver()->name);
    Ref<devices::Node> driver = TRY(tree.make_path(path.view()));
    TRY(tree.add_link(*device.node(), "driver", *driver));
    return tree.add_link(*driver, device.node()->name(), *device.node());
}

}  // namespace

void Buses::note_probed(Device& device, bool driven) {
    if (!driven) {
        device.driver_.store(nullptr, Order::release);
    } else if (device.node() != nullptr && !link_driver(device).ok()) {
        log_warning("pci", "no memory for the links of a driver");
    }
}

}  // namespace cairn::pci
