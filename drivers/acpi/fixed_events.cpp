/// See fixed_events.h.

#include "drivers/acpi/fixed_events.h"

#include "arch/arch.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "kernel/sched/thread.h"
#include "mm/kernel_space.h"

namespace cairn::acpi {

namespace {

constexpr u8 kSpaceMemory = 0;
constexpr u8 kSpacePort = 1;

// PM1 status and enable (4.8.3.1); the same bits.
constexpr u16 kPowerButton = 1u << 8;
constexpr u16 kAllEvents = 0x0721;  // timer, global lock, both buttons, clock
constexpr u16 kWakeStatus = 1u << 15;
// PM1 control (4.8.3.2).
constexpr u16 kAcpiMode = 1u << 0;

constexpr u32 kModePolls = 3000;  // milliseconds, as Linux waits (acpi_hw_set_mode)

}  // namespace

Result<FixedEvents::Register> FixedEvents::Register::at(const arch::GenericAddress& block, u64 offset) {
    Register made;
    if (block.width == 0) {
        return made;
    }
    if (block.space == kSpacePort) {
        made.port_ = static_cast<u16>(block.address + offset);
    } else if (block.space == kSpaceMemory) {
        const PhysicalAddress start{block.address + offset};
        void* mapped = TRY(g_kernel.kernel_space->map_device({start, start + sizeof(u16)}));
        made.memory_ = static_cast<volatile u16*>(mapped);
    }
    return made;
}

u16 FixedEvents::Register::read() const {
    return port_ != 0 ? arch::io_read16(port_) : memory_ != nullptr ? *memory_ : u16{0};
}

void FixedEvents::Register::write(u16 value) const {
    if (port_ != 0) {
        arch::io_write16(port_, value);
    } else if (memory_ != nullptr) {
        *memory_ = value;
    }
}

/// The upper half enables; each half is at least 16 bits (4.8.3.1).
Result<void> FixedEvents::open(const arch::GenericAddress& where, Block& block) {
    constexpr u8 kLeastWidth = 32;
    if (where.width < kLeastWidth) {
        return {};
    }
    block.status = TRY(Register::at(where, 0));
    block.enable = TRY(Register::at(where, where.width / 16));
    return {};
}

/// Their enables are the upper half of a block, byte by byte; what they would want is written in AML.
void FixedEvents::stop_general_events(const arch::GenericAddress& block) {
    if (block.space != kSpacePort || block.width == 0) {
        return;
    }
    const u32 bytes = block.width / 8u;
    for (u32 i = bytes / 2; i < bytes; ++i) {
        arch::io_write8(static_cast<u16>(block.address + i), 0);
    }
}

Result<void> FixedEvents::enable_acpi_mode() {
    const Register control = TRY(Register::at(platform_.pm1a_control, 0));
    if (!control.exists() || (control.read() & kAcpiMode) != 0 || platform_.smi_command_port == 0 ||
        platform_.acpi_enable == 0) {
        return {};
    }
    arch::io_write8(platform_.smi_command_port, platform_.acpi_enable);
    for (u32 i = 0; i < kModePolls; ++i) {
        if ((control.read() & kAcpiMode) != 0) {
            log_info("acpi", "ACPI mode is on");
            return {};
        }
        sched::sleep_for(Nanoseconds::from_milliseconds(1));
    }
    return fail(Errno::etimedout);
}

Result<FixedEvents*> FixedEvents::start(const arch::PlatformDescription& platform) {
    if (!platform.has_power_button || platform.sci == 0) {
        return fail(Errno::enodev);
    }
    Own<FixedEvents> made = TRY(try_new<FixedEvents>(platform));
    TRY(made->enable_acpi_mode());
    TRY(made->open(platform.pm1a_event, made->blocks_[0]));
    TRY(made->open(platform.pm1b_event, made->blocks_[1]));
    made->stop_general_events(platform.gpe0);
    made->stop_general_events(platform.gpe1);
    FixedEvents& events = *made.release();
    for (const Block& block : events.blocks_) {
        block.enable.write(0);
        block.status.write(kAllEvents | kWakeStatus);
    }
    // A level and active low unless an override says otherwise (5.2.12.5).
    arch::InterruptLine line = arch::isa_interrupt_line(platform, platform.sci);
    line.trigger = line.trigger == arch::InterruptTrigger::EdgeHigh ? arch::InterruptTrigger::LevelLow : line.trigger;
    TRY(drivers::interrupt_lines.add(events, line));
    events.blocks_[0].enable.write(kPowerButton);
    return &events;
}

bool FixedEvents::handle_interrupt() {
    bool ours = false;
    for (const Block& block : blocks_) {
        const u16 pending = block.status.read() & block.enable.read();
        if (pending == 0) {
            continue;
        }
        block.status.write(pending);  // ones clear
        ours = true;
        if ((pending & kPowerButton) != 0) {
            presses_.fetch_add(1, Order::release);
            waiters_.wake_all();
        }
    }
    return ours;
}

void FixedEvents::wait_for_power_button() {
    waiters_.wait_until([this] { return presses_.load(Order::acquire) != presses_seen_; });
    ++presses_seen_;
}

}  // namespace cairn::acpi
