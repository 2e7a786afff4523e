#pragma once
/// SerialPort: one of the four serial ports at their usual ISA addresses (COM1 … COM4), with buffers, interrupts, and
/// the log's way to it.
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

/// The registers of a chip on the ISA bus.
class IsaUartRegisters final : public UartRegisters {
public:
    explicit IsaUartRegisters(u16 base) : base_(base) {}
    u8 read(u8 index) override;
    void write(u8 index, u8 value) override;

private:
    u16 base_;
};

class SerialPort final : private InterruptHandler {
public:
    static constexpr u32 kPorts = 4;
    static constexpr usize kBufferSize = 4096;

    /// Looks for port `index` (0: COM1) and sets it to `baud`. ENODEV: there is none; EINVAL (rate), ENOMEM.
    static Result<Own<SerialPort>> probe(u32 index, u32 baud);
    /// From now on interrupts are taken; the port lives for ever. `listener` too. ENODEV, ENOSPC: no interrupts will
    /// come.
    Result<void> start(const arch::PlatformDescription& platform, SerialListener& listener);

    u32 index() const { return index_; }
    bool has_fifo() const { return uart_.has_fifo(); }
    u16 address() const { return base_; }

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

    SerialPort(u32 index, u16 base);

private:
    struct Sink : ConsoleSink {
        SerialPort* port;
    };
    static void write_log(const ConsoleSink& self, std::string_view text);
    void write_log_line(std::string_view text);
    bool handle_interrupt() override;

    const u32 index_;
    const u16 base_;
    SpinLock<LockRank::Console> lock_;
    ReceivedByte received_storage_[kBufferSize];
    u8 to_send_storage_[kBufferSize];
    ReceiveRing received_{received_storage_};
    TransmitRing to_send_{to_send_storage_};
    IsaUartRegisters registers_;
    Uart16550 uart_;
    ModemLines lines_;
    bool in_line_ = false;  // what programs wrote last was no line feed
    SerialListener* listener_ = nullptr;
    Sink sink_;
};

}  // namespace cairn::drivers
