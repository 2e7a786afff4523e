#pragma once
/// TerminalEmulator: what a terminal does with the characters that programs send: a state machine from bytes to a grid
/// of cells. It understands what console_codes(4) lists for TERM=linux, and of xterm-256color what full-screen programs
/// use.
///
/// No lock of its own: its owner's. Nothing here sleeps or allocates, so it may run under a spinlock and in a panic.
/// Pure: what it wants of the world beyond its grid it asks of a Host.

#include <string_view>

#include "drivers/display/cell.h"
#include "fs/terminal/terminal_grid.h"

namespace cairn::drivers {
struct KeyboardModes;
}

namespace cairn::fs::terminal {

class TerminalEmulator {
public:
    /// Called from write().
    class Host {
    public:
        /// An answer, as if it had been typed.
        virtual void reply(std::string_view text) = 0;
        virtual void bell() {}
        /// CSI 12 ; n ]
        virtual void show_terminal(u32 /*number*/) {}
        /// ESC c: the terminal is as new.
        virtual void was_reset() {}

    protected:
        ~Host() = default;
    };

    static constexpr u32 kUsualBellHertz = 750, kUsualBellMilliseconds = 125;

    enum class Mouse : u8 { Off, Press, PressRelease, Drag, All };

    struct Pen {
        u32 look = 0;
        drivers::Colour fore = drivers::kDefaultColour;
        drivers::Colour back = drivers::kDefaultColour;
    };
    /// A line that is not the program's: on a row of its own, after which the program's state is as it was, but for
    /// the cursor's place.
    class Interjection {
    public:
        explicit Interjection(TerminalEmulator& emulator);
        ~Interjection();
        Interjection(const Interjection&) = delete;
        Interjection& operator=(const Interjection&) = delete;
        /// UTF-8 and control characters are not looked for.
        void print(std::string_view text, const Pen& pen);

    private:
        TerminalEmulator& emulator_;
        const Pen pen_;
        const bool wraps_;
        const bool inserts_;
    };

    /// All of it outlives the emulator.
    TerminalEmulator(TerminalGrid& grid, drivers::KeyboardModes& keyboard, Host& host);

    void write(std::span<const u8> bytes);
    /// ESC c, or a new owner.
    void reset();
    /// Around a change of the grid's size. `moved_up`: what TerminalGrid::resize() gave.
    void size_changed(u32 moved_up);

    u32 row() const { return row_; }
    u32 column() const { return column_; }
    bool cursor_visible() const { return cursor_visible_ && shape_ != drivers::CursorShape::Hidden; }
    drivers::CursorShape cursor_shape() const { return shape_; }
    const drivers::Palette& palette() const { return palette_; }
    drivers::Palette& palette() { return palette_; }
    /// CSI 10 and 11 ]
    u32 bell_hertz() const { return bell_hertz_; }
    u32 bell_milliseconds() const { return bell_milliseconds_; }
    Mouse mouse() const { return mouse_; }
    bool bracketed_paste() const { return bracketed_paste_; }
    bool utf8() const { return utf8_; }
    void set_utf8(bool on) { utf8_ = on; }

private:
    using Cell = drivers::Cell;

    enum class State : u8 {
        Ground,
        Escape,
        Charset0,
        Charset1,
        Hash,
        Percent,
        Skip,  // one character of a sequence that means nothing here
        Control,
        ControlIgnored,
        FunctionKey,
        Command,  // OSC
        CommandPalette,
        String,  // until ST or BEL
        StringEscape,
    };
    enum class Charset : u8 { Latin, Graphics, CodePage };

    struct Position {
        u32 row = 0;
        u32 column = 0;
        Pen pen;
        Charset charsets[2] = {Charset::Latin, Charset::Graphics};
        u8 charset = 0;
        bool origin = false;
        bool wrap_pending = false;
    };
    /// What a control sequence has collected.
    struct Sequence {
        static constexpr u32 kMost = 32;
        u16 numbers[kMost];
        u32 count;   // of numbers that are there, empty ones included
        u32 colons;  // bit n: a colon stands before number n
        u8 prefix;   // one of "<=>?", or 0
        u8 intermediate;

        u32 number(u32 index) const { return index < count ? numbers[index] : 0; }
        /// An empty number and zero stand for one.
        u32 number_or_one(u32 index) const { return number(index) == 0 ? 1 : number(index); }
        bool sub(u32 index) const { return index < count && (colons >> index & 1) != 0; }
    };

    // terminal_emulator.cpp
    void take(u8 byte);
    usize print_plain(std::span<const u8> bytes);
    void take_printable(u8 byte);
    void take_code(u32 code);
    void print(u32 code);
    void put(u32 code, u32 width);
    u32 translate(u8 byte) const;
    bool control(u8 byte);

    // terminal_escapes.cpp
    void take_in_state(u8 byte);
    void escape(u8 byte);
    void choose_charset(u8 byte, u32 which);
    void collect(u8 byte);
    void command(u8 byte);
    void command_palette(u8 byte);
    void test_pattern();
    void line_feed();
    void reverse_line_feed();
    void carriage_return();
    void back_space();
    void next_tab();

    // terminal_sequences.cpp, terminal_looks.cpp
    void dispatch(u8 final);
    void dispatch_private(u8 final);
    void dispatch_intermediate(u8 final);
    bool move(u8 final);
    bool edit(u8 final);
    void erase_display(u32 how);
    void erase_line(u32 how);
    void report_status(u32 what);
    void linux_private();
    void set_modes(bool on);
    void set_private_mode(u32 mode, bool on);
    void request_mode();
    void show_alternate(bool on, bool clear);
    void select_graphics();
    void select_graphics_one(u32 code);
    u32 extended_colour_at(u32 index, drivers::Colour& colour) const;
    void soft_reset();
    void set_cursor_style(u32 style);

    void go_to(u32 row, u32 column);
    void go_to_with_origin(u32 row, u32 column);
    void save();
    void restore();
    /// What erased characters become: the colour of the background stays.
    Cell blank() const { return {' ', drivers::kDefaultColour, pen_.back}; }
    u32 last_column() const { return grid_.columns() - 1; }
    u32 top() const { return origin_ ? top_ : 0; }
    u32 bottom() const { return origin_ ? bottom_ : grid_.rows(); }
    template <typename... Numbers>
    void answer(Numbers... parts);

    TerminalGrid& grid_;
    drivers::KeyboardModes& keyboard_;
    Host& host_;

    State state_ = State::Ground;
    Sequence sequence_{};
    u32 utf8_left_ = 0;  // bytes that the character being read still needs
    u32 utf8_code_ = 0;
    u32 utf8_least_ = 0;  // a smaller one should have been written with fewer bytes
    u32 palette_digits_ = 0;
    u32 palette_value_ = 0;

    u32 row_ = 0;
    u32 column_ = 0;
    bool wrap_pending_ = false;
    Pen pen_;
    Charset charsets_[2] = {Charset::Latin, Charset::Graphics};
    u8 charset_ = 0;
    bool code_page_ = false;  // CSI 11 m
    bool high_bit_ = false;   // CSI 12 m
    u32 top_ = 0;             // the region that scrolls: rows [top_, bottom_)
    u32 bottom_ = 0;
    Position saved_;
    Position saved_main_;  // mode 1049
    u32 last_printed_ = ' ';
    Pen usual_pen_;  // CSI 8 ]

    bool utf8_ = true;
    bool wraps_ = true;            // DECAWM
    bool inserts_ = false;         // IRM
    bool origin_ = false;          // DECOM
    bool shows_controls_ = false;  // DECCRM
    bool cursor_visible_ = true;
    bool bracketed_paste_ = false;
    Mouse mouse_ = Mouse::Off;
    u32 bell_hertz_ = kUsualBellHertz;
    u32 bell_milliseconds_ = kUsualBellMilliseconds;
    drivers::CursorShape shape_ = drivers::CursorShape::Underline;
    drivers::Palette palette_ = drivers::kUsualPalette;
};

}  // namespace cairn::fs::terminal
