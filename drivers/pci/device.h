#pragma once
/// pci::Device: one function on a PCI bus, as enumeration found it. Lives for ever.
///
///     Result<void> probe(pci::Device& device) {
///         pci::MappedBar registers = TRY(device.map_bar(0));
///         device.enable();
///         … make the driver's object, which derives from drivers::InterruptHandler …
///         TRY(device.add_interrupt(*object));      // MSI-X, else MSI, else the line
///     }
///
/// Locks: none for what is constant after enumeration. A driver serialises its own writes of one register. Writes of
/// programs (setpci) come in between, as on Linux.

#include <optional>

#include "drivers/interrupt_lines.h"
#include "drivers/pci/config_space.h"
#include "kernel/base/own_array.h"

namespace cairn::devices {
class Node;
}

namespace cairn::pci {

struct Driver;

/// A range of addresses that the device answers to.
struct Bar {
    enum class Kind : u8 { None, Memory, Io };
    Kind kind = Kind::None;
    bool is_64_bit = false;
    bool prefetchable = false;
    u64 address = 0;  // 0: the firmware gave it none
    u64 size = 0;     // a power of two
};

/// Registers in memory, mapped uncached; for ever.
struct MappedBar {
    volatile u8* registers = nullptr;
    u64 size = 0;
};

class Device {
public:
    static constexpr u32 kBars = 6;
    static constexpr u32 kRomBar = 6;
    static constexpr u32 kBridgeWindows = 3;  // I/O, memory, prefetchable memory

    // --- Constant after enumeration --------------------------------------------------------------------------
    const FunctionAddress& address() const { return address_; }
    u16 vendor() const { return vendor_; }
    u16 device() const { return device_; }
    /// Class, subclass and programming interface: 0x0c0330 is an xHCI controller.
    u32 class_code() const { return class_code_; }
    u8 revision() const { return revision_; }
    u16 subsystem_vendor() const { return subsystem_vendor_; }
    u16 subsystem() const { return subsystem_; }
    u8 header_kind() const { return header_kind_; }
    bool is_bridge() const { return header_kind_ == 1; }
    bool is_multi_function() const { return multi_function_; }
    /// 1 … 4 for INTA … INTD; 0: none.
    u8 interrupt_pin() const { return interrupt_pin_; }
    /// Behind which bridge it is; null on a root bus.
    Device* bridge() const { return bridge_; }
    /// The bus behind this bridge; 0: none that can be used.
    u8 secondary_bus() const { return secondary_bus_; }
    /// By number, kRomBar for the ROM. The second half of a 64-bit one is Kind::None.
    const Bar& bar(u32 index) const { return bars_[index]; }
    /// What a bridge hands on; Kind::None: nothing.
    const Bar& window(u32 index) const { return windows_[index]; }
    /// Bytes of configuration space: 256 or 4096.
    u32 config_size() const { return config_size_; }
    Device* next() const { return next_; }

    // --- Configuration space. Any context ---------------------------------------------------------------------
    u8 read8(u32 offset) const { return static_cast<u8>(space_.read(address_, offset, 1)); }
    u16 read16(u32 offset) const { return static_cast<u16>(space_.read(address_, offset, 2)); }
    u32 read32(u32 offset) const { return space_.read(address_, offset, 4); }
    void write8(u32 offset, u8 value) { space_.write(address_, offset, 1, value); }
    void write16(u32 offset, u16 value) { space_.write(address_, offset, 2, value); }
    void write32(u32 offset, u32 value) { space_.write(address_, offset, 4, value); }
    /// Where the capability with this number begins; 0: the device has none. A chain that loops or leads out ends.
    u32 find_capability(u8 id) const;
    /// Of PCI Express, from 0x100 on; 0: none.
    u32 find_extended_capability(u16 id) const;

    // --- For drivers. Thread context ---------------------------------------------------------------------------
    /// Wakes the device (D0) and lets it answer to its addresses and be a master on the bus.
    void enable();
    /// Maps the registers of a memory BAR. ENODEV: it is none; ENXIO: the firmware gave it no address; ENOMEM.
    Result<MappedBar> map_bar(u32 index);

    /// Interrupts of the device that can be told from one another: 1, or as many as its MSI-X table has.
    u32 interrupt_count() const;
    /// Has interrupt `index` handled on `cpu`: by MSI-X; for index 0 else by MSI, else by the line, which may be
    /// shared. The handler lives for ever. It may be called at once. EINVAL (no such index), ENODEV, ENOSPC, ENXIO,
    /// ENOMEM.
    Result<void> add_interrupt(drivers::InterruptHandler& handler, u32 index = 0, CpuIndex cpu = CpuIndex{0});
    /// Where the device's interrupt arrives: the line of a message, else the GSI; nothing: it has none. For sysfs.
    std::optional<u32> interrupt_line() const;
    /// The GSI of its pin, as the firmware routes it; nothing: it has no pin, or the firmware does not say.
    std::optional<arch::InterruptLine> pin_line() const;

    const Driver* driver() const { return driver_.load(Order::acquire); }
    /// Its folder in /sys; null: there was no memory for it.
    devices::Node* node() const { return node_; }

    /// By Buses only.
    Device(ConfigSpace& space, const FunctionAddress& address, Device* bridge)
        : space_(space), address_(address), bridge_(bridge) {}

private:
    friend class Buses;
    enum class Signalling : u8 { None, Line, Msi, MsiX };

    void read_header(u32 reach);
    void read_bars();
    void read_windows();
    Bar size_bar(u32 offset, bool is_rom);
    u32 probe_bar(u32 offset, u32 writable);
    u64 add_upper_half(u32 offset, u64 low_mask, Bar& bar);
    void quieten_interrupts();
    Result<void> add_msi_x(drivers::InterruptHandler& handler, u32 capability, u32 index, CpuIndex cpu);
    Result<void> add_msi(drivers::InterruptHandler& handler, u32 capability, CpuIndex cpu);
    Result<void> add_line(drivers::InterruptHandler& handler);
    Result<volatile u32*> map_msi_x_table(u32 capability);

    ConfigSpace& space_;
    const FunctionAddress address_;
    Device* const bridge_;
    u16 vendor_ = 0;
    u16 device_ = 0;
    u32 class_code_ = 0;
    u8 revision_ = 0;
    u8 header_kind_ = 0;
    bool multi_function_ = false;
    u8 interrupt_pin_ = 0;
    u8 secondary_bus_ = 0;
    u16 subsystem_vendor_ = 0;
    u16 subsystem_ = 0;
    u32 config_size_ = 0;
    Bar bars_[kBars + 1];
    Bar windows_[kBridgeWindows];
    std::optional<arch::InterruptLine> pin_line_;

    volatile u32* msi_x_table_ = nullptr;
    Signalling signalling_ = Signalling::None;  // the driver's thread
    Atomic<u32> message_line_{0};               // 0: none
    Atomic<const Driver*> driver_{nullptr};
    devices::Node* node_ = nullptr;  // counted, for ever
    char slot_name_[4] = {};         // "1f.2", its file's name in /proc/bus/pci
    Device* next_ = nullptr;
};

}  // namespace cairn::pci
