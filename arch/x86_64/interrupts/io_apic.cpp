#include "arch/x86_64/interrupts/io_apic.h"

#include "arch/x86_64/interrupts/registers.h"
#include "kernel/base/log.h"

namespace cairn::arch {

namespace {

// In words from the start (3.1) and as indices (3.2).
constexpr usize kIndex = 0x00 / 4;
constexpr usize kWindow = 0x10 / 4;
constexpr usize kRegisterBytes = 0x20;
constexpr u32 kVersionIndex = 1;
constexpr u32 kFirstEntryIndex = 0x10;
constexpr u32 kMostLines = 240;  // of any IOAPIC; an absent one reads as 256

constexpr u64 kActiveLow = 1 << 13;
constexpr u64 kLevelTriggered = 1 << 15;
constexpr u64 kMasked = 1 << 16;
constexpr u32 kDestinationShift = 56;

u32 read_register(volatile u32* registers, u32 index) {
    registers[kIndex] = index;
    return registers[kWindow];
}
void write_register(volatile u32* registers, u32 index, u32 value) {
    registers[kIndex] = index;
    registers[kWindow] = value;
}

constexpr u64 trigger_bits(InterruptTrigger trigger) {
    switch (trigger) {
        case InterruptTrigger::EdgeHigh:
            return 0;
        case InterruptTrigger::EdgeLow:
            return kActiveLow;
        case InterruptTrigger::LevelHigh:
            return kLevelTriggered;
        case InterruptTrigger::LevelLow:
            return kLevelTriggered | kActiveLow;
    }
    return 0;
}

}  // namespace

void IoApics::initialize(const PlatformDescription& platform, MapRegisters map_registers) {
    for (u32 i = 0; i < platform.io_controller_count; ++i) {
        const IoInterruptController& description = platform.io_controllers[i];
        volatile u32* registers = map_register_block<u32>(map_registers, description.address, kRegisterBytes);
        if (registers == nullptr) {
            log_error("irq", "ioapic {} at {}: no address space for its registers", description.id,
                      description.address);
            continue;
        }
        u32 lines = (read_register(registers, kVersionIndex) >> 16 & 0xff) + 1;
        if (lines > kMostLines) {
            log_error("irq", "ioapic {} at {} does not answer", description.id, description.address);
            continue;
        }
        SpinLockGuard guard(lock_);
        Controller& controller = controllers_[count_++];
        controller = {registers, description.first_gsi, lines};
        for (u32 line = 0; line < lines; ++line) {
            write_entry(controller, line, kMasked);
        }
        log_info("irq", "ioapic {} at {}: lines {} to {}", description.id, description.address, description.first_gsi,
                 description.first_gsi + lines - 1);
    }
}

void IoApics::route(u32 gsi, u8 vector, u8 id, InterruptTrigger trigger) {
    const Controller* controller = find(gsi);
    ASSERT(controller != nullptr);
    SpinLockGuard guard(lock_);
    u64 entry = vector | trigger_bits(trigger) | static_cast<u64>(id) << kDestinationShift;
    write_entry(*controller, gsi - controller->first_gsi, entry);
}

void IoApics::mask(u32 gsi) {
    set_mask(gsi, true);
}

void IoApics::unmask(u32 gsi) {
    set_mask(gsi, false);
}

void IoApics::set_mask(u32 gsi, bool masked) {
    const Controller* controller = find(gsi);
    ASSERT(controller != nullptr);
    SpinLockGuard guard(lock_);
    u32 index = kFirstEntryIndex + 2 * (gsi - controller->first_gsi);
    u32 low = read_register(controller->registers, index);
    constexpr u32 kMaskBit = static_cast<u32>(kMasked);
    write_register(controller->registers, index, masked ? low | kMaskBit : low & ~kMaskBit);
    // Reading back makes sure that the line is quiet when this returns.
    read_register(controller->registers, index);
}

const IoApics::Controller* IoApics::find(u32 gsi) const {
    for (u32 i = 0; i < count_; ++i) {
        if (gsi >= controllers_[i].first_gsi && gsi - controllers_[i].first_gsi < controllers_[i].line_count) {
            return &controllers_[i];
        }
    }
    return nullptr;
}

/// Masked while its halves disagree.
void IoApics::write_entry(const Controller& controller, u32 line, u64 entry) {
    u32 index = kFirstEntryIndex + 2 * line;
    write_register(controller.registers, index, static_cast<u32>(kMasked));
    write_register(controller.registers, index + 1, static_cast<u32>(entry >> 32));
    write_register(controller.registers, index, static_cast<u32>(entry));
}

}  // namespace cairn::arch
