#pragma once
/// LineDiscipline: what happens to the characters that a terminal receives: editing of lines, signals, echo, and how
/// they are read. It behaves as Linux's N_TTY does (drivers/tty/n_tty.c; termios(3) for the meaning of the settings);
/// tests compare it with a pseudo terminal of Linux.
///
/// The buffer holds 4096 characters. In canonical mode, lines end at line_end_; what follows is being edited. A line
/// end whose character is kDisabledCharacter is an end of file: it ends the line without being part of it. When
/// the buffer is full without a finished line, further characters replace the last one, so that a line can still be
/// ended.
///
/// Locks: receive() and settings_changed() under both TerminalInput and TerminalOutput; reading under TerminalInput.
/// Pure otherwise.

#include <span>

#include "fs/terminal/line_output.h"

namespace cairn::fs::terminal {

class LineDiscipline {
public:
    static constexpr usize kBufferSize = 4096;

    LineDiscipline(const Termios& termios, LineDevice& device)
        : termios_(termios), device_(device), output_(termios, device) {
        settings_changed(nullptr);
    }

    /// The device received characters. Returns how many were taken: fewer than all when the buffer is full of finished
    /// lines; the rest is offered again when somebody has read. `marks` is empty (all normal) or as long.
    usize receive(std::span<const u8> characters, std::span<const ReceiveMark> marks = {});
    /// Flow control looks ahead: acts on ^S and ^Q among characters that receive() did not take; each is told once.
    void look_ahead(std::span<const u8> characters);

    void forget_look_ahead() { looked_ahead_ = 0; }

    /// Whether read() would give something; with `for_poll`, whether a reader that insists on VMIN characters is
    /// served.
    bool readable(bool for_poll) const;
    /// Takes characters: in canonical mode of one line at most. `line_done`: the line's end was reached, so that
    /// read(2) ends, with zero characters at an end of file.
    usize read(std::span<u8> to, bool& line_done);
    /// read(2) filled its buffer before the line ended: an end of file that comes next has been reported by that.
    void skip_end_of_file();
    /// FIONREAD.
    usize readable_count() const;
    /// What a reader can still take before the buffer is empty; decides about restarting the device.
    usize unread() const;
    /// Whether the device should be stopped, because few characters more fit.
    bool nearly_full() const;

    /// The terminal's settings were `old` before (null: at first) and are new now.
    void settings_changed(const Termios* old);
    void discard_input();
    /// As new, for a terminal that hung up.
    void reset();

    LineOutput& output() { return output_; }
    bool canonical() const { return canonical_ && !termios_.has_local(local_flags::kExternal); }

private:
    u8& at(usize position) { return buffer_[position % kBufferSize]; }
    u8 at(usize position) const { return buffer_[position % kBufferSize]; }
    bool ends_line(usize position) const {
        position %= kBufferSize;
        return (line_ends_[position / 64] >> position % 64 & 1) != 0;
    }
    void set_line_end(usize position) { line_ends_[position % kBufferSize / 64] |= u64{1} << position % 64; }
    void clear_line_end(usize position) { line_ends_[position % kBufferSize / 64] &= ~(u64{1} << position % 64); }
    void clear_line_ends();
    bool is_special(u8 c) const { return (special_[c / 64] >> c % 64 & 1) != 0; }
    void set_special(u8 c) { special_[c / 64] |= u64{1} << c % 64; }
    void collect_special_characters();
    bool is_character(u8 c, ControlCharacter which) const { return c == termios_.character(which); }

    void put(u8 c) { at(head_++) = c; }
    void process(std::span<const u8> characters, std::span<const ReceiveMark> marks);
    void receive_raw(std::span<const u8> characters, std::span<const ReceiveMark> marks);
    void receive_one(u8 c, ReceiveMark mark);
    void receive_ordinary(u8 c);
    void receive_marked(u8 c, ReceiveMark mark);
    void receive_special(u8 c);
    bool receive_flow_control(u8 c);
    bool receive_signal(u8 c);
    bool receive_editing(u8 c);
    void restart_by_any();
    void store(u8 c);
    void signal(i32 signal);
    void end_line(u8 c);
    void reprint();
    void echo_in_line(u8 c);
    void finish_erasing();

    enum class Erase : u8 { Character, Word, Line };
    void erase(u8 c);
    bool erase_whole_line();
    void erase_backwards(Erase what);
    void echo_erased(u8 c, usize length, Erase what);
    void echo_erased_tab();

    const Termios& termios_;
    LineDevice& device_;
    LineOutput output_;

    // Positions only grow; the character of a position is at(position).
    usize head_ = 0;       // where the next character goes
    usize line_end_ = 0;   // canonical: end of the last finished line
    usize committed_ = 0;  // raw: end of what can be read
    usize tail_ = 0;       // what is read next

    bool canonical_ = true;
    bool raw_ = false;           // nothing is looked at: all input processing is off
    bool literal_next_ = false;  // ^V came
    bool erasing_ = false;       // ECHOPRT: between backslash and slash
    bool no_room_ = false;
    usize looked_ahead_ = 0;  // characters not received yet whose flow control was acted on
    u64 special_[4] = {};     // characters that are more than themselves
    u64 line_ends_[kBufferSize / 64] = {};
    u8 buffer_[kBufferSize];
};

}  // namespace cairn::fs::terminal
