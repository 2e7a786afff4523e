#pragma once
/// ACPI's fixed events (ACPI 6.5, 4.8.2 and 4.8.3.1): switches ACPI mode on and listens for the power button. General
/// purpose events need AML and stay off.

#include "drivers/interrupt_lines.h"
#include "kernel/base/result.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::acpi {

class FixedEvents final : private drivers::InterruptHandler {
public:
    /// Switches ACPI mode on, if need be, which may take a moment; then takes the interrupt. ENODEV: the machine has no
    /// such button; ETIMEDOUT: ACPI mode does not come; ENOMEM. Thread context. Lives for ever.
    static Result<FixedEvents*> start(const arch::PlatformDescription& platform);

    /// Sleeps until the power button was pressed since the last call. Thread context.
    void wait_for_power_button();

    explicit FixedEvents(const arch::PlatformDescription& platform) : platform_(platform) {}

private:
    /// A register of up to 32 bits by its place; both kinds of access.
    class Register {
    public:
        Register() = default;
        /// `bytes` wide, `offset` bytes into the block. ENOMEM.
        static Result<Register> at(const arch::GenericAddress& block, u64 offset);
        bool exists() const { return port_ != 0 || memory_ != nullptr; }
        u16 read() const;
        void write(u16 value) const;

    private:
        u16 port_ = 0;
        volatile u16* memory_ = nullptr;
    };
    /// A pair of status and enable.
    struct Block {
        Register status;
        Register enable;
    };

    bool handle_interrupt() override;
    Result<void> enable_acpi_mode();
    Result<void> open(const arch::GenericAddress& where, Block& block);
    void stop_general_events(const arch::GenericAddress& block);

    const arch::PlatformDescription& platform_;
    Block blocks_[2];
    Atomic<u32> presses_{0};
    u32 presses_seen_ = 0;  // of who waits
    sync::WaitQueue waiters_;
};

}  // namespace cairn::acpi
