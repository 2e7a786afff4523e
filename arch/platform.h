#pragma once
/// What the firmware's tables say about the machine, as plain data. drivers/acpi fills it in on a
/// PC (or the boot protocol does, where there is no ACPI); the simulated machine makes one up.
/// The arrays are bounded by hardware, not by anything that a program can ask for.

#include "kernel/base/address.h"
#include "kernel/base/cpu_set.h"
#include "kernel/base/types.h"

namespace cairn::arch {

enum class BootProtocol : u8 { Multiboot2, Pvh };

/// What the boot loader left in registers.
struct BootHandover {
    BootProtocol protocol;
    PhysicalAddress information;
};

enum class InterruptKind : u8 { Timer, Reschedule, CrossCall, Device };
enum class InterruptTrigger : u8 { EdgeHigh, EdgeLow, LevelHigh, LevelLow };

/// What happened, for kernel_trap; the number is the machine's (SDM vol. 3A, table 6-1).
struct TrapDetails {
    u32 number;
    u64 error_code;                // of a debug exception: DR6, as it was
    VirtualAddress fault_address;  // page faults only
    bool from_user;
};

// Page faults; both machines have the error code of SDM vol. 3A, 4.7.
constexpr u32 kPageFaultNumber = 14;

inline bool is_page_fault(const TrapDetails& details) {
    return details.number == kPageFaultNumber;
}
/// A page was there, and forbids the access.
inline bool fault_is_present(const TrapDetails& details) {
    return (details.error_code & 1u << 0) != 0;
}
inline bool fault_is_write(const TrapDetails& details) {
    return (details.error_code & 1u << 1) != 0;
}
inline bool fault_is_execute(const TrapDetails& details) {
    return (details.error_code & 1u << 4) != 0;
}

struct IoInterruptController {
    PhysicalAddress address;
    u32 first_gsi;
    u32 id;
};

/// An ISA interrupt that does not arrive on the GSI of the same number (MADT type 2).
struct InterruptOverride {
    u32 isa_irq;
    u32 gsi;
    InterruptTrigger trigger;
};

/// A register in ACPI's generic address form (ACPI 6.5, 5.2.3.2); absent when width is zero.
struct GenericAddress {
    u8 space = 0;  // 0 memory, 1 I/O port, 2 PCI configuration space (of the reset register only)
    u8 width = 0;  // bits
    u64 address = 0;
    constexpr bool operator==(const GenericAddress&) const = default;
};

/// A window through which the configuration space of some PCI buses is seen (MCFG), 1 MiB for each bus.
struct PciConfigWindow {
    PhysicalAddress address;  // of first_bus
    u16 segment;
    u8 first_bus;
    u8 last_bus;
};

struct PlatformDescription {
    static constexpr u32 kMaxIoControllers = 64;
    static constexpr u32 kMaxOverrides = 64;
    static constexpr u32 kMaxPciWindows = 16;

    u32 cpu_count = 0;                   // the boot CPU is entry 0
    u32 cpu_hardware_id[kMaxCpus] = {};  // local APIC ids
    u32 cpus_ignored = 0;                // enabled in the tables but beyond kMaxCpus
    PhysicalAddress local_apic{0xfee00000};
    bool has_legacy_pics = true;
    u32 io_controller_count = 0;
    IoInterruptController io_controllers[kMaxIoControllers] = {};
    u32 override_count = 0;
    InterruptOverride overrides[kMaxOverrides] = {};

    u32 pci_window_count = 0;
    PciConfigWindow pci_windows[kMaxPciWindows] = {};

    PhysicalAddress hpet{};  // zero: none
    u16 pm_timer_port = 0;   // zero: none
    bool pm_timer_is_32_bit = false;
    bool has_cmos_clock = true;  // FADT boot flags
    u8 century_register = 0;     // CMOS index, zero: none
    GenericAddress reset_register;
    u8 reset_value = 0;
    u32 sci = 0;               // the ISA interrupt of ACPI's events; 0: none
    u16 smi_command_port = 0;  // zero: ACPI mode is always on
    u8 acpi_enable = 0;        // what is written there to switch it on
    bool has_power_button = false;
    GenericAddress pm1a_event;  // status and enable, each half of it
    GenericAddress pm1b_event;
    GenericAddress gpe0;  // likewise
    GenericAddress gpe1;
    GenericAddress pm1a_control;
    GenericAddress pm1b_control;
    GenericAddress sleep_control;  // reduced-hardware ACPI
    /// The serial port that the firmware calls the console (SPCR), a 16550; width zero: none. Its baud rate; zero: as
    /// it is set.
    GenericAddress console_port;
    u32 console_baud = 0;
    bool soft_off_known = false;  // the two values below come from \_S5
    u8 soft_off_type_a = 0;
    u8 soft_off_type_b = 0;
};

/// A global system interrupt and how it signals.
struct InterruptLine {
    u32 gsi;
    InterruptTrigger trigger;
};

/// Where ISA interrupt `irq` (0-15) arrives: on the line of the same number, edge-triggered and
/// active high, unless the firmware says otherwise (ACPI 6.5, 5.2.12.5).
constexpr InterruptLine isa_interrupt_line(const PlatformDescription& platform, u32 irq) {
    for (u32 i = 0; i < platform.override_count; ++i) {
        if (platform.overrides[i].isa_irq == irq) {
            return {platform.overrides[i].gsi, platform.overrides[i].trigger};
        }
    }
    return {irq, InterruptTrigger::EdgeHigh};
}

}  // namespace cairn::arch
