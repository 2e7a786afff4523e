/// See address_ranges.h. The names are those of Linux, where it has the same thing.

#include "drivers/devices/address_ranges.h"

#include <algorithm>

#include "arch/arch.h"
#include "drivers/devices/device_tree.h"
#include "kernel/base/kernel.h"

namespace cairn::devices {

namespace {

using boot::MemoryRegion;

/// By MemoryRegion::Kind.
constexpr std::string_view kMemoryNames[MemoryRegion::kKinds] = {
    "System RAM", "System RAM", "ACPI Tables", "ACPI Non-volatile Storage", "Reserved", "Unusable memory"};
std::string_view name_of(MemoryRegion::Kind kind) {
    return kMemoryNames[static_cast<usize>(kind)];
}

struct FixedPorts {
    u16 first;
    u16 count;
    char name[8];
};
constexpr FixedPorts kLegacyPorts[] = {{0x20, 2, "pic1"}, {0xa0, 2, "pic2"}, {0x40, 4, "timer0"}};

struct NamedRegister {
    arch::GenericAddress arch::PlatformDescription::* place;
    char name[20];
};
constexpr NamedRegister kRegisters[] = {
    {&arch::PlatformDescription::pm1a_event, "ACPI PM1a_EVT_BLK"},
    {&arch::PlatformDescription::pm1b_event, "ACPI PM1b_EVT_BLK"},
    {&arch::PlatformDescription::pm1a_control, "ACPI PM1a_CNT_BLK"},
    {&arch::PlatformDescription::pm1b_control, "ACPI PM1b_CNT_BLK"},
    {&arch::PlatformDescription::gpe0, "ACPI GPE0_BLK"},
    {&arch::PlatformDescription::gpe1, "ACPI GPE1_BLK"},
};

template <typename... Arguments>
void add_named(AddressRanges& ranges, PhysicalAddress start, u64 size,
               FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    char storage[AddressRanges::kNameLimit];
    TextBuffer name{std::span(storage)};
    format_to(name, format, arguments...);
    ranges.add(RangeKind::Memory, start.value, size, name.view());
}

}  // namespace

AddressRanges& address_ranges() {
    return tree().ranges();
}

void note_range(RangeKind kind, u64 start, u64 size, std::string_view name) {
    if (g_kernel.devices != nullptr) {
        address_ranges().add(kind, start, size, name);
    }
}

void AddressRanges::add(RangeKind kind, u64 start, u64 size, std::string_view name) {
    Result<Own<Range>> made = try_new<Range>();
    if (!made.ok() || size == 0) {
        return;
    }
    Range& range = *made.value().release();
    range.kind = kind;
    range.first = start;
    range.last = start + size - 1;
    range.name_length = static_cast<u8>(std::min(name.size(), kNameLimit));
    std::copy_n(name.data(), range.name_length, range.name);
    sync::ExclusiveGuard guard(lock_);
    for (Range& other : ranges_) {
        if (other.first > range.first || (other.first == range.first && other.last < range.last)) {
            ranges_.insert_before(other, range);
            return;
        }
    }
    ranges_.push_back(range);
}

/// Neighbours of one name are one, though the kernel gets them at different times.
void AddressRanges::add_memory_map(const boot::MemoryMap& map) {
    PhysicalRange pending{};
    std::string_view name;
    for (const MemoryRegion& region : map.regions()) {
        if (name_of(region.kind) == name && region.range.start == pending.end) {
            pending.end = region.range.end;
            continue;
        }
        add(RangeKind::Memory, pending.start.value, pending.size(), name);
        pending = region.range;
        name = name_of(region.kind);
    }
    add(RangeKind::Memory, pending.start.value, pending.size(), name);
}

void AddressRanges::add_machine(const arch::PlatformDescription& platform, const boot::Information& information) {
    add_memory_map(information.memory_map);
    // The first three segments of the image are these; stacks follow.
    constexpr std::string_view kSegments[] = {"Kernel code", "Kernel rodata", "Kernel data"};
    const std::span<const arch::ImageSegment> image = arch::kernel_image();
    for (usize i = 0; i < std::min(image.size(), std::size(kSegments)); ++i) {
        add(RangeKind::Memory, image[i].physical.value, image[i].size, kSegments[i]);
    }
    const boot::Framebuffer& screen = information.framebuffer;
    if (screen.format == boot::Framebuffer::Format::DirectColor) {
        add(RangeKind::Memory, screen.address.value, u64{screen.pitch} * screen.height, "BOOTFB");
    }
    for (u32 i = 0; i < platform.io_controller_count; ++i) {
        add_named(*this, platform.io_controllers[i].address, kKiB, "IOAPIC {}", i);
    }
    add(RangeKind::Memory, platform.local_apic.value, kPageSize, "Local APIC");
    add(RangeKind::Memory, platform.hpet.value, platform.hpet.value != 0 ? kKiB : 0, "HPET 0");
    for (u32 i = 0; i < platform.pci_window_count; ++i) {
        const arch::PciConfigWindow& window = platform.pci_windows[i];
        add_named(*this, window.address, (u64{window.last_bus} - window.first_bus + 1) * kMiB,
                  "PCI ECAM {:04x} [bus {:02x}-{:02x}]", window.segment, window.first_bus, window.last_bus);
    }
    for (const FixedPorts& ports : kLegacyPorts) {
        add(RangeKind::Ports, ports.first, platform.has_legacy_pics ? ports.count : 0, ports.name);
    }
    for (const NamedRegister& named : kRegisters) {
        const arch::GenericAddress& address = platform.*named.place;
        add(address.space == 0 ? RangeKind::Memory : RangeKind::Ports, address.address, address.width / 8u, named.name);
    }
    add(RangeKind::Ports, platform.pm_timer_port, platform.pm_timer_port != 0 ? 4 : 0, "ACPI PM_TMR");
}

}  // namespace cairn::devices
