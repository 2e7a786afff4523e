#include "arch/x86_64/debug/early_console.h"

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"

namespace cairn::arch {

namespace {

// Registers of the 16550 (National Semiconductor PC16550D, table II).
constexpr u16 kPort = 0x3f8;
constexpr u16 kData = kPort;                 // also the divisor's low byte
constexpr u16 kInterruptEnable = kPort + 1;  // also the divisor's high byte
constexpr u16 kFifoControl = kPort + 2;
constexpr u16 kLineControl = kPort + 3;
constexpr u16 kModemControl = kPort + 4;
constexpr u16 kLineStatus = kPort + 5;
constexpr u16 kScratch = kPort + 7;

constexpr u8 kDivisorAccess = 0x80;
constexpr u8 kEightBitsNoParity = 0x03;
constexpr u8 kEnableAndClearFifos = 0x07;
constexpr u8 kLoopback = 0x10;
constexpr u8 kReadyForTerminal = 0x0b;  // DTR, RTS, and OUT2 for the interrupt line
constexpr u8 kTransmitterEmpty = 0x20;  // the FIFO is empty
constexpr u8 kTransmitterIdle = 0x40;   // the FIFO and the shift register are empty
constexpr u32 kFifoSize = 16;

/// In the scratch register: "this port passed the test". It keeps the fact where it is needed, in
/// the device; a missing port reads 0xff.
constexpr u8 kUsableMark = 0xca;

/// About 10 ms even on a fast machine, since a port access takes at least 100 ns where the port is
/// real; a full FIFO drains in 1.4 ms.
constexpr u32 kPollLimit = 100'000;

/// Until one of the bits of the line status is set; false when that does not happen.
bool wait_for_status(u8 bits) {
    for (u32 i = 0; i < kPollLimit; ++i) {
        if ((read_port8(kLineStatus) & bits) != 0) {
            return true;
        }
    }
    return false;
}

}  // namespace

void early_console_initialize() {
    write_port8(kScratch, 0);
    write_port8(kInterruptEnable, 0);
    write_port8(kLineControl, kDivisorAccess);
    write_port8(kData, 1);  // divisor 1: 115200 baud
    write_port8(kInterruptEnable, 0);
    write_port8(kLineControl, kEightBitsNoParity);
    write_port8(kFifoControl, kEnableAndClearFifos);
    write_port8(kModemControl, kLoopback);
    constexpr u8 kProbe = 0xae;
    write_port8(kData, kProbe);
    bool present = wait_for_status(kTransmitterEmpty) && read_port8(kData) == kProbe;
    write_port8(kModemControl, kReadyForTerminal);
    if (present) {
        write_port8(kScratch, kUsableMark);
    }
}

void early_console_write(std::string_view text) {
    if (read_port8(kScratch) != kUsableMark) {
        return;
    }
    u32 room = 0;
    auto put = [&room](char c) {
        if (room == 0) {
            wait_for_status(kTransmitterEmpty);  // a stuck port loses text, it does not stop the machine
            room = kFifoSize;
        }
        write_port8(kData, static_cast<u8>(c));
        --room;
    };
    for (char c : text) {
        if (c == '\n') {
            put('\r');
        }
        put(c);
    }
}

void early_console_drain() {
    if (read_port8(kScratch) == kUsableMark) {
        wait_for_status(kTransmitterIdle);
    }
}

}  // namespace cairn::arch
