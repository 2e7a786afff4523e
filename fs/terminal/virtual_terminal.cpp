#include "fs/terminal/virtual_terminal.h"

#include <algorithm>

#include "drivers/input/keyboard_entrances.h"
#include "fs/terminal/virtual_terminals.h"

namespace cairn::fs::terminal {

namespace {

/// As Linux's tty_std_termios, with UTF-8.
Termios first_settings() {
    using namespace control_flags;
    Termios termios;
    termios.input |= input_flags::kUtf8;
    termios.control = kSize8 | kReceive | kHangUpOnClose;
    set_baud_rate(termios, 38400);
    return termios;
}

}  // namespace

VirtualTerminal::VirtualTerminal(u32 number, Own<ScreenConsole> console, Display& display)
    : Terminal({kMajor, number}, first_settings()), display_(display), console_(std::move(console)) {
    set_window_size({static_cast<u16>(console_->rows()), static_cast<u16>(console_->columns()), 0, 0});
}

// --- Input ---------------------------------------------------------------------------------------------------------

void VirtualTerminal::typed(std::span<const u8> bytes) {
    {
        SpinLockGuard guard(queue_lock_);
        typed_.push(bytes);
    }
    display_.request_round();
}

void VirtualTerminal::deliver() {
    u8 bytes[128];
    while (!no_room_.load(Order::acquire)) {
        sync::MutexGuard input(input_mutex_);
        usize count = 0;
        {
            SpinLockGuard guard(queue_lock_);
            count = std::min(typed_.front().size(), sizeof bytes);
            std::copy_n(typed_.front().data(), count, bytes);
        }
        if (count == 0) {
            return;
        }
        const usize taken = receive_locked({bytes, count});
        {
            SpinLockGuard guard(queue_lock_);
            typed_.drop(taken);
        }
        if (taken != count) {
            no_room_.store(true, Order::release);
            look_ahead_locked({bytes + taken, count - taken});
        }
    }
}

void VirtualTerminal::input_room() {
    if (no_room_.exchange(false, Order::acq_rel)) {
        display_.request_round();
    }
}

void VirtualTerminal::discard_undelivered_input() {
    sync::MutexGuard input(input_mutex_);
    SpinLockGuard guard(queue_lock_);
    typed_.clear();
    forget_look_ahead();
    no_room_.store(false, Order::release);
}

// --- Output --------------------------------------------------------------------------------------------------------

usize VirtualTerminal::write(std::span<const u8> characters) {
    display_.write(*console_, characters);
    if (display_.with_quietly([&](drivers::Screen&) { return console_->take_bell(); })) {
        drivers::sound_bell(console_->emulator().bell_hertz(), console_->emulator().bell_milliseconds());
    }
    // What the program asked for comes before all that is typed from now on.
    u8 bytes[64];
    while (usize answers = display_.with_quietly([&](drivers::Screen&) { return console_->replies().pop(bytes); })) {
        typed({bytes, answers});
    }
    return characters.size();
}

void VirtualTerminal::hold_output(bool hold) {
    sync::MutexGuard guard(output_mutex_);
    hold ? stop_output() : start_output();
}

void VirtualTerminal::adopt_settings(Termios& settings, const Termios&) {
    display_.with([&](drivers::Screen&) { console_->emulator().set_utf8(settings.has_input(input_flags::kUtf8)); });
}

Result<void> VirtualTerminal::resize(u32 columns, u32 rows) {
    TerminalGrid::Storage storage = TRY(TerminalGrid::Storage::create(columns, rows));
    display_.with([&](drivers::Screen&) { console_->resize(storage); });
    set_window_size({static_cast<u16>(rows), static_cast<u16>(columns), 0, 0});
    return {};
}

/// The next session finds a terminal that no program has changed; what it shows stays.
void VirtualTerminal::last_closed() {
    VirtualTerminals::get()->closed(*this);
}

}  // namespace cairn::fs::terminal
