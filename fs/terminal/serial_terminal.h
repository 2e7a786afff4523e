#pragma once
/// SerialTerminal: the terminal on a serial port, /dev/ttyS0 … ttyS3 (ttyS(4)). A kernel thread per port takes what the
/// interrupt handler received to the line discipline, since that sleeps for locks; while the line discipline has no
/// room the thread waits, the port's buffer fills up, and the port holds its line back, so that nothing is lost.
///
/// The interrupt handler does nothing but wake the thread and writers. Lives for ever.

#include "drivers/serial/serial_port.h"
#include "fs/terminal/terminal.h"

namespace cairn::fs::terminal {

class SerialTerminal final : public Terminal, private drivers::SerialListener {
public:
    static constexpr u32 kMajor = 4;
    static constexpr u32 kFirstMinor = 64;

    /// Makes the terminal and its thread for a port that was found, and registers /dev/ttySn. ENOMEM.
    static Result<Ref<SerialTerminal>> create(Own<drivers::SerialPort> port, u32 baud,
                                              const arch::PlatformDescription& platform);

    SerialTerminal(Own<drivers::SerialPort> port, const Termios& termios);
    ~SerialTerminal() = default;

private:
    void destroy() override { destroy_counted(this); }

    // SerialListener; in the interrupt handler
    void received() override { work_.wake_all(); }
    void sent() override;

    // LineDevice and Terminal
    usize write_room() override { return port_->write_room(); }
    usize write(std::span<const u8> characters) override { return port_->write(characters); }
    void discard_output() override {
        port_->discard_unsent();
        output_room();
    }
    usize pending_output() override { return port_->unsent(); }
    void flow_changed() override { port_->set_stopped(output_stopped()); }
    void adopt_settings(Termios& settings, const Termios& old) override;
    void hold_input(bool hold) override;
    void input_room() override;
    void discard_undelivered_input() override;
    void send_urgently(u8 character) override { port_->send_urgently(character); }
    void first_opened() override;
    void last_closed() override;
    Result<void> send_break(u32 milliseconds) override;
    void set_break(bool on) override { port_->set_break(on); }
    Result<u64> device_ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;

    void run();
    /// Takes a part of what arrived to the line discipline; false when there is nothing or no room.
    bool deliver();
    bool is_magic(const ReceivedByte& byte);
    bool has_work();

    static constexpr usize kChunk = 256;

    const Own<drivers::SerialPort> port_;
    sync::WaitQueue work_;
    Atomic<bool> no_room_{false};  // the line discipline refused; until somebody reads
    // What was taken from the port and not by the line discipline; under input_mutex_.
    u8 characters_[kChunk];
    ReceiveMark marks_[kChunk];
    usize first_ = 0;
    usize end_ = 0;
    // The thread's.
    Nanoseconds magic_until_{};  // a break came: until then a character is a command
    char magic_command_ = '\0';  // to be done when no lock is held
};

/// Finds the serial ports, makes their terminals, and makes port `console` (if it exists; else the first one) the
/// console of programs and of the log. `baud` is for the console; the others have 9600. Start-up, after
/// Terminals::initialize. ENOMEM.
/// `log`: whether the log goes there. `place`: where the console's chip is, if not at its usual place.
Result<void> start_serial_terminals(const arch::PlatformDescription& platform, u32 console, u32 baud, bool log,
                                    const std::optional<drivers::UartPlace>& place);

}  // namespace cairn::fs::terminal
