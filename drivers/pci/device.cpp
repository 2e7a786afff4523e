/// What the header of a function says; see device.h.

#include "drivers/pci/device.h"

#include "arch/arch.h"
#include "drivers/devices/address_ranges.h"
#include "drivers/pci/driver.h"
#include "drivers/pci/registers.h"
#include "kernel/base/kernel.h"
#include "kernel/sched/thread.h"
#include "mm/kernel_space.h"

namespace cairn::pci {

namespace {

/// More capabilities than fit into 192 bytes: the chain loops.
constexpr u32 kMostCapabilities = 48;
constexpr u32 kMostExtendedCapabilities = (4096 - 256) / 8;
constexpr u32 kFirstExtended = 0x100;

/// Bridges have two BARs, others none but devices proper.
u32 bar_count(u8 header_kind) {
    return header_kind == kHeaderDevice ? Device::kBars : header_kind == kHeaderBridge ? 2 : 0;
}

Bar make_window(u64 base, u64 limit, u64 granule, Bar::Kind kind, bool prefetchable = false) {
    return limit < base ? Bar{} : Bar{kind, false, prefetchable, base, limit - base + granule};
}

}  // namespace

void Device::read_header(u32 reach) {
    vendor_ = read16(kVendorId);
    device_ = read16(kDeviceId);
    const u32 revision = read32(kRevision);
    class_code_ = revision >> 8;
    revision_ = static_cast<u8>(revision);
    const u8 header = read8(kHeaderType);
    header_kind_ = header & kHeaderKind;
    multi_function_ = (header & kHeaderMultiFunction) != 0;
    const u8 pin = read8(kInterruptPin);
    interrupt_pin_ = pin <= 4 ? pin : u8{0};
    if (header_kind_ == kHeaderDevice) {
        subsystem_vendor_ = read16(kSubsystemVendor);
        subsystem_ = read16(kSubsystem);
    } else if (const u32 at = find_capability(kCapabilityBridgeSubsystem); at != 0) {
        subsystem_vendor_ = read16(at + 4);
        subsystem_ = read16(at + 6);
    }
    // Only PCI Express has more than 256 bytes; elsewhere the window shows the same ones again, or nothing.
    const bool extended =
        reach > kFirstExtended && find_capability(kCapabilityExpress) != 0 && read32(kFirstExtended) != ~u32{0};
    config_size_ = extended ? reach : kFirstExtended;
    read_bars();
    if (is_bridge()) {
        read_windows();
    }
    quieten_interrupts();
}

u32 Device::find_capability(u8 id) const {
    if ((read16(kStatus) & kStatusCapabilities) == 0) {
        return 0;
    }
    u32 at = read8(kFirstCapability) & ~3u;
    for (u32 i = 0; i < kMostCapabilities && at >= kHeaderEnd; ++i) {
        const u16 word = read16(at);
        if (static_cast<u8>(word) == id) {
            return at;
        }
        at = word >> 8 & ~3u;
    }
    return 0;
}

u32 Device::find_extended_capability(u16 id) const {
    u32 at = kFirstExtended;
    for (u32 i = 0; i < kMostExtendedCapabilities && at >= kFirstExtended && at < config_size_; ++i) {
        const u32 word = read32(at);
        if (word == 0 || word == ~u32{0}) {
            return 0;
        }
        if (static_cast<u16>(word) == id) {
            return at;
        }
        at = word >> 20 & ~3u;
    }
    return 0;
}

// --- Addresses ----------------------------------------------------------------------------------------------------

/// The bits that can be set are those of the size (PCI Local Bus 3.0, 6.2.5.1).
u32 Device::probe_bar(u32 offset, u32 writable) {
    const u32 before = read32(offset);
    write32(offset, writable);
    const u32 seen = read32(offset);
    write32(offset, before);
    return seen;
}

/// A 64-bit BAR's upper half goes into `bar.address`; returns the writable bits of both.
u64 Device::add_upper_half(u32 offset, u64 low_mask, Bar& bar) {
    bar.address |= u64{read32(offset + 4)} << 32;
    return low_mask | u64{probe_bar(offset + 4, ~u32{0})} << 32;
}

Bar Device::size_bar(u32 offset, bool is_rom) {
    const u32 value = read32(offset);
    Bar bar;
    const bool io = !is_rom && (value & kBarIo) != 0;
    // The lowest bits of each kind are flags.
    const u32 flags = is_rom ? 0x7ffu : io ? 3u : 0xfu;
    const u32 seen = probe_bar(offset, is_rom ? ~kRomEnable : ~u32{0});
    if (seen == ~u32{0}) {
        return bar;  // nothing answers
    }
    bar.address = value & ~flags;
    u64 mask = seen & ~flags;
    bar.is_64_bit = !io && !is_rom && (value & kBarMemoryType) == kBarMemory64 && offset + 8 <= kFirstBar + 4 * kBars;
    bar.prefetchable = !io && !is_rom && (value & kBarPrefetch) != 0;
    if (io) {
        mask |= 0xffff'0000;  // many implement the lower half only
    }
    if (bar.is_64_bit) {
        mask = add_upper_half(offset, mask, bar);
    } else {
        mask |= ~u64{0} << 32;
    }
    if ((seen & ~flags) == 0 && !(bar.is_64_bit && mask != 0)) {
        return {};  // not implemented
    }
    bar.size = ~mask + 1;
    // One run of ones above zeros, or the register is no BAR.
    const bool sound = bar.size != 0 && (bar.size & (bar.size - 1)) == 0 && (bar.address & (bar.size - 1)) == 0;
    if (!sound) {
        bar.kind = Bar::Kind::None;
        bar.address = bar.size = 0;
        return bar;
    }
    bar.kind = io ? Bar::Kind::Io : Bar::Kind::Memory;
    return bar;
}

/// The device answers to none of its addresses meanwhile, except for host bridges, without whose memory the CPU itself
/// would stand still (Linux: mmio_always_on). Nobody may use it, so interrupts are off, and the log waits.
void Device::read_bars() {
    const arch::InterruptState interrupts = arch::disable_interrupts();
    const u16 command = read16(kCommand);
    const bool keep_decoding = class_code_ >> 8 == kClassHostBridge;
    if (!keep_decoding) {
        write16(kCommand, static_cast<u16>(command & ~(kCommandIo | kCommandMemory)));
    }
    const u32 count = bar_count(header_kind_);
    for (u32 i = 0; i < count; ++i) {
        bars_[i] = size_bar(kFirstBar + 4 * i, false);
        i += bars_[i].is_64_bit ? 1 : 0;
    }
    if (count != 0) {
        bars_[kRomBar] = size_bar(is_bridge() ? kBridgeRom : kRom, true);
    }
    if (!keep_decoding) {
        write16(kCommand, command);
    }
    arch::restore_interrupts(interrupts);
}

/// PCI-to-PCI Bridge 1.2, 3.2.5.6 to 3.2.5.10. A limit below its base: nothing is handed on.
void Device::read_windows() {
    const u8 io_base = read8(kIoBase);
    if (io_base != 0 || read8(kIoLimit) != 0) {
        u64 base = u64{io_base & 0xf0u} << 8;
        u64 limit = u64{read8(kIoLimit) & 0xf0u} << 8;
        if ((io_base & 0xf) == 1) {
            base |= u64{read16(kIoBaseUpper)} << 16;
            limit |= u64{read16(kIoLimitUpper)} << 16;
        }
        windows_[0] = make_window(base, limit, 4 * kKiB, Bar::Kind::Io);
    }
    windows_[1] = make_window(u64{read16(kMemoryBase) & 0xfff0u} << 16, u64{read16(kMemoryLimit) & 0xfff0u} << 16, kMiB,
                              Bar::Kind::Memory);
    const u16 prefetch_base = read16(kPrefetchBase);
    if (prefetch_base != 0 || read16(kPrefetchLimit) != 0) {
        u64 base = u64{prefetch_base & 0xfff0u} << 16;
        u64 limit = u64{read16(kPrefetchLimit) & 0xfff0u} << 16;
        if ((prefetch_base & 0xf) == 1) {
            base |= u64{read32(kPrefetchBaseUpper)} << 32;
            limit |= u64{read32(kPrefetchLimitUpper)} << 32;
        }
        windows_[2] = make_window(base, limit, kMiB, Bar::Kind::Memory, true);
        windows_[2].is_64_bit = (prefetch_base & 0xf) == 1;
    }
}

Result<MappedBar> Device::map_bar(u32 index) {
    if (index >= kBars || bars_[index].kind != Bar::Kind::Memory) {
        return fail(Errno::enodev);
    }
    const Bar& bar = bars_[index];
    if (bar.address == 0 || bar.address + bar.size > boot::MemoryMap::kAddressLimit.value) {
        return fail(Errno::enxio);
    }
    void* mapped = TRY(g_kernel.kernel_space->map_device({{bar.address}, {bar.address + bar.size}}));
    if (driver() != nullptr) {
        devices::note_range(devices::RangeKind::Memory, bar.address, bar.size, driver()->name);
    }
    return MappedBar{static_cast<volatile u8*>(mapped), bar.size};
}

void Device::enable() {
    if (const u32 power = find_capability(kCapabilityPower); power != 0) {
        const u16 control = read16(power + kPowerControl);
        if ((control & kPowerState) != 0) {
            write16(power + kPowerControl, static_cast<u16>(control & ~kPowerState));
            constexpr Nanoseconds kRecovery = Nanoseconds::from_milliseconds(10);  // from D3hot (PCI PM 1.2, 5.4)
            sched::sleep_for(kRecovery);
        }
    }
    u16 command = read16(kCommand) | kCommandMaster;
    for (const Bar& bar : bars_) {
        const bool is_rom = &bar == &bars_[kRomBar];
        if (!is_rom && bar.kind != Bar::Kind::None && bar.address != 0) {
            command |= bar.kind == Bar::Kind::Io ? kCommandIo : kCommandMemory;
        }
    }
    write16(kCommand, command);
}

}  // namespace cairn::pci
