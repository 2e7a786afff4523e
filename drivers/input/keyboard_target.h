#pragma once
/// What a keyboard does to the terminals on the screen. Keyboards (drivers/input) know keys, keymaps and lights; the
/// virtual terminals (fs/terminal) know screens and programs. This is what the one knows of the other.

#include <span>

#include "kernel/base/types.h"

namespace cairn::drivers {

/// The state of one virtual terminal that decides what its keys give; console_codes(4), ioctl_console(2). Read and
/// changed without a lock: each field by itself is whole, and a key that comes at the same time gets old or new.
struct KeyboardModes {
    enum class Coding : u8 { Raw, MediumRaw, Translate, Unicode, Off };

    Coding coding = Coding::Unicode;
    bool application_cursor_keys = false;    // DECCKM
    bool application_keypad = false;         // DECPNM
    bool carriage_return_line_feed = false;  // LNM: Enter gives both
    bool meta_sends_escape = true;           // KDSKBMETA
    bool auto_repeat = true;                 // DECARM
    u8 locks = 0;                            // Scroll, Num and Caps Lock: bits 0 to 2, as KDGKBLED has them
    u8 lights = kLightsAreLocks;             // what KDSETLED set, or that the lights show the locks

    static constexpr u8 kLightsAreLocks = 0xff;
};

/// All calls come from the keyboard's thread, which may sleep; none is made with a lock held.
class KeyboardTarget {
public:
    /// Of the terminal that is shown.
    virtual KeyboardModes& modes() = 0;
    /// What a key gave, to the terminal that is shown.
    virtual void typed(std::span<const u8> bytes) = 0;
    /// Shows terminal `number` (1: tty1), which is made if it is not there.
    virtual void show_terminal(u32 number) = 0;
    /// The next one that is in use (+1), the one before (-1), or the one shown before this (0).
    virtual void show_neighbour(i32 direction) = 0;
    /// Scrolls back (negative) or forth by half screens.
    virtual void scroll(i32 half_screens) = 0;
    /// Scroll Lock was pressed: output stops, or goes on.
    virtual void hold_output(bool hold) = 0;

protected:
    ~KeyboardTarget() = default;
};

}  // namespace cairn::drivers
