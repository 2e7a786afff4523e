/// Interrupts of PCI devices: MSI-X, MSI, and the shared lines of old (PCI Local Bus 3.0, 6.8 and 2.2.6).

#include "arch/arch.h"
#include "drivers/pci/device.h"
#include "drivers/pci/registers.h"
#include "kernel/base/kernel.h"
#include "mm/kernel_space.h"

namespace cairn::pci {

namespace {

// A row of the MSI-X table, in words.
constexpr u32 kRowWords = kMsiXEntryBytes / 4;
constexpr u32 kRowAddress = 0;
constexpr u32 kRowUpperAddress = 1;
constexpr u32 kRowData = 2;
constexpr u32 kRowControl = 3;
constexpr u32 kRowMasked = 1;

u32 table_size(u16 control) {
    return (control & kMsiXSize) + 1u;
}

}  // namespace

/// What the firmware used; a message into a vector of ours would be somebody else's. The line stays as it is until
/// there is a driver, since the firmware's keyboard emulation may live on it.
void Device::quieten_interrupts() {
    if (const u32 at = find_capability(kCapabilityMsiX); at != 0) {
        write16(at + kMsiXControl, static_cast<u16>(read16(at + kMsiXControl) & ~kMsiXEnable));
    }
    if (const u32 at = find_capability(kCapabilityMsi); at != 0) {
        write16(at + kMsiControl, static_cast<u16>(read16(at + kMsiControl) & ~kMsiEnable));
    }
}

u32 Device::interrupt_count() const {
    const u32 at = find_capability(kCapabilityMsiX);
    return at == 0 ? 1 : table_size(read16(at + kMsiXControl));
}

std::optional<u32> Device::interrupt_line() const {
    if (const u32 line = message_line_.load(Order::acquire); line != 0) {
        return line;
    }
    return pin_line_ ? std::optional<u32>(pin_line_->gsi) : std::nullopt;
}

std::optional<arch::InterruptLine> Device::pin_line() const {
    return pin_line_;
}

Result<void> Device::add_interrupt(drivers::InterruptHandler& handler, u32 index, CpuIndex cpu) {
    const u32 msi_x = find_capability(kCapabilityMsiX);
    if (msi_x != 0 && (signalling_ == Signalling::None || signalling_ == Signalling::MsiX)) {
        Result<void> added = add_msi_x(handler, msi_x, index, cpu);
        if (added.ok() || signalling_ == Signalling::MsiX) {
            return added;
        }
    }
    if (index != 0 || signalling_ != Signalling::None) {
        return fail(Errno::einval);
    }
    if (const u32 msi = find_capability(kCapabilityMsi); msi != 0 && add_msi(handler, msi, cpu).ok()) {
        return {};
    }
    return add_line(handler);
}

/// The table lies in the memory of a BAR (6.8.2.4); what does not fit there is refused.
Result<volatile u32*> Device::map_msi_x_table(u32 capability) {
    const u32 where = read32(capability + kMsiXTable);
    const u32 index = where & kMsiXBarIndex;
    const u64 offset = where & ~kMsiXBarIndex;
    const u64 size = u64{table_size(read16(capability + kMsiXControl))} * kMsiXEntryBytes;
    if (index >= kBars || bars_[index].kind != Bar::Kind::Memory || bars_[index].address == 0) {
        return fail(Errno::enodev);
    }
    const Bar& bar = bars_[index];
    if (offset >= bar.size || bar.size - offset < size) {
        return fail(Errno::enodev);
    }
    const PhysicalAddress start{bar.address + offset};
    void* mapped = TRY(g_kernel.kernel_space->map_device({start, start + size}));
    return static_cast<volatile u32*>(mapped);
}

Result<void> Device::add_msi_x(drivers::InterruptHandler& handler, u32 capability, u32 index, CpuIndex cpu) {
    const u16 control = read16(capability + kMsiXControl);
    if (index >= table_size(control)) {
        return fail(Errno::einval);
    }
    if (msi_x_table_ == nullptr) {
        write16(kCommand, read16(kCommand) | kCommandMemory);
        msi_x_table_ = TRY(map_msi_x_table(capability));
        for (u32 row = 0; row < table_size(control); ++row) {
            msi_x_table_[row * kRowWords + kRowControl] = kRowMasked;
        }
    }
    const arch::MessageInterrupt message = TRY(arch::allocate_message_interrupt(cpu));
    drivers::interrupt_lines.add_message(handler, message.line);
    volatile u32* row = msi_x_table_ + index * kRowWords;
    row[kRowAddress] = static_cast<u32>(message.address);
    row[kRowUpperAddress] = static_cast<u32>(message.address >> 32);
    row[kRowData] = message.data;
    row[kRowControl] = 0;
    if (signalling_ == Signalling::None) {
        write16(kCommand, read16(kCommand) | kCommandNoIntx);
        write16(capability + kMsiXControl, static_cast<u16>((control & ~kMsiXMaskAll) | kMsiXEnable));
        signalling_ = Signalling::MsiX;
        message_line_.store(message.line, Order::release);
    }
    return {};
}

Result<void> Device::add_msi(drivers::InterruptHandler& handler, u32 capability, CpuIndex cpu) {
    const u16 control = read16(capability + kMsiControl);
    const arch::MessageInterrupt message = TRY(arch::allocate_message_interrupt(cpu));
    const bool wide = (control & kMsiIs64) != 0;
    drivers::interrupt_lines.add_message(handler, message.line);
    write32(capability + kMsiAddress, static_cast<u32>(message.address));
    if (wide) {
        write32(capability + kMsiAddress + 4, static_cast<u32>(message.address >> 32));
    }
    write16(capability + kMsiAddress + (wide ? 8 : 4), static_cast<u16>(message.data));
    write16(kCommand, read16(kCommand) | kCommandNoIntx);
    write16(capability + kMsiControl, static_cast<u16>((control & ~kMsiMultiple) | kMsiEnable));
    signalling_ = Signalling::Msi;
    message_line_.store(message.line, Order::release);
    return {};
}

Result<void> Device::add_line(drivers::InterruptHandler& handler) {
    if (!pin_line_) {
        return fail(Errno::enxio);
    }
    TRY(drivers::interrupt_lines.add(handler, *pin_line_));
    signalling_ = Signalling::Line;
    write16(kCommand, static_cast<u16>(read16(kCommand) & ~kCommandNoIntx));
    return {};
}

}  // namespace cairn::pci
