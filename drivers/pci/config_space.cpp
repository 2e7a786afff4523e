/// See config_space.h.

#include "drivers/pci/config_space.h"

#include "arch/arch.h"
#include "drivers/devices/address_ranges.h"
#include "drivers/pci/registers.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "mm/kernel_space.h"

namespace cairn::pci {

namespace {

constexpr u16 kAddressPort = 0xcf8;
constexpr u16 kDataPort = 0xcfc;
constexpr u32 kAddressEnable = 1u << 31;
constexpr u32 kPortReach = 256;
constexpr u32 kWindowReach = 4096;
constexpr u64 kBytesOfBus = kMiB;

constexpr u32 all_ones(u32 bytes) {
    return bytes == 4 ? ~u32{0} : (u32{1} << bytes * 8) - 1;
}

u32 address_word(const FunctionAddress& address, u32 offset) {
    return kAddressEnable | u32{address.bus} << 16 | u32{address.device} << 11 | u32{address.function} << 8 |
           (offset & 0xfc);
}

/// The address register keeps what is written there, and nothing else in a PC's ports does (Linux: pci_check_type1).
bool ports_answer() {
    const u32 before = arch::io_read32(kAddressPort);
    arch::io_write32(kAddressPort, kAddressEnable);
    const bool kept = arch::io_read32(kAddressPort) == kAddressEnable;
    arch::io_write32(kAddressPort, before);
    return kept;
}

/// RAM, or what the firmware keeps in it.
bool lies_in_memory(const boot::MemoryMap& memory, PhysicalRange range) {
    for (const boot::MemoryRegion& region : memory.regions()) {
        if (region.kind != boot::MemoryRegion::Kind::Reserved && region.range.overlaps(range)) {
            return true;
        }
    }
    return false;
}

}  // namespace

void FunctionAddress::write_to(TextBuffer& text) const {
    format_to(text, "{:04x}:{:02x}:{:02x}.{}", segment, bus, device, function);
}

Result<Own<MachineConfigSpace>> MachineConfigSpace::create(const arch::PlatformDescription& platform,
                                                           const boot::MemoryMap& memory) {
    Own<MachineConfigSpace> made = TRY(try_new<MachineConfigSpace>());
    made->has_ports_ = ports_answer();
    if (made->has_ports_) {
        devices::note_range(devices::RangeKind::Ports, kAddressPort, 8, "PCI conf1");
    }
    for (u32 i = 0; i < platform.pci_window_count; ++i) {
        made->consider(platform.pci_windows[i], memory);
    }
    if (!made->has_ports_ && made->windows_ == nullptr) {
        return fail(Errno::enodev);
    }
    return made;
}

void MachineConfigSpace::consider(const arch::PciConfigWindow& where, const boot::MemoryMap& memory) {
    const u64 buses = u64{where.last_bus} - where.first_bus + 1;
    const PhysicalRange range{where.address, where.address + buses * kBytesOfBus};
    if (lies_in_memory(memory, range) || find(where.segment, where.first_bus) != nullptr) {
        log_warning("pci", "the configuration window at {} cannot be one and is not used", where.address);
        return;
    }
    Result<Own<Window>> made = try_new<Window>();
    if (!made.ok()) {
        return;
    }
    Window& window = *made.value();
    window.where = where;
    if (where.segment == 0 && has_ports_ && !agrees_with_ports(window)) {
        log_warning("pci", "the configuration window at {} does not show what the ports do and is not used",
                    where.address);
        return;
    }
    log_info("pci", "configuration space of segment {} buses {:02x}-{:02x} at {}", where.segment, where.first_bus,
             where.last_bus, where.address);
    window.next = windows_;
    windows_ = made.value().release();
}

/// The functions of the first bus have the same identities either way, and there is at least one.
bool MachineConfigSpace::agrees_with_ports(Window& window) {
    const u8 bus = window.where.first_bus;
    Result<void*> mapped =
        g_kernel.kernel_space->map_device({window.where.address, window.where.address + kBytesOfBus});
    if (!mapped.ok()) {
        return false;
    }
    window.buses[bus] = static_cast<volatile u8*>(mapped.value());
    Window* others = windows_;
    windows_ = &window;
    bool agrees = true;
    bool any = false;
    for (u32 device = 0; device < kDevicesOfBus; ++device) {
        const FunctionAddress address{0, bus, static_cast<u8>(device), 0};
        const u32 by_ports = read_by_ports(address, kVendorId, 4);
        agrees = agrees && read(address, kVendorId, 4) == by_ports;
        any = any || by_ports != ~u32{0};
    }
    windows_ = others;
    if (!agrees || !any) {
        g_kernel.kernel_space->unmap_device(mapped.value());
    }
    return agrees && any;
}

MachineConfigSpace::Window* MachineConfigSpace::find(u16 segment, u8 bus) {
    for (Window* window = windows_; window != nullptr; window = window->next) {
        const arch::PciConfigWindow& where = window->where;
        if (where.segment == segment && where.first_bus <= bus && bus <= where.last_bus) {
            return window;
        }
    }
    return nullptr;
}

u32 MachineConfigSpace::reach(u16 segment, u8 bus) {
    if (Window* window = find(segment, bus)) {
        if (window->buses[bus] == nullptr) {
            const PhysicalAddress start = window->where.address + (bus - window->where.first_bus) * kBytesOfBus;
            Result<void*> mapped = g_kernel.kernel_space->map_device({start, start + kBytesOfBus});
            window->buses[bus] = mapped.ok() ? static_cast<volatile u8*>(mapped.value()) : nullptr;
        }
        if (window->buses[bus] != nullptr) {
            return kWindowReach;
        }
    }
    return segment == 0 && has_ports_ ? kPortReach : 0;
}

volatile u8* MachineConfigSpace::registers_of(const FunctionAddress& address, u32 offset) {
    Window* window = find(address.segment, address.bus);
    if (window == nullptr || window->buses[address.bus] == nullptr || offset >= kWindowReach) {
        return nullptr;
    }
    return window->buses[address.bus] + (u32{address.device} << 15 | u32{address.function} << 12 | offset);
}

u32 MachineConfigSpace::read_by_ports(const FunctionAddress& address, u32 offset, u32 bytes) {
    SpinLockGuard guard(port_lock_);
    arch::io_write32(kAddressPort, address_word(address, offset));
    const u16 port = static_cast<u16>(kDataPort + (offset & 3));
    return bytes == 1 ? arch::io_read8(port) : bytes == 2 ? arch::io_read16(port) : arch::io_read32(port);
}

u32 MachineConfigSpace::read(const FunctionAddress& address, u32 offset, u32 bytes) {
    if (volatile u8* at = registers_of(address, offset)) {
        // SAFETY: a mapped register; config space takes accesses of each size at its own alignment.
        return bytes == 1   ? *at
               : bytes == 2 ? *static_cast<volatile u16*>(static_cast<volatile void*>(at))
                            : *static_cast<volatile u32*>(static_cast<volatile void*>(at));
    }
    if (address.segment != 0 || !has_ports_ || offset >= kPortReach) {
        return all_ones(bytes);
    }
    return read_by_ports(address, offset, bytes);
}

void MachineConfigSpace::write(const FunctionAddress& address, u32 offset, u32 bytes, u32 value) {
    if (volatile u8* at = registers_of(address, offset)) {
        // SAFETY: as in read().
        if (bytes == 1) {
            *at = static_cast<u8>(value);
        } else if (bytes == 2) {
            *static_cast<volatile u16*>(static_cast<volatile void*>(at)) = static_cast<u16>(value);
        } else {
            *static_cast<volatile u32*>(static_cast<volatile void*>(at)) = value;
        }
        return;
    }
    if (address.segment != 0 || !has_ports_ || offset >= kPortReach) {
        return;
    }
    SpinLockGuard guard(port_lock_);
    arch::io_write32(kAddressPort, address_word(address, offset));
    const u16 port = static_cast<u16>(kDataPort + (offset & 3));
    if (bytes == 1) {
        arch::io_write8(port, static_cast<u8>(value));
    } else if (bytes == 2) {
        arch::io_write16(port, static_cast<u16>(value));
    } else {
        arch::io_write32(port, value);
    }
}

}  // namespace cairn::pci
