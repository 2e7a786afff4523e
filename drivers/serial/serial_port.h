#pragma once
/// SerialPort: one of the four serial ports at their usual ISA addresses (COM1 … COM4), or one that stands elsewhere in
/// place of one of them, with buffers, interrupts, and the log's way to it.
///
/// Lock: `lock_` (rank Console, the innermost, because the log may be written under any other lock) around the chip and
/// the rings. The log is written by polling; in a panic it does not wait for a lock whose owner was stopped.

#include <optional>

#include "arch/platform.h"
#include "drivers/interrupt_lines.h"
#include "drivers/serial/uart16550.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/time/timer.h"

namespace cairn::drivers {

/// Told from the interrupt handler, interrupts off, no lock held; wakes a thread.
class SerialListener {
public:
    virtual void received() = 0;
    /// Something left: there is room, or all is sent.
    virtual void sent() = 0;

protected:
    ~SerialListener() = default;
};

/// Where the registers of a chip are, other than at one of the four usual places.
struct UartPlace {
    u16 port = 0;            // the first register's; 0: in memory
    PhysicalAddress memory;  // likewise
    u32 stride = 1;          // bytes from one register to the next
};

/// The registers of a chip at ports or in memory.
class PlacedUartRegisters final : public UartRegisters {
public:
    explicit PlacedUartRegisters(u16 port) : port_(port) {}
    /// Mapped for good.
    PlacedUartRegisters(volatile u8* memory, u32 stride) : memory_(memory), stride_(stride) {}
    u8 read(u8 index) override;
    void write(u8 index, u8 value) override;

private:
    u16 port_ = 0;
    volatile u8* memory_ = nullptr;
    u32 stride_ = 1;
};

class SerialPort final : private InterruptHandler {
public:
    static constexpr u32 kPorts = 4;
    static constexpr usize kBufferSize = 4096;

    /// Looks for port `index` (0: COM1) and sets it to `baud`. ENODEV: there is none; EINVAL (rate), ENOMEM.
    static Result<Own<SerialPort>> probe(u32 index, u32 baud);
    /// The same with a chip elsewhere in place of the usual one. No interrupt of it is known: it is asked 100 times a
    /// second whether it has something.
    static Result<Own<SerialPort>> probe_at(u32 index, u32 baud, const UartPlace& place);
    /// The port that is usually at an address; nothing: none is.
    static std::optional<u32> usual_index(u16 base);
    /// From now on interrupts are taken; the port lives for ever. `listener` too. Where no interrupts will come, it is
    /// asked as in probe_at().
    void start(const arch::PlatformDescription& platform, SerialListener& listener);

    u32 index() const { return index_; }
    bool has_fifo() const { return uart_.has_fifo(); }
    u64 address() const { return address_; }

    // --- Any context -----------------------------------------------------------------------------------------
    /// Puts bytes into the buffer, from which they leave by themselves; returns how many fitted.
    usize write(std::span<const u8> bytes);
    usize write_room();
    /// Bytes in the buffer.
    usize unsent();
    void discard_unsent();
    void set_stopped(bool stopped);
    /// Overtakes the buffer; polls.
    void send_urgently(u8 byte);
    /// Takes received bytes, oldest first.
    usize read(std::span<ReceivedByte> to);
    bool has_received();
    void discard_received();
    Result<void> configure(const UartSettings& settings);
    void set_break(bool on);
    void set_modem_lines(ModemLines lines);
    ModemLines modem_lines();
    u8 modem_status();
    UartLineErrors take_line_errors();

    /// Has the log written to this port, whole lines between those of programs.
    Result<void> become_log_console();

    SerialPort(u32 index, u64 address, const PlacedUartRegisters& registers, bool has_interrupt);

private:
    struct Sink : ConsoleSink {
        SerialPort* port;
    };
    static void write_log(const ConsoleSink& self, std::string_view text);
    void write_log_line(std::string_view text);
    bool handle_interrupt() override;
    static void poll(time::Timer& timer);

    const u32 index_;
    const u64 address_;
    const bool has_interrupt_;
    SpinLock<LockRank::Console> lock_;
    ReceivedByte received_storage_[kBufferSize];
    u8 to_send_storage_[kBufferSize];
    ReceiveRing received_{received_storage_};
    TransmitRing to_send_{to_send_storage_};
    PlacedUartRegisters registers_;
    Uart16550 uart_;
    ModemLines lines_;
    bool in_line_ = false;  // what programs wrote last was no line feed
    SerialListener* listener_ = nullptr;
    time::Timer poll_timer_{&poll};
    Sink sink_;
};

}  // namespace cairn::drivers
