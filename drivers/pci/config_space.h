#pragma once
/// Configuration space of PCI functions: 256 bytes each through two I/O ports (PCI Local Bus 3.0, 3.2.2.3.2), 4096 with
/// PCI Express through memory, whose place the firmware's MCFG tells (PCI Firmware 3.0, 4.1.2).
///
/// Drivers and tests see the interface ConfigSpace. MachineConfigSpace is that of a PC.

#include <cstddef>
#include <optional>
#include <span>

#include "arch/platform.h"
#include "kernel/base/format.h"
#include "kernel/base/own.h"
#include "kernel/boot/memory_map.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::pci {

/// Where a function is: "0000:00:1f.2".
struct FunctionAddress {
    u16 segment = 0;
    u8 bus = 0;
    u8 device = 0;    // 0 … 31
    u8 function = 0;  // 0 … 7
    constexpr bool operator==(const FunctionAddress&) const = default;
    void write_to(TextBuffer& text) const;
};

class ConfigSpace {
public:
    /// `bytes` (1, 2 or 4) at an offset that is a multiple of them. All ones where nothing is. Any context.
    virtual u32 read(const FunctionAddress& address, u32 offset, u32 bytes) = 0;
    virtual void write(const FunctionAddress& address, u32 offset, u32 bytes, u32 value) = 0;
    /// How much of a function can be reached: 256, 4096, or 0: there are no such buses.
    virtual u32 reach(u16 segment, u8 bus) = 0;

protected:
    ~ConfigSpace() = default;
};

class MachineConfigSpace final : public ConfigSpace {
public:
    /// Looks for both ways. A window of MCFG is used unless it lies in memory, or does not show the same as the ports.
    /// ENODEV: there is no PCI; ENOMEM. Thread context.
    static Result<Own<MachineConfigSpace>> create(const arch::PlatformDescription& platform,
                                                  const boot::MemoryMap& memory);

    u32 read(const FunctionAddress& address, u32 offset, u32 bytes) override;
    void write(const FunctionAddress& address, u32 offset, u32 bytes, u32 value) override;
    u32 reach(u16 segment, u8 bus) override;

private:
    static constexpr u32 kBuses = 256;
    /// One window; the buses are mapped when they are first asked for by reach().
    struct Window {
        arch::PciConfigWindow where;
        volatile u8* buses[kBuses] = {};
        Window* next = nullptr;
    };

    Window* find(u16 segment, u8 bus);
    volatile u8* registers_of(const FunctionAddress& address, u32 offset);
    void consider(const arch::PciConfigWindow& where, const boot::MemoryMap& memory);
    bool agrees_with_ports(Window& window);
    u32 read_by_ports(const FunctionAddress& address, u32 offset, u32 bytes);

    bool has_ports_ = false;
    SpinLock<LockRank::Device> port_lock_;  // the pair of ports
    Window* windows_ = nullptr;             // owned, for ever; changed by create() only
};

}  // namespace cairn::pci
