#pragma once
/// Driver for a 16550-compatible serial port (National Semiconductor PC16550D data sheet):
/// polled transmit, interrupt-driven receive into a ring that the caller supplies. It knows the
/// register logic only; how a register is reached is behind UartRegisters, so that a model of the
/// chip can take its place in a test.
///
/// Locks: none of its own. The caller serialises calls on one Uart16550 with each other, interrupt
/// handler included (a SpinLock of rank Device around all of them); the ring is read in the same
/// way.

#include <span>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

namespace cairn {

/// The chip's eight registers by number.
class UartRegisters {
public:
    virtual u8 read(u8 index) = 0;
    virtual void write(u8 index, u8 value) = 0;

protected:
    ~UartRegisters() = default;  // never owned through this interface
};

/// Received bytes, in storage of the caller's. When it is full the newest byte is dropped and
/// counted, since what came first is what a reader is in the middle of.
class ReceiveRing {
public:
    /// `storage` is not empty and outlives the ring.
    explicit ReceiveRing(std::span<u8> storage) : storage_(storage) {}

    bool empty() const { return count_ == 0; }
    usize size() const { return count_; }
    u64 dropped() const { return dropped_; }
    void push(u8 byte);
    /// Takes up to `out.size()` bytes, oldest first; returns how many.
    usize take(std::span<u8> out);

private:
    std::span<u8> storage_;
    usize first_ = 0;
    usize count_ = 0;
    u64 dropped_ = 0;
};

/// What went wrong on the line since the last call of take_line_errors().
struct UartLineErrors {
    u32 overruns = 0;  // the chip's FIFO was full
    u32 parity = 0;
    u32 framing = 0;
    u32 breaks = 0;
};

class Uart16550 {
public:
    static constexpr u32 kBaseBaud = 115200;  // divisor 1 with the PC's 1.8432 MHz crystal

    /// Both outlive the driver.
    Uart16550(UartRegisters& registers, ReceiveRing& received) : registers_(registers), received_(received) {}

    /// Tests the chip in loopback, sets `baud`, 8 data bits, no parity, one stop bit, and enables
    /// the FIFOs where there are any; interrupts stay off. EINVAL if the chip cannot make that
    /// rate within 3 %, ENODEV if there is no chip.
    Result<void> initialize(u32 baud);

    /// Lets the chip raise its interrupt line for received bytes and line errors.
    void enable_receive();
    void disable_receive();

    /// From the interrupt handler: moves all that arrived into the ring. Returns the number of
    /// bytes; zero when the interrupt was another device's.
    usize handle_interrupt();

    /// Sends `text` by polling; a line feed becomes CR LF. Returns how many characters of `text`
    /// went out: fewer than all when the transmitter does not get ready (flow control, dead chip).
    usize transmit(std::string_view text);

    UartLineErrors take_line_errors();
    bool has_fifo() const { return fifo_size_ > 1; }

private:
    bool passes_loopback_test();
    bool wait_for_transmitter();
    bool put(u8 byte);
    void note_line_errors(u8 status);

    UartRegisters& registers_;
    ReceiveRing& received_;
    u32 fifo_size_ = 1;
    u32 transmitter_room_ = 0;  // bytes that fit before the status must be read again
    UartLineErrors errors_;
};

}  // namespace cairn
