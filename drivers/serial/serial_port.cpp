#include "drivers/serial/serial_port.h"

#include "arch/arch.h"
#include "drivers/devices/address_ranges.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/member_offset.h"
#include "mm/kernel_space.h"

namespace cairn::drivers {

namespace {

struct IsaPort {
    u16 base;
    u32 irq;
};
/// Where PCs have had them since the AT.
constexpr IsaPort kIsaPorts[SerialPort::kPorts] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

/// Attempts at the lock from the log, before it writes without: its owner was stopped by a panic, or is interrupted.
constexpr u32 kLockAttempts = 10'000'000;
/// So much of a line of a program's is let out before a line of the log.
constexpr usize kFinishLine = 256;

}  // namespace

namespace {

constexpr u32 kRegisters = 8;

/// A register that is as wide as its place.
volatile u32& wide_register(volatile u8* at) {
    return *static_cast<volatile u32*>(static_cast<volatile void*>(at));
}

}  // namespace

u8 PlacedUartRegisters::read(u8 index) {
    if (memory_ == nullptr) {
        return arch::io_read8(static_cast<u16>(port_ + index));
    }
    volatile u8* at = memory_ + index * stride_;
    return stride_ == sizeof(u32) ? static_cast<u8>(wide_register(at)) : *at;
}

void PlacedUartRegisters::write(u8 index, u8 value) {
    if (memory_ == nullptr) {
        arch::io_write8(static_cast<u16>(port_ + index), value);
        return;
    }
    volatile u8* at = memory_ + index * stride_;
    if (stride_ == sizeof(u32)) {
        wide_register(at) = value;
    } else {
        *at = value;
    }
}

SerialPort::SerialPort(u32 index, u64 address, const PlacedUartRegisters& registers, bool has_interrupt)
    : index_(index),
      address_(address),
      has_interrupt_(has_interrupt),
      registers_(registers),
      uart_(registers_, received_, to_send_) {
    sink_.write = &write_log;
    sink_.port = this;
}

Result<Own<SerialPort>> SerialPort::probe(u32 index, u32 baud) {
    ASSERT(index < kPorts);
    const u16 base = kIsaPorts[index].base;
    Own<SerialPort> port = TRY(try_new<SerialPort>(index, base, PlacedUartRegisters(base), true));
    TRY(port->uart_.initialize(baud));
    devices::note_range(devices::RangeKind::Ports, base, kRegisters, "serial");
    return port;
}

Result<Own<SerialPort>> SerialPort::probe_at(u32 index, u32 baud, const UartPlace& place) {
    PlacedUartRegisters registers(place.port);
    u64 address = place.port;
    if (place.port == 0) {
        address = place.memory.value;
        void* mapped = TRY(g_kernel.kernel_space->map_device({place.memory, place.memory + kRegisters * place.stride}));
        registers = PlacedUartRegisters(static_cast<volatile u8*>(mapped), place.stride);
    }
    Own<SerialPort> port = TRY(try_new<SerialPort>(index, address, registers, false));
    TRY(port->uart_.initialize(baud));
    devices::note_range(place.port == 0 ? devices::RangeKind::Memory : devices::RangeKind::Ports, address,
                        kRegisters * place.stride, "serial");
    return port;
}

std::optional<u32> SerialPort::usual_index(u16 base) {
    for (u32 index = 0; index < kPorts; ++index) {
        if (kIsaPorts[index].base == base) {
            return index;
        }
    }
    return std::nullopt;
}

/// The chip says what its interrupt would be for, whether anybody hears it or not.
void SerialPort::poll(time::Timer& timer) {
    constexpr Nanoseconds kPeriod = Nanoseconds::from_milliseconds(10);
    SerialPort& self = *object_of_member<SerialPort, time::Timer, &SerialPort::poll_timer_>(&timer);
    static_cast<void>(self.handle_interrupt());
    timer.arm(arch::monotonic_now() + kPeriod);
}

void SerialPort::start(const arch::PlatformDescription& platform, SerialListener& listener) {
    {
        SpinLockGuard guard(lock_);
        listener_ = &listener;
    }
    bool polled = !has_interrupt_;
    if (has_interrupt_) {
        const Result<void> added =
            interrupt_lines.add(*this, arch::isa_interrupt_line(platform, kIsaPorts[index_].irq));
        polled = !added.ok();
        if (polled) {
            log_warning("serial", "ttyS{}: no interrupt ({}): it is asked instead", index_, added.error());
        }
    }
    {
        SpinLockGuard guard(lock_);
        uart_.enable_interrupts();
        uart_.start_transmission();
    }
    if (polled) {
        poll(poll_timer_);
    }
}

bool SerialPort::handle_interrupt() {
    Uart16550::Handled handled;
    SerialListener* listener = nullptr;
    {
        SpinLockGuard guard(lock_);
        handled = uart_.handle_interrupt();
        listener = listener_;
    }
    if (listener != nullptr && handled.received != 0) {
        listener->received();
    }
    if (listener != nullptr && handled.sent != 0) {
        listener->sent();
    }
    return handled.ours;
}

usize SerialPort::write(std::span<const u8> bytes) {
    SpinLockGuard guard(lock_);
    usize taken = 0;
    for (; taken < bytes.size() && !to_send_.full(); ++taken) {
        to_send_.push(bytes[taken]);
    }
    if (taken != 0) {
        in_line_ = bytes[taken - 1] != '\n';
    }
    uart_.start_transmission();
    return taken;
}

usize SerialPort::write_room() {
    SpinLockGuard guard(lock_);
    return to_send_.room();
}

usize SerialPort::unsent() {
    SpinLockGuard guard(lock_);
    return to_send_.size();
}

void SerialPort::discard_unsent() {
    SpinLockGuard guard(lock_);
    to_send_.clear();
}

void SerialPort::set_stopped(bool stopped) {
    SpinLockGuard guard(lock_);
    uart_.set_transmission_stopped(stopped);
}

void SerialPort::send_urgently(u8 byte) {
    SpinLockGuard guard(lock_);
    uart_.begin_polling();
    uart_.transmit_byte(byte);
}

usize SerialPort::read(std::span<ReceivedByte> to) {
    SpinLockGuard guard(lock_);
    usize count = 0;
    for (; count < to.size() && !received_.empty(); ++count) {
        to[count] = received_.pop();
    }
    uart_.resume_receive();
    return count;
}

bool SerialPort::has_received() {
    SpinLockGuard guard(lock_);
    return !received_.empty();
}

void SerialPort::discard_received() {
    SpinLockGuard guard(lock_);
    received_.clear();
    uart_.resume_receive();
}

Result<void> SerialPort::configure(const UartSettings& settings) {
    SpinLockGuard guard(lock_);
    return uart_.configure(settings);
}

void SerialPort::set_break(bool on) {
    SpinLockGuard guard(lock_);
    uart_.set_break(on);
}

void SerialPort::set_modem_lines(ModemLines lines) {
    SpinLockGuard guard(lock_);
    lines_ = lines;
    uart_.set_modem_lines(lines);
}

ModemLines SerialPort::modem_lines() {
    SpinLockGuard guard(lock_);
    return lines_;
}

u8 SerialPort::modem_status() {
    SpinLockGuard guard(lock_);
    return uart_.modem_status();
}

UartLineErrors SerialPort::take_line_errors() {
    SpinLockGuard guard(lock_);
    return uart_.take_line_errors();
}

// --- The log ------------------------------------------------------------------------------------

Result<void> SerialPort::become_log_console() {
    TRY(add_console(sink_));
    if (index_ == 0) {
        remove_console(kEarlyConsole);  // the same chip
    }
    return {};
}

void SerialPort::write_log(const ConsoleSink& self, std::string_view text) {
    static_cast<const Sink&>(self).port->write_log_line(text);
}

void SerialPort::write_log_line(std::string_view text) NO_THREAD_SAFETY_ANALYSIS {
    InterruptGuard interrupts_off;
    bool locked = false;
    for (u32 i = 0; i < kLockAttempts && !locked; ++i) {
        locked = lock_.try_lock_interrupts_off();
    }
    uart_.begin_polling();
    // A program's line that has begun is finished first, so that the two do not mix.
    bool unfinished = in_line_ || !to_send_.empty();
    for (usize i = 0; i < kFinishLine && unfinished && !to_send_.empty(); ++i) {
        u8 byte = to_send_.pop();
        if (!uart_.transmit_byte(byte)) {
            break;
        }
        unfinished = byte != '\n';
    }
    if (unfinished) {
        uart_.transmit("\n");
    }
    uart_.transmit(text);
    if (to_send_.empty()) {
        in_line_ = false;
    }
    if (locked) {
        lock_.unlock_keep_interrupts_off();
    }
}

}  // namespace cairn::drivers
