#pragma once
/// ScreenConsole: what one virtual terminal shows: its grid, scroll-back and emulator, whether it is on the screen or
/// not.
///
/// All of it under the Display's lock, but for `keyboard`, whose fields stand for themselves.

#include "drivers/input/keyboard_target.h"
#include "fs/terminal/byte_queue.h"
#include "fs/terminal/terminal_emulator.h"
#include "kernel/base/log_ring.h"

namespace cairn::fs::terminal {

class ScreenConsole final : private TerminalEmulator::Host {
public:
    using Cell = drivers::Cell;

    /// ENOMEM, EINVAL (size). `most_chunks`: of scroll-back.
    static Result<Own<ScreenConsole>> create(u32 columns, u32 rows, u32 most_chunks);

    ScreenConsole(TerminalGrid::Storage storage, u32 most_chunks)
        : scroll_back_(most_chunks), grid_(std::move(storage), scroll_back_), emulator_(grid_, keyboard, *this) {}

    drivers::KeyboardModes keyboard;

    /// A program's.
    void write(std::span<const u8> bytes);
    /// A record of the log, on lines of its own, in colours by its level.
    void write_log(const LogRecord& record);
    /// Gives the old memory back in `storage`.
    void resize(TerminalGrid::Storage& storage);
    void reset() { emulator_.reset(); }

    /// What is to be seen in a row: `out` is as wide as the grid. The cursor is marked in it.
    void look_at(u32 row, std::span<Cell> out) const;
    bool take_mark(u32 row) { return grid_.take_mark(row); }
    void mark_all() { grid_.mark_all(); }

    /// Looks further back (negative) or less far; false: there is nothing more.
    bool scroll(i32 rows);
    bool scroll_to_end() { return scroll(static_cast<i32>(view_)); }

    /// What the terminal answers to programs' questions.
    ByteQueue<512>& replies() { return replies_; }
    /// Whether the bell was rung since the last call.
    bool take_bell() { return std::exchange(bell_rung_, false); }
    /// The terminal that a program wants to see (1: tty1); 0: none.
    u32 take_wanted_terminal() { return std::exchange(wanted_terminal_, 0); }

    ScrollBack& scroll_back() { return scroll_back_; }
    TerminalEmulator& emulator() { return emulator_; }
    const TerminalEmulator& emulator() const { return emulator_; }
    u32 columns() const { return grid_.columns(); }
    u32 rows() const { return grid_.rows(); }
    TerminalGrid& grid() { return grid_; }

private:
    // Host
    void reply(std::string_view text) override;
    void bell() override { bell_rung_ = true; }
    void show_terminal(u32 number) override { wanted_terminal_ = number; }

    ScrollBack scroll_back_;
    TerminalGrid grid_;
    TerminalEmulator emulator_;
    ByteQueue<512> replies_;
    u32 wanted_terminal_ = 0;
    bool bell_rung_ = false;
    u32 view_ = 0;  // rows of scroll-back that are in view
};

}  // namespace cairn::fs::terminal
