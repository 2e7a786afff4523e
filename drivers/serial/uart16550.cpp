#include "drivers/serial/uart16550.h"

namespace cairn {

namespace {

// Registers and their bits (PC16550D, tables I and II).
constexpr u8 kData = 0;                     // with divisor access: the divisor's low byte
constexpr u8 kInterruptEnable = 1;          // with divisor access: its high byte
constexpr u8 kInterruptIdentification = 2;  // read
constexpr u8 kFifoControl = 2;              // write
constexpr u8 kLineControl = 3;
constexpr u8 kModemControl = 4;
constexpr u8 kLineStatus = 5;
constexpr u8 kModemStatus = 6;

constexpr u8 kInterruptReceived = 0x01;
constexpr u8 kInterruptTransmitterEmpty = 0x02;
constexpr u8 kInterruptLineStatus = 0x04;

constexpr u8 kNoInterruptPending = 0x01;
constexpr u8 kFifosEnabled = 0xc0;

constexpr u8 kEnableFifos = 0x01;
constexpr u8 kClearFifos = 0x06;
constexpr u8 kTriggerAt8Bytes = 0x80;

constexpr u8 kEightBitsNoParity = 0x03;
constexpr u8 kTwoStopBits = 0x04;
constexpr u8 kParityEnable = 0x08;
constexpr u8 kEvenParity = 0x10;
constexpr u8 kSendBreak = 0x40;
constexpr u8 kDivisorAccess = 0x80;

constexpr u8 kDtr = 0x01;
constexpr u8 kRts = 0x02;
constexpr u8 kOut2 = 0x08;  // connects the interrupt line on a PC
constexpr u8 kLoopback = 0x10;

constexpr u8 kDataReady = 0x01;
constexpr u8 kOverrun = 0x02;
constexpr u8 kParity = 0x04;
constexpr u8 kFraming = 0x08;
constexpr u8 kBreak = 0x10;
constexpr u8 kTransmitterEmpty = 0x20;
constexpr u8 kTransmitterIdle = 0x40;
constexpr u8 kNothingThere = 0xff;

constexpr u32 kFifoSize = 16;
/// A port read takes about a microsecond on the buses that have such a chip; a FIFO full at 1200
/// baud drains in 133 ms.
constexpr u32 kPollLimit = 200'000;
/// Bytes that one interrupt may take: a stuck "data ready" must not hold the CPU.
constexpr u32 kBytesPerInterrupt = 256;

}  // namespace

Result<u16> Uart16550::divisor_for(u32 baud) {
    if (baud == 0 || baud > kBaseBaud) {
        return fail(Errno::einval);
    }
    u32 divisor = (kBaseBaud + baud / 2) / baud;
    u32 actual = kBaseBaud / divisor;
    u32 difference = actual > baud ? actual - baud : baud - actual;
    if (divisor > 0xffff || difference * 100 > baud * 3) {
        return fail(Errno::einval);
    }
    return static_cast<u16>(divisor);
}

void Uart16550::write_line(u16 divisor, u8 line_control) {
    registers_.write(kInterruptEnable, 0);
    registers_.write(kLineControl, kDivisorAccess);
    registers_.write(kData, static_cast<u8>(divisor));
    registers_.write(kInterruptEnable, static_cast<u8>(divisor >> 8));
    registers_.write(kLineControl, line_control);
    line_control_ = line_control;
}

Result<void> Uart16550::initialize(u32 baud) {
    u16 divisor = TRY(divisor_for(baud));
    if (registers_.read(kLineStatus) != kNothingThere) {
        wait_for_transmitter(kTransmitterIdle);  // clearing the FIFOs would lose it
    }
    write_line(divisor, kEightBitsNoParity);
    registers_.write(kFifoControl, kEnableFifos | kClearFifos | kTriggerAt8Bytes);
    bool has_fifos = (registers_.read(kInterruptIdentification) & kFifosEnabled) == kFifosEnabled;
    fifo_size_ = has_fifos ? kFifoSize : 1;
    transmitter_room_ = 0;
    if (!passes_loopback_test()) {
        return fail(Errno::enodev);
    }
    set_modem_lines({});
    return {};
}

Result<void> Uart16550::configure(const UartSettings& settings) {
    u16 divisor = TRY(divisor_for(settings.baud));
    u8 frame = static_cast<u8>((settings.data_bits - 5) & 3);
    frame |= settings.two_stop_bits ? kTwoStopBits : 0;
    frame |= settings.parity ? kParityEnable : 0;
    frame |= settings.parity && !settings.odd_parity ? kEvenParity : 0;
    write_line(divisor, frame);
    write_interrupt_enable();
    return {};
}

/// One byte through the chip without touching the line.
bool Uart16550::passes_loopback_test() {
    constexpr u8 kProbe = 0xa5;
    registers_.write(kModemControl, kLoopback);
    bool passed = false;
    if (registers_.read(kLineStatus) != kNothingThere && put(kProbe)) {
        for (u32 i = 0; i < kPollLimit && !passed; ++i) {
            passed = (registers_.read(kLineStatus) & kDataReady) != 0;
        }
        passed = passed && registers_.read(kData) == kProbe;
    }
    registers_.write(kModemControl, 0);
    return passed;
}

// --- Interrupts ---------------------------------------------------------------------------------

void Uart16550::write_interrupt_enable() {
    u8 wanted = kInterruptLineStatus;
    wanted |= receive_held_ ? 0 : kInterruptReceived;
    wanted |= transmitting_ ? kInterruptTransmitterEmpty : 0;
    registers_.write(kInterruptEnable, interrupts_on_ ? wanted : 0);
}

void Uart16550::enable_interrupts() {
    // Reading the status registers clears what an earlier owner of the chip left pending.
    registers_.read(kLineStatus);
    registers_.read(kModemStatus);
    interrupts_on_ = true;
    write_interrupt_enable();
}

void Uart16550::disable_interrupts() {
    interrupts_on_ = false;
    write_interrupt_enable();
}

Uart16550::Handled Uart16550::handle_interrupt() {
    Handled handled;
    if ((registers_.read(kInterruptIdentification) & kNoInterruptPending) != 0) {
        return handled;
    }
    handled.ours = true;
    handled.received = receive_all();
    handled.sent = send_some();
    return handled;
}

usize Uart16550::receive_all() {
    usize bytes = 0;
    while (bytes < kBytesPerInterrupt) {
        if (received_.full()) {
            receive_held_ = true;
            write_interrupt_enable();
            break;
        }
        u8 status = registers_.read(kLineStatus);
        if (status == kNothingThere) {
            break;
        }
        note_line_errors(status);
        if ((status & kDataReady) == 0) {
            break;
        }
        u8 byte = registers_.read(kData);
        LineMark mark = (status & kBreak) != 0     ? LineMark::Break
                        : (status & kParity) != 0  ? LineMark::ParityError
                        : (status & kFraming) != 0 ? LineMark::FramingError
                                                   : LineMark::Normal;
        received_.push({byte, mark});
        ++bytes;
    }
    return bytes;
}

usize Uart16550::send_some() {
    if (!transmitting_) {
        return 0;
    }
    usize bytes = 0;
    if ((registers_.read(kLineStatus) & kTransmitterEmpty) != 0) {
        for (; bytes < fifo_size_ && !stopped_ && !to_send_.empty(); ++bytes) {
            registers_.write(kData, to_send_.pop());
        }
        if (bytes == 0) {
            transmitting_ = false;  // nothing to send: the interrupt would come for ever
            write_interrupt_enable();
        }
    }
    return bytes;
}

void Uart16550::start_transmission() {
    if (!transmitting_ && !stopped_ && !to_send_.empty()) {
        transmitting_ = true;
        write_interrupt_enable();  // comes at once when the transmitter is empty
    }
}

void Uart16550::set_transmission_stopped(bool stopped) {
    stopped_ = stopped;
    start_transmission();
}

void Uart16550::resume_receive() {
    if (receive_held_ && !received_.full()) {
        receive_held_ = false;
        write_interrupt_enable();  // comes at once when the chip has something
    }
}

void Uart16550::set_break(bool on) {
    line_control_ = static_cast<u8>(on ? line_control_ | kSendBreak : line_control_ & ~kSendBreak);
    registers_.write(kLineControl, line_control_);
}

void Uart16550::set_modem_lines(ModemLines lines) {
    registers_.write(kModemControl, static_cast<u8>(kOut2 | (lines.data_terminal_ready ? kDtr : 0) |
                                                    (lines.request_to_send ? kRts : 0)));
}

u8 Uart16550::modem_status() {
    return registers_.read(kModemStatus);
}

// --- Polling ------------------------------------------------------------------------------------

usize Uart16550::transmit(std::string_view text) {
    begin_polling();  // the early console may have used the chip in between
    for (usize i = 0; i < text.size(); ++i) {
        bool sent = (text[i] != '\n' || put('\r')) && put(static_cast<u8>(text[i]));
        if (!sent) {
            return i;
        }
    }
    return text.size();
}

bool Uart16550::transmit_byte(u8 byte) {
    return put(byte);
}

bool Uart16550::put(u8 byte) {
    if (transmitter_room_ == 0) {
        if (!wait_for_transmitter(kTransmitterEmpty)) {
            return false;
        }
        transmitter_room_ = fifo_size_;
    }
    --transmitter_room_;
    registers_.write(kData, byte);
    return true;
}

bool Uart16550::wait_for_transmitter(u8 bits) {
    for (u32 i = 0; i < kPollLimit; ++i) {
        u8 status = registers_.read(kLineStatus);
        if (status != kNothingThere) {
            // Reading the status clears its error bits, so they are noted whoever reads it.
            note_line_errors(status);
            if ((status & bits) != 0) {
                return true;
            }
        }
    }
    return false;
}

void Uart16550::note_line_errors(u8 status) {
    errors_.overruns += (status & kOverrun) != 0 ? 1 : 0;
    errors_.parity += (status & kParity) != 0 ? 1 : 0;
    errors_.framing += (status & kFraming) != 0 ? 1 : 0;
    errors_.breaks += (status & kBreak) != 0 ? 1 : 0;
}

UartLineErrors Uart16550::take_line_errors() {
    UartLineErrors errors = errors_;
    errors_ = {};
    return errors;
}

}  // namespace cairn
