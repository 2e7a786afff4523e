#pragma once
/// Driver for a 16550-compatible serial port (National Semiconductor PC16550D data sheet): interrupt-driven in both
/// directions through rings that the caller supplies, and polled transmit for the log. It knows the register logic
/// only; how a register is reached is behind UartRegisters, so that a model of the chip can take its place in a test.
///
/// Nothing that arrives is dropped while the other side can be held back: when the ring is full, the chip is no longer
/// emptied and its receive interrupt is turned off, until resume_receive(). A virtual machine's line then waits.
///
/// Locks: none of its own. The caller serialises calls on one Uart16550 with each other, interrupt handler included;
/// the rings are used in the same way.

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

/// How a byte arrived.
enum class LineMark : u8 { Normal, Break, FramingError, ParityError };
struct ReceivedByte {
    u8 byte;
    LineMark mark;
};

/// A ring in storage of the caller's, which is not empty and outlives it.
template <typename T>
class UartRing {
public:
    explicit UartRing(std::span<T> storage) : storage_(storage) {}

    bool empty() const { return count_ == 0; }
    bool full() const { return count_ == storage_.size(); }
    usize size() const { return count_; }
    usize room() const { return storage_.size() - count_; }
    /// Not when full().
    void push(T element) {
        storage_[(first_ + count_) % storage_.size()] = element;
        ++count_;
    }
    /// Not when empty().
    T pop() {
        T element = storage_[first_];
        first_ = (first_ + 1) % storage_.size();
        --count_;
        return element;
    }
    void clear() { count_ = first_ = 0; }

private:
    std::span<T> storage_;
    usize first_ = 0;
    usize count_ = 0;
};
using ReceiveRing = UartRing<ReceivedByte>;
using TransmitRing = UartRing<u8>;

/// What went wrong on the line since the last call of take_line_errors().
struct UartLineErrors {
    u32 overruns = 0;  // the chip's FIFO was full
    u32 parity = 0;
    u32 framing = 0;
    u32 breaks = 0;
};

/// Rate and frame.
struct UartSettings {
    u32 baud = 115200;
    u8 data_bits = 8;  // 5 … 8
    bool two_stop_bits = false;
    bool parity = false;
    bool odd_parity = false;
};

/// The lines of a modem, as the chip's registers have them.
struct ModemLines {
    bool data_terminal_ready = true;  // ours
    bool request_to_send = true;
};

class Uart16550 {
public:
    static constexpr u32 kBaseBaud = 115200;  // divisor 1 with the PC's 1.8432 MHz crystal

    /// All outlive the driver.
    Uart16550(UartRegisters& registers, ReceiveRing& received, TransmitRing& to_send)
        : registers_(registers), received_(received), to_send_(to_send) {}

    /// Tests the chip in loopback, sets the line to `baud`, 8 data bits, no parity, one stop bit, and enables the
    /// FIFOs where there are any; interrupts stay off. EINVAL if the chip cannot make that rate within 3 %, ENODEV if
    /// there is no chip. What is still being sent leaves first.
    Result<void> initialize(u32 baud);
    /// Changes rate and frame. EINVAL as above: nothing is changed.
    Result<void> configure(const UartSettings& settings);

    /// Lets the chip raise its interrupt line for received bytes and line errors; what is to be sent adds its own.
    void enable_interrupts();
    void disable_interrupts();

    struct Handled {
        bool ours = false;
        usize received = 0;
        usize sent = 0;
    };
    /// From the interrupt handler: moves what arrived into the ring, and what is to be sent into the chip.
    Handled handle_interrupt();

    /// The ring has something to send: its interrupts will fetch it.
    void start_transmission();
    /// Stopped: nothing leaves the ring.
    void set_transmission_stopped(bool stopped);
    /// There is room in the ring again.
    void resume_receive();
    void set_break(bool on);
    void set_modem_lines(ModemLines lines);
    /// The modem status register: CTS 0x10, DSR 0x20, RI 0x40, DCD 0x80.
    u8 modem_status();

    /// Sends `text` by polling; a line feed becomes CR LF. Returns how many characters of `text` went out: fewer than
    /// all when the transmitter does not get ready (flow control, dead chip).
    usize transmit(std::string_view text);
    /// One byte by polling, as it is; false as above.
    bool transmit_byte(u8 byte);
    /// A polled transmission begins: how full the chip is is not known.
    void begin_polling() { transmitter_room_ = 0; }

    UartLineErrors take_line_errors();
    bool has_fifo() const { return fifo_size_ > 1; }

private:
    static Result<u16> divisor_for(u32 baud);
    void write_line(u16 divisor, u8 line_control);
    void write_interrupt_enable();
    bool passes_loopback_test();
    bool wait_for_transmitter(u8 bits);
    bool put(u8 byte);
    usize receive_all();
    usize send_some();
    void note_line_errors(u8 status);

    UartRegisters& registers_;
    ReceiveRing& received_;
    TransmitRing& to_send_;
    u32 fifo_size_ = 1;
    u32 transmitter_room_ = 0;  // polling: bytes that fit before the status must be read again
    u8 line_control_ = 0;
    bool interrupts_on_ = false;
    bool receive_held_ = false;  // the ring was full
    bool transmitting_ = false;  // the transmitter's interrupt is on
    bool stopped_ = false;
    UartLineErrors errors_;
};

}  // namespace cairn
