#pragma once
/// VirtualTerminal: /dev/tty1 … tty63, one of several terminals that share a screen and a keyboard (console(4),
/// ioctl_console(2)). What it shows is its ScreenConsole's; which of them is shown is VirtualTerminals' to say.
///
/// What is typed waits in a queue (`queue_lock_`, rank TerminalQueue) for the display's thread, which takes it to the
/// line discipline, since that sleeps for locks. Lives for ever once it was made.

#include "fs/terminal/display.h"
#include "fs/terminal/terminal.h"

namespace cairn::fs::terminal {

class VirtualTerminals;

class VirtualTerminal final : public Terminal {
public:
    static constexpr u32 kMajor = 4;

    /// VT_SETMODE: how switching away and back is told to a program.
    struct SwitchMode {
        bool by_process = false;
        bool wait_when_hung = false;
        i16 release_signal = 0;
        i16 acquire_signal = 0;
        i32 process = 0;
    };

    VirtualTerminal(u32 number, Own<ScreenConsole> console, Display& display);
    ~VirtualTerminal() = default;

    u32 number() const { return Terminal::number().minor; }
    ScreenConsole& console() { return *console_; }
    drivers::KeyboardModes& keyboard() { return console_->keyboard; }

    /// Any context that may take spinlocks. What the queue has no room for is lost, as on Linux.
    void typed(std::span<const u8> bytes);
    /// The display's thread.
    void deliver();
    /// Scroll Lock.
    void hold_output(bool hold);
    const Termios& usual_settings() const { return initial_termios_; }
    bool in_use() const { return users() != 0; }

    bool graphics() const { return graphics_.load(Order::relaxed); }
    void set_graphics(bool on) { graphics_.store(on, Order::relaxed); }

    /// Under VirtualTerminals' lock.
    SwitchMode switch_mode;

    /// Gives the terminal the size of its screen. ENOMEM, EINVAL.
    Result<void> resize(u32 columns, u32 rows);

private:
    void destroy() override { destroy_counted(this); }

    // LineDevice and Terminal
    usize write_room() override { return output_stopped() ? 0 : kRoom; }
    usize write(std::span<const u8> characters) override;
    void discard_output() override {}
    usize pending_output() override { return 0; }
    void flow_changed() override {}
    void adopt_settings(Termios& settings, const Termios& old) override;
    void input_room() override;
    void discard_undelivered_input() override;
    void last_closed() override;
    Result<u64> device_ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;

    // virtual_terminal_ioctl.cpp
    struct Request;
    Result<u64> switch_ioctl(Request& request);
    Result<u64> keyboard_ioctl(Request& request);
    Result<u64> screen_ioctl(Request& request);
    Result<u64> font_ioctl(Request& request);
    Result<u64> linux_ioctl(Request& request);

    static constexpr usize kRoom = 4096;

    Display& display_;
    const Own<ScreenConsole> console_;
    Atomic<bool> graphics_{false};
    Atomic<bool> no_room_{false};  // the line discipline refused; until somebody reads
    SpinLock<LockRank::TerminalQueue> queue_lock_;
    ByteQueue<4096> typed_ GUARDED_BY(queue_lock_);
};

}  // namespace cairn::fs::terminal
