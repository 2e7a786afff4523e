/// Interrupts of a PC: from vectors to the kernel's upcall, and from the contract's functions to the
/// controllers.

#include "arch/upcalls.h"
#include "arch/x86_64/cpu/vectors.h"
#include "arch/x86_64/interrupts/io_apic.h"
#include "arch/x86_64/interrupts/legacy_pic.h"
#include "arch/x86_64/interrupts/local_apic.h"
#include "arch/x86_64/power/power.h"
#include "arch/x86_64/smp/smp.h"
#include "arch/x86_64/time/timer.h"
#include "kernel/base/atomic.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/rate_limit.h"

namespace cairn::arch {

namespace {

/// Which line a device vector belongs to, the same on all CPUs; that of a GSI is never given back. Read
/// by interrupt handlers without a lock.
class DeviceVectors {
public:
    constexpr DeviceVectors() = default;

    struct Entry {
        u32 gsi;
        bool level;
        bool used;
    };

    Entry find(u8 vector) const {
        u64 word = entries_[vector].load(Order::acquire);
        return {static_cast<u32>(word), (word & kLevel) != 0, (word & kUsed) != 0};
    }

    /// The vector of a line, a new one the first time. ENOSPC. The level bit follows the last call.
    Result<u8> assign(u32 gsi, bool level) {
        u64 wanted = kUsed | (level ? kLevel : 0) | gsi;
        for (u32 vector = kFirstDeviceVector; vector <= kLastDeviceVector; ++vector) {
            u64 word = 0;
            if (entries_[vector].compare_exchange(word, wanted, Order::acq_rel, Order::acquire)) {
                return static_cast<u8>(vector);
            }
            if (static_cast<u32>(word) == gsi) {
                entries_[vector].store(wanted, Order::release);
                return static_cast<u8>(vector);
            }
        }
        return fail(Errno::enospc);
    }
    /// A free vector, for the line of messages that is numbered after it. ENOSPC.
    Result<u8> assign_message() {
        // From the top, so that lines and messages meet last.
        for (u32 vector = kLastDeviceVector; vector >= kFirstDeviceVector; --vector) {
            u64 word = 0;
            const u64 wanted = kUsed | (kFirstMessageLine + vector);
            if (entries_[vector].compare_exchange(word, wanted, Order::acq_rel, Order::acquire)) {
                return static_cast<u8>(vector);
            }
        }
        return fail(Errno::enospc);
    }
    /// The vector of a line of messages; none: it is not in use.
    std::optional<u8> message_vector(u32 line) const {
        const u32 vector = line - kFirstMessageLine;
        if (vector > kLastDeviceVector || entries_[vector].load(Order::acquire) != (kUsed | line)) {
            return std::nullopt;
        }
        return static_cast<u8>(vector);
    }
    void release_message(u32 line) {
        if (std::optional<u8> vector = message_vector(line)) {
            entries_[*vector].store(0, Order::release);
        }
    }

private:
    /// GSIs are below: an IOAPIC has at most 240 lines, and there are at most kMaxIoControllers.
    static constexpr u32 kFirstMessageLine = 0x10000;
    static constexpr u64 kUsed = u64{1} << 32;
    static constexpr u64 kLevel = u64{1} << 33;
    Atomic<u64> entries_[kVectorCount];
};

constexpr Nanoseconds kLogInterval = Nanoseconds::from_seconds(1);

struct Interrupts {
    DeviceVectors vectors;
    IoApics io_apics;
    RateLimit error_log{1, kLogInterval};
    RateLimit unexpected_log{1, kLogInterval};
};
constinit Interrupts interrupts;

void handle_device(u8 vector) {
    DeviceVectors::Entry entry = interrupts.vectors.find(vector);
    if (!entry.level) {
        local_apic::end_of_interrupt();
    }
    if (entry.used) {
        kernel_interrupt(InterruptKind::Device, entry.gsi);
    } else if (interrupts.unexpected_log.allow(monotonic_now())) {
        log_warning("irq", "vector {:#x} belongs to no line ({} more not shown)", vector,
                    interrupts.unexpected_log.take_suppressed());
    }
    if (entry.level) {
        local_apic::end_of_interrupt();
    }
}

void handle_apic_error() {
    u32 errors = local_apic::take_errors();
    local_apic::end_of_interrupt();
    if (interrupts.error_log.allow(monotonic_now())) {
        log_warning("irq", "local APIC of CPU {} reports error {:#x} ({} more not shown)", this_cpu().index.value,
                    errors, interrupts.error_log.take_suppressed());
    }
}

/// A vector that nobody programs: spurious ones of the 8259s have no end of interrupt.
void handle_unexpected(u8 vector) {
    if (local_apic::in_service(vector)) {
        local_apic::end_of_interrupt();
    }
    if (interrupts.unexpected_log.allow(monotonic_now())) {
        log_warning("irq", "unexpected interrupt, vector {:#x} ({} more not shown)", vector,
                    interrupts.unexpected_log.take_suppressed());
    }
}

}  // namespace

void handle_interrupt_vector(TrapFrame& frame) {
    u8 vector = static_cast<u8>(frame.vector);
    switch (vector) {
        case kTimerVector:
            local_apic::end_of_interrupt();
            if (timer_expired()) {
                kernel_interrupt(InterruptKind::Timer, 0);
            }
            return;
        case kRescheduleVector:
            local_apic::end_of_interrupt();
            kernel_interrupt(InterruptKind::Reschedule, 0);
            return;
        case kCrossCallVector:
            local_apic::end_of_interrupt();
            kernel_interrupt(InterruptKind::CrossCall, 0);
            return;
        case kApicErrorVector:
            handle_apic_error();
            return;
        case kSpuriousVector:
            return;  // must not be ended (SDM vol. 3A, 11.9)
        default:
            break;
    }
    if (vector >= kFirstDeviceVector && vector <= kLastDeviceVector) {
        handle_device(vector);
    } else {
        handle_unexpected(vector);
    }
}

void initialize_interrupts(const PlatformDescription& platform, MapRegisters map_registers) {
    if (platform.has_legacy_pics) {
        disable_legacy_pics();
    }
    local_apic::initialize(platform.local_apic, map_registers);
    this_cpu().hardware_id = local_apic::id();
    log_info("irq", "local APIC: {}, boot CPU has id {}", local_apic::mode_name(), this_cpu().hardware_id);
    interrupts.io_apics.initialize(platform, map_registers);
    if (interrupts.io_apics.count() == 0) {
        log_warning("irq", "no IOAPIC: device interrupts will not arrive");
    }
    note_cpu_running(this_cpu());
    initialize_power(platform, map_registers);
}

Result<void> route_interrupt(u32 gsi, CpuIndex cpu, InterruptTrigger trigger) {
    if (!interrupts.io_apics.owns(gsi)) {
        return fail(Errno::enodev);
    }
    const PerCpu* target = g_kernel.cpus[cpu.value];
    constexpr u32 kLargestDestination = 0xfe;  // more needs interrupt remapping
    if (target == nullptr || target->hardware_id > kLargestDestination) {
        return fail(Errno::einval);
    }
    bool level = trigger == InterruptTrigger::LevelHigh || trigger == InterruptTrigger::LevelLow;
    u8 vector = TRY(interrupts.vectors.assign(gsi, level));
    interrupts.io_apics.route(gsi, vector, static_cast<u8>(target->hardware_id), trigger);
    return {};
}

namespace {

/// Messages to the local APIC (SDM vol. 3A, 11.11): physical destination, fixed delivery, edge.
Result<MessageInterrupt> message_to(u32 line, u8 vector, CpuIndex cpu) {
    constexpr u64 kMessageAddress = 0xfee0'0000;
    constexpr u32 kDestinationShift = 12;
    constexpr u32 kLargestDestination = 0xfe;  // more needs interrupt remapping
    const PerCpu* target = g_kernel.cpus[cpu.value];
    if (target == nullptr || target->hardware_id > kLargestDestination) {
        return fail(Errno::einval);
    }
    return MessageInterrupt{line, vector, kMessageAddress | u64{target->hardware_id} << kDestinationShift};
}

}  // namespace

Result<MessageInterrupt> allocate_message_interrupt(CpuIndex cpu) {
    const u8 vector = TRY(interrupts.vectors.assign_message());
    const u32 line = interrupts.vectors.find(vector).gsi;
    Result<MessageInterrupt> message = message_to(line, vector, cpu);
    if (!message.ok()) {
        interrupts.vectors.release_message(line);
    }
    return message;
}

Result<MessageInterrupt> aim_message_interrupt(u32 line, CpuIndex cpu) {
    std::optional<u8> vector = interrupts.vectors.message_vector(line);
    return vector ? message_to(line, *vector, cpu) : fail(Errno::enoent);
}

void free_message_interrupt(u32 line) {
    interrupts.vectors.release_message(line);
}

void mask_interrupt(u32 gsi) {
    if (interrupts.io_apics.owns(gsi)) {
        interrupts.io_apics.mask(gsi);
    }
}

void unmask_interrupt(u32 gsi) {
    if (interrupts.io_apics.owns(gsi)) {
        interrupts.io_apics.unmask(gsi);
    }
}

void send_interrupt(const PerCpu& target, InterprocessorInterrupt what) {
    u8 vector = what == InterprocessorInterrupt::Reschedule ? kRescheduleVector : kCrossCallVector;
    local_apic::send_fixed(target.hardware_id, vector);
}

void wait_for_interrupt() {
    // SAFETY: STI takes effect after the next instruction (SDM vol. 2B), so no interrupt can come
    // between the two and be slept through.
    asm volatile("sti\n\thlt" : : : "memory");
}

void park() {
    for (;;) {
        // SAFETY: stops this CPU; an NMI or SMI wakes it into the loop.
        asm volatile("cli\n\thlt" : : : "memory");
    }
}

}  // namespace cairn::arch
