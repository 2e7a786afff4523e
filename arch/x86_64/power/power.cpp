#include "arch/x86_64/power/power.h"

#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/debug/early_console.h"
#include "arch/x86_64/interrupts/registers.h"
#include "arch/x86_64/time/frequency.h"
#include "kernel/base/log.h"

namespace cairn::arch {

namespace {

// PM1 control (ACPI 6.5, 4.8.3.2.1).
constexpr u32 kPm1SleepTypeShift = 10;
constexpr u16 kPm1SleepType = 7 << kPm1SleepTypeShift;
constexpr u16 kPm1SleepEnable = 1 << 13;
// Sleep control of reduced-hardware ACPI (4.8.3.7).
constexpr u32 kSleepTypeShift = 2;
constexpr u8 kSleepEnable = 1 << 5;

/// How long a machine may take to go after it was told to.
constexpr Nanoseconds kPatience = Nanoseconds::from_milliseconds(500);
constexpr Nanoseconds kResetPatience = Nanoseconds::from_milliseconds(100);

/// A register in ACPI's generic form, ready for use. The accesses are as wide as the register, up
/// to 16 bits: no register of this file has more that matter.
class Register {
public:
    constexpr Register() = default;

    static Register at(const GenericAddress& address, MapRegisters map_registers) {
        constexpr u8 kSpaceMemory = 0;
        constexpr u8 kSpacePort = 1;
        constexpr u8 kSpacePciConfig = 2;
        Register result;
        if (address.width == 0) {
            return result;
        }
        result.wide_ = address.width >= 16;
        if (address.space == kSpaceMemory) {
            result.memory_ = map_register_block<u8>(map_registers, {address.address}, sizeof(u16));
        } else if (address.space == kSpacePort) {
            result.port_ = static_cast<u16>(address.address);
        } else if (address.space == kSpacePciConfig) {
            result.config_ = kConfigEnable | static_cast<u32>(address.address >> 32 & 0x1f) << 11 |
                             static_cast<u32>(address.address >> 16 & 7) << 8 |
                             static_cast<u32>(address.address & 0xff);
        }
        return result;
    }

    bool exists() const { return memory_ != nullptr || port_ != 0 || config_ != 0; }
    u16 read() const {
        if (memory_ != nullptr) {
            return wide_ ? *wide_memory() : *memory_;
        }
        return wide_ ? read_port16(port_) : read_port8(port_);
    }
    void write(u16 value) const {
        if (config_ != 0) {
            write_port32(kConfigAddress, config_ & ~3u);
            write_port8(static_cast<u16>(kConfigData + (config_ & 3)), static_cast<u8>(value));
            return;
        }
        if (memory_ != nullptr && wide_) {
            *wide_memory() = value;
        } else if (memory_ != nullptr) {
            *memory_ = static_cast<u8>(value);
        } else if (wide_) {
            write_port16(port_, value);
        } else {
            write_port8(port_, static_cast<u8>(value));
        }
    }

private:
    // SAFETY: a device register of that width, which the hardware aligns.
    volatile u16* wide_memory() const { return reinterpret_cast<volatile u16*>(memory_); }

    // PCI Local Bus 3.0, 3.2.2.3.2. Nobody else runs when this is used.
    static constexpr u16 kConfigAddress = 0xcf8;
    static constexpr u16 kConfigData = 0xcfc;
    static constexpr u32 kConfigEnable = 1u << 31;

    volatile u8* memory_ = nullptr;
    u32 config_ = 0;  // what is written to the address port; only for write()
    u16 port_ = 0;
    bool wide_ = false;
};

struct Power {
    Register pm1a;
    Register pm1b;
    Register sleep;
    Register reset;
    u8 reset_value = 0;
    bool soft_off_known = false;
    u8 soft_off_type_a = 0;
    u8 soft_off_type_b = 0;
};
/// Constant after initialize_power.
constinit Power power;

void wait_for_the_end(Nanoseconds patience) {
    Nanoseconds deadline = monotonic_now() + patience;
    while (monotonic_now() < deadline) {
        cpu_relax();
    }
}

/// Both control registers get the type first and the order then, as ACPI's own sample does (ACPICA,
/// hwsleep): some chipsets need it before the order.
void enter_soft_off_by_pm1() {
    auto control = [](const Register& pm1, u8 type) {
        u32 kept = pm1.read() & ~u32{kPm1SleepType | kPm1SleepEnable};
        return static_cast<u16>(kept | (u32{type} << kPm1SleepTypeShift & kPm1SleepType));
    };
    u16 control_a = control(power.pm1a, power.soft_off_type_a);
    u16 control_b = power.pm1b.exists() ? control(power.pm1b, power.soft_off_type_b) : u16{0};
    power.pm1a.write(control_a);
    if (power.pm1b.exists()) {
        power.pm1b.write(control_b);
    }
    power.pm1a.write(control_a | kPm1SleepEnable);
    if (power.pm1b.exists()) {
        power.pm1b.write(control_b | kPm1SleepEnable);
    }
}

void try_acpi_soft_off() {
    if (!power.soft_off_known) {
        log_warning("power", "the firmware does not say how to switch off");
        return;
    }
    if (power.sleep.exists()) {
        power.sleep.write(static_cast<u16>(u32{power.soft_off_type_a} << kSleepTypeShift | kSleepEnable));
        wait_for_the_end(kPatience);
    }
    if (power.pm1a.exists()) {
        enter_soft_off_by_pm1();
        wait_for_the_end(kPatience);
    }
    log_warning("power", "ACPI soft-off had no effect");
}

/// QEMU's PM1a control (q35 and pc since 1.7, docs/specs) and the older one that Bochs shares, for guests
/// that were given no ACPI tables. On a real PC anything may be behind these ports.
void try_emulator_ports() {
    if (!runs_under_hypervisor()) {
        return;
    }
    constexpr u16 kPorts[] = {0x604, 0xb004};
    log_notice("power", "trying the power-off ports of emulators");
    for (u16 port : kPorts) {
        write_port16(port, kPm1SleepEnable);
        wait_for_the_end(kResetPatience);
    }
}

void reset_by_chipset() {
    constexpr u16 kResetControl = 0xcf9;  // Intel chipset data sheets, RST_CNT
    constexpr u8 kHardReset = 0x02;
    constexpr u8 kResetNow = 0x04;
    u8 kept = static_cast<u8>(read_port8(kResetControl) & ~(kHardReset | kResetNow));
    write_port8(kResetControl, kept | kHardReset);
    write_port8(kResetControl, kept | kHardReset | kResetNow);
}

void reset_by_keyboard_controller() {
    constexpr u16 kCommand = 0x64;
    constexpr u8 kInputFull = 0x02;
    constexpr u8 kPulseReset = 0xfe;
    Nanoseconds deadline = monotonic_now() + kResetPatience;
    while ((read_port8(kCommand) & kInputFull) != 0 && monotonic_now() < deadline) {
        cpu_relax();
    }
    write_port8(kCommand, kPulseReset);
}

[[noreturn]] void reset_by_triple_fault() {
    struct [[gnu::packed]] {
        u16 limit = 0;
        u64 base = 0;
    } empty_table;
    // SAFETY: without an interrupt table the breakpoint cannot be delivered, nor the double fault that
    // follows; the processor shuts down, upon which the chipset resets it (SDM vol. 3A, 6.15).
    asm volatile("lidt %0\n\tint3" : : "m"(empty_table));
    park();
}

}  // namespace

void initialize_power(const PlatformDescription& platform, MapRegisters map_registers) {
    power.pm1a = Register::at(platform.pm1a_control, map_registers);
    power.pm1b = Register::at(platform.pm1b_control, map_registers);
    power.sleep = Register::at(platform.sleep_control, map_registers);
    power.reset = Register::at(platform.reset_register, map_registers);
    power.reset_value = platform.reset_value;
    power.soft_off_known = platform.soft_off_known;
    power.soft_off_type_a = platform.soft_off_type_a;
    power.soft_off_type_b = platform.soft_off_type_b;
}

void power_off() {
    disable_interrupts();
    stop_other_cpus();
    early_console_drain();
    try_acpi_soft_off();
    try_emulator_ports();
    log_notice("power", "it is now safe to switch off");
    park();
}

void reboot() {
    disable_interrupts();
    stop_other_cpus();
    early_console_drain();
    if (power.reset.exists()) {
        power.reset.write(power.reset_value);
        wait_for_the_end(kResetPatience);
    }
    reset_by_chipset();
    wait_for_the_end(kResetPatience);
    reset_by_keyboard_controller();
    wait_for_the_end(kResetPatience);
    reset_by_triple_fault();
}

}  // namespace cairn::arch
