#pragma once
/// LineOutput: the way of characters to the device: output processing (OPOST), the column that tabs and erasing need,
/// and the queue of echoes. Behaves as Linux's N_TTY does (drivers/tty/n_tty.c), down to when echoes are sent.
///
/// Echoes are queued first, because the device may have no room: characters as they are, and with kEscape in
/// front what must be worked out when the echo is sent (an erased tab depends on the column at that moment).
///
/// Lock: everything under the terminal's TerminalOutput. Pure otherwise: nothing here sleeps or allocates.

#include <span>

#include "fs/terminal/line_device.h"
#include "fs/terminal/termios.h"

namespace cairn::fs::terminal {

class LineOutput {
public:
    LineOutput(const Termios& termios, LineDevice& device) : termios_(termios), device_(device) {}

    // --- Output of programs ----------------------------------------------------------------------------------
    /// Processes characters as the settings say and hands them to the device; returns how many went, fewer than all
    /// when the device has no more room.
    usize write(std::span<const u8> characters);

    // --- Echoes ----------------------------------------------------------------------------------------------
    /// As it is.
    void echo_raw(u8 character);
    /// With ECHOCTL, control characters but tab as ^X.
    void echo(u8 character);
    /// When it is sent, the cursor's column becomes the one at which the line being edited begins.
    void echo_set_line_start();
    /// When it is sent, the column goes back by one (the rest of a multibyte character was printed).
    void echo_move_back();
    /// Goes back over a tab; `columns` are those used since the tab before it, or since the line's start.
    void echo_erase_tab(u32 columns, bool after_tab);

    /// Marks what was queued as belonging together, and sends it if it has become much.
    void commit_echoes();
    /// Sends what was committed.
    void send_committed_echoes();
    /// Sends all that is queued.
    void send_all_echoes();
    void discard_echoes() { head_ = tail_ = mark_ = committed_ = 0; }
    void reset() {
        discard_echoes();
        column_ = line_start_column_ = 0;
    }

private:
    static constexpr usize kSize = 4096;
    static constexpr u8 kEscape = 0xff;
    enum Operation : u8 { kMoveBack = 0x80, kSetLineStart = 0x81, kEraseTab = 0x82 };

    u8& at(usize position) { return queue_[position % kSize]; }
    void add(u8 byte) { at(head_++) = byte; }
    void send_echoes();
    bool send_operation(usize& tail, usize& room);
    void put(u8 character) { device_.write({&character, 1}); }
    /// One character through output processing: how much room it took, or nothing sent (false).
    bool process(u8 character, usize room, usize& used);
    bool process_newline(usize room, usize& used);
    bool process_tab(usize room, usize& used);
    usize plain_length(std::span<const u8> characters);

    const Termios& termios_;
    LineDevice& device_;
    u32 column_ = 0;
    u32 line_start_column_ = 0;
    // Positions only grow; the byte of a position is at(position).
    usize head_ = 0;
    usize mark_ = 0;       // end of what belongs together
    usize committed_ = 0;  // end of what may be sent
    usize tail_ = 0;       // what comes next
    u8 queue_[kSize];
};

}  // namespace cairn::fs::terminal
