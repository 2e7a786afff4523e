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
constexpr u8 kInterruptLineStatus = 0x04;

constexpr u8 kNoInterruptPending = 0x01;
constexpr u8 kFifosEnabled = 0xc0;

constexpr u8 kEnableFifos = 0x01;
constexpr u8 kClearFifos = 0x06;
constexpr u8 kTriggerAt8Bytes = 0x80;

constexpr u8 kEightBitsNoParity = 0x03;
constexpr u8 kDivisorAccess = 0x80;

constexpr u8 kDtrRtsOut2 = 0x0b;  // OUT2 connects the interrupt line on a PC
constexpr u8 kLoopback = 0x10;

constexpr u8 kDataReady = 0x01;
constexpr u8 kOverrun = 0x02;
constexpr u8 kParity = 0x04;
constexpr u8 kFraming = 0x08;
constexpr u8 kBreak = 0x10;
constexpr u8 kTransmitterEmpty = 0x20;
constexpr u8 kNothingThere = 0xff;

constexpr u32 kFifoSize = 16;
/// A port read takes about a microsecond on the buses that have such a chip; a FIFO full at 1200
/// baud drains in 133 ms.
constexpr u32 kPollLimit = 200'000;
/// Bytes that one interrupt may take: a stuck "data ready" must not hold the CPU.
constexpr u32 kBytesPerInterrupt = 256;

}  // namespace

void ReceiveRing::push(u8 byte) {
    if (count_ == storage_.size()) {
        ++dropped_;
        return;
    }
    storage_[(first_ + count_) % storage_.size()] = byte;
    ++count_;
}

usize ReceiveRing::take(std::span<u8> out) {
    usize taken = 0;
    for (; taken < out.size() && count_ != 0; ++taken) {
        out[taken] = storage_[first_];
        first_ = (first_ + 1) % storage_.size();
        --count_;
    }
    return taken;
}

Result<void> Uart16550::initialize(u32 baud) {
    if (baud == 0 || baud > kBaseBaud) {
        return fail(Errno::einval);
    }
    u32 divisor = (kBaseBaud + baud / 2) / baud;
    u32 actual = kBaseBaud / divisor;
    u32 difference = actual > baud ? actual - baud : baud - actual;
    if (divisor > 0xffff || difference * 100 > baud * 3) {
        return fail(Errno::einval);
    }
    registers_.write(kInterruptEnable, 0);
    registers_.write(kLineControl, kDivisorAccess);
    registers_.write(kData, static_cast<u8>(divisor));
    registers_.write(kInterruptEnable, static_cast<u8>(divisor >> 8));
    registers_.write(kLineControl, kEightBitsNoParity);
    registers_.write(kFifoControl, kEnableFifos | kClearFifos | kTriggerAt8Bytes);
    bool has_fifos = (registers_.read(kInterruptIdentification) & kFifosEnabled) == kFifosEnabled;
    fifo_size_ = has_fifos ? kFifoSize : 1;
    transmitter_room_ = 0;
    if (!passes_loopback_test()) {
        return fail(Errno::enodev);
    }
    registers_.write(kModemControl, kDtrRtsOut2);
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

void Uart16550::enable_receive() {
    // Reading the status registers clears what an earlier owner of the chip left pending.
    registers_.read(kLineStatus);
    registers_.read(kModemStatus);
    registers_.write(kInterruptEnable, kInterruptReceived | kInterruptLineStatus);
}

void Uart16550::disable_receive() {
    registers_.write(kInterruptEnable, 0);
}

usize Uart16550::handle_interrupt() {
    if ((registers_.read(kInterruptIdentification) & kNoInterruptPending) != 0) {
        return 0;
    }
    usize bytes = 0;
    for (u32 i = 0; i < kBytesPerInterrupt; ++i) {
        u8 status = registers_.read(kLineStatus);
        if (status == kNothingThere) {
            break;
        }
        note_line_errors(status);
        if ((status & kDataReady) == 0) {
            break;
        }
        u8 byte = registers_.read(kData);
        if ((status & kBreak) != 0) {
            continue;  // the chip delivers a break as a zero that nobody sent
        }
        received_.push(byte);
        ++bytes;
    }
    return bytes;
}

usize Uart16550::transmit(std::string_view text) {
    transmitter_room_ = 0;  // the early console may have used the chip in between
    for (usize i = 0; i < text.size(); ++i) {
        bool sent = (text[i] != '\n' || put('\r')) && put(static_cast<u8>(text[i]));
        if (!sent) {
            return i;
        }
    }
    return text.size();
}

bool Uart16550::put(u8 byte) {
    if (transmitter_room_ == 0) {
        if (!wait_for_transmitter()) {
            return false;
        }
        transmitter_room_ = fifo_size_;
    }
    --transmitter_room_;
    registers_.write(kData, byte);
    return true;
}

bool Uart16550::wait_for_transmitter() {
    for (u32 i = 0; i < kPollLimit; ++i) {
        u8 status = registers_.read(kLineStatus);
        if (status != kNothingThere) {
            // Reading the status clears its error bits, so they are noted whoever reads it.
            note_line_errors(status);
            if ((status & kTransmitterEmpty) != 0) {
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
