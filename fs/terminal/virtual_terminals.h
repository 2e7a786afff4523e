#pragma once
/// VirtualTerminals: the terminals on the screen and which of them is shown. /dev/tty1 … tty63 are made when they are
/// first opened or switched to; /dev/tty0 is the one that is shown.
///
/// Switching. A program that draws itself may ask to be told (VT_SETMODE): then it gets a signal and the switch waits
/// until it has let go (VT_RELDISP). A terminal in graphics mode that nobody would tell is not left.
///
/// Lock: `mutex_` (rank VirtualTerminals) around who is shown and how switching goes.

#include "drivers/input/keyboard_target.h"
#include "fs/terminal/console_font.h"
#include "fs/terminal/virtual_terminal.h"
#include "kernel/boot/options.h"

namespace cairn::fs::terminal {

class VirtualTerminals final : public drivers::KeyboardTarget {
public:
    /// MAX_NR_CONSOLES: the minors that are theirs.
    static constexpr u32 kMost = 63;

    /// Makes tty1 and registers the devices. Start-up, after Display::start. ENOMEM.
    static Result<void> start(Display& display);
    /// Null: there is no screen.
    static VirtualTerminals* get();

    explicit VirtualTerminals(Display& display) : display_(display), font_(display) {}
    ~VirtualTerminals() = default;

    // KeyboardTarget
    drivers::KeyboardModes& modes() override { return shown().keyboard(); }
    void typed(std::span<const u8> bytes) override;
    void show_terminal(u32 number) override;
    void show_neighbour(i32 direction) override;
    void scroll(i32 half_screens) override;
    void hold_output(bool hold) override { shown().hold_output(hold); }

    VirtualTerminal& shown() { return *shown_.load(Order::acquire); }
    /// Null: not made yet, or beyond kMost.
    VirtualTerminal* find(u32 number);
    /// Makes it if it is not there; 0 is the one that is shown. ENXIO (number), ENOMEM.
    Result<VirtualTerminal*> get(u32 number);

    // --- ioctl_console(2) ------------------------------------------------------------------------------------------
    Result<void> switch_to(u32 number);
    /// Waits until it is shown. EINTR.
    Result<void> wait_shown(u32 number);
    void set_switch_mode(VirtualTerminal& terminal, const VirtualTerminal::SwitchMode& mode);
    VirtualTerminal::SwitchMode switch_mode(VirtualTerminal& terminal);
    /// VT_RELDISP: 0 refuses, 1 lets go, 2 acknowledges. EINVAL.
    Result<void> release(VirtualTerminal& terminal, u64 answer);
    void set_graphics(VirtualTerminal& terminal, bool on);
    /// The first that nobody uses, or 0.
    u32 first_free();
    /// Bit n: tty n is in use.
    u32 in_use();
    Result<void> resize_all(u32 columns, u32 rows);
    /// 0: all that can be. EBUSY: it is in use, shown, or the first.
    Result<void> disallocate(u32 number);
    void lock_switching(bool locked);

    ConsoleFont& font() { return font_; }

    /// The last user of a terminal is gone.
    void closed(VirtualTerminal& terminal);

private:
    void complete_switch(VirtualTerminal& next) REQUIRES(mutex_);
    void before_drawing();

    Display& display_;
    ConsoleFont font_;
    sync::Mutex<LockRank::VirtualTerminals> mutex_;
    Atomic<VirtualTerminal*> terminals_[kMost + 1];  // by number; [0] is not used; set once, under mutex_
    Atomic<VirtualTerminal*> shown_{nullptr};        // changed under mutex_
    u32 previous_ GUARDED_BY(mutex_) = 1;
    VirtualTerminal* pending_ GUARDED_BY(mutex_) = nullptr;  // what is shown once the program has let go
    bool switching_locked_ GUARDED_BY(mutex_) = false;
    sync::WaitQueue switched_;
};

/// VirtualTerminals::start, and what the options say of /dev/console and the log. Start-up, after the serial terminals.
/// ENOMEM.
Result<void> start_virtual_terminals(const boot::ConsoleChoices& consoles);

}  // namespace cairn::fs::terminal
