/// TerminalEmulator: control sequences (CSI …); console_codes(4), ECMA-48, and xterm's ctlseqs for the rest.

#include <algorithm>

#include "drivers/input/keyboard_target.h"
#include "fs/terminal/terminal_emulator.h"
#include "kernel/base/format.h"

namespace cairn::fs::terminal {

using drivers::CursorShape;

template <typename... Numbers>
void TerminalEmulator::answer(Numbers... parts) {
    char storage[48];
    TextBuffer text{std::span(storage)};
    (format_to(text, "{}", parts), ...);
    host_.reply(text.view());
}

void TerminalEmulator::dispatch(u8 final) {
    if (sequence_.intermediate != 0) {
        return dispatch_intermediate(final);
    }
    if (sequence_.prefix != 0) {
        return dispatch_private(final);
    }
    if (move(final) || edit(final)) {
        return;
    }
    switch (final) {
        case 'm':
            return select_graphics();
        case 'h':
        case 'l':
            return set_modes(final == 'h');
        case 'r': {
            const u32 top = sequence_.number_or_one(0);
            const u32 bottom = sequence_.number(1) == 0 ? grid_.rows() : sequence_.number(1);
            if (top < bottom && bottom <= grid_.rows()) {
                top_ = top - 1;
                bottom_ = bottom;
                go_to_with_origin(0, 0);
            }
            return;
        }
        case 's':
            return save();
        case 'u':
            return restore();
        case 'n':
            return report_status(sequence_.number(0));
        case 'c':
            return sequence_.number(0) == 0 ? host_.reply("\x1b[?6c") : void();
        case ']':
            return linux_private();
        case 't':
            if (sequence_.number(0) == 18) {
                answer("\x1b[8;", grid_.rows(), ';', grid_.columns(), 't');
            }
            return;
        default:
            return;  // q: the lights, which a keyboard shows itself
    }
}

void TerminalEmulator::dispatch_private(u8 final) {
    const u8 prefix = sequence_.prefix;
    if (prefix == '?' && (final == 'h' || final == 'l')) {
        for (u32 i = 0; i < sequence_.count; ++i) {
            set_private_mode(sequence_.number(i), final == 'h');
        }
    } else if (prefix == '?' && final == 'c') {
        // Linux's cursor: 1 none, 2 underline … 6 block.
        constexpr CursorShape kShapes[] = {CursorShape::Underline,  CursorShape::Hidden,    CursorShape::Underline,
                                           CursorShape::LowerThird, CursorShape::LowerHalf, CursorShape::TwoThirds,
                                           CursorShape::Block};
        const u32 size = sequence_.number(0) & 0xf;
        shape_ = size < std::size(kShapes) ? kShapes[size] : CursorShape::Block;
        grid_.mark(row_);
    } else if (prefix == '?' && (final == 'J' || final == 'K')) {
        final == 'J' ? erase_display(sequence_.number(0)) : erase_line(sequence_.number(0));
    } else if (prefix == '?' && final == 'n' && sequence_.number(0) == 6) {
        answer("\x1b[?", row_ - std::min(row_, top()) + 1, ';', column_ + 1, 'R');
    } else if (prefix == '>' && final == 'c' && sequence_.number(0) == 0) {
        host_.reply("\x1b[>0;0;0c");
    }
}

void TerminalEmulator::dispatch_intermediate(u8 final) {
    const u8 intermediate = sequence_.intermediate;
    if (intermediate == ' ' && final == 'q') {
        set_cursor_style(sequence_.number(0));
    } else if (intermediate == '!' && final == 'p') {
        soft_reset();
        grid_.mark(row_);
    } else if (intermediate == '$' && final == 'p') {
        request_mode();
    }
}

/// DECSCUSR: blinking ones do not.
void TerminalEmulator::set_cursor_style(u32 style) {
    constexpr CursorShape kShapes[] = {CursorShape::Underline, CursorShape::Block,     CursorShape::Block,
                                       CursorShape::Underline, CursorShape::Underline, CursorShape::Bar,
                                       CursorShape::Bar};
    shape_ = style < std::size(kShapes) ? kShapes[style] : shape_;
    grid_.mark(row_);
}

// --- Moving ----------------------------------------------------------------------------------------------------

void TerminalEmulator::go_to(u32 row, u32 column) {
    grid_.mark(row_);
    row_ = std::min(row, grid_.rows() - 1);
    column_ = std::min(column, last_column());
    wrap_pending_ = false;
    grid_.mark(row_);
}

void TerminalEmulator::go_to_with_origin(u32 row, u32 column) {
    go_to(std::min(row + top(), bottom() - 1), column);
}

bool TerminalEmulator::move(u8 final) {
    const u32 count = sequence_.number_or_one(0);
    // Up and down stop at the region's edge if they start inside of it.
    const u32 highest = row_ >= top_ ? top_ : 0;
    const u32 lowest = row_ < bottom_ ? bottom_ - 1 : grid_.rows() - 1;
    const u32 up = row_ - std::min(row_ - highest, count);
    const u32 down = std::min(row_ + count, lowest);
    switch (final) {
        case 'A':
            return go_to(up, column_), true;
        case 'B':
        case 'e':
            return go_to(down, column_), true;
        case 'C':
        case 'a':
            return go_to(row_, column_ + count), true;
        case 'D':
            return go_to(row_, column_ - std::min(column_, count)), true;
        case 'E':
            return go_to(down, 0), true;
        case 'F':
            return go_to(up, 0), true;
        case 'G':
        case '`':
            return go_to(row_, count - 1), true;
        case 'd':
            return go_to_with_origin(count - 1, column_), true;
        case 'H':
        case 'f':
            return go_to_with_origin(count - 1, sequence_.number_or_one(1) - 1), true;
        case 'I':
            for (u32 i = 0; i < std::min(count, grid_.columns()); ++i) {
                next_tab();
            }
            return true;
        case 'Z':
            for (u32 i = 0; i < count && column_ != 0; ++i) {
                do {
                    --column_;
                } while (column_ != 0 && !grid_.tab(column_));
            }
            return go_to(row_, column_), true;
        default:
            return false;
    }
}

void TerminalEmulator::save() {
    saved_ = {row_, column_, pen_, {charsets_[0], charsets_[1]}, charset_, origin_, wrap_pending_};
}

void TerminalEmulator::restore() {
    go_to(saved_.row, saved_.column);
    pen_ = saved_.pen;
    charsets_[0] = saved_.charsets[0];
    charsets_[1] = saved_.charsets[1];
    charset_ = saved_.charset;
    origin_ = saved_.origin;
    wrap_pending_ = saved_.wrap_pending && column_ == last_column();
}

// --- Editing ---------------------------------------------------------------------------------------------------

bool TerminalEmulator::edit(u8 final) {
    const u32 count = sequence_.number_or_one(0);
    const bool in_region = row_ >= top_ && row_ < bottom_;
    switch (final) {
        case 'J':
            erase_display(sequence_.number(0));
            break;
        case 'K':
            erase_line(sequence_.number(0));
            break;
        case 'X':
            grid_.erase(row_, column_, std::min(column_ + count, grid_.columns()), blank());
            break;
        case '@':
            grid_.insert(row_, column_, count, blank());
            break;
        case 'P':
            grid_.remove(row_, column_, count, blank());
            break;
        case 'L':
        case 'M':
            if (in_region) {
                // Linux and xterm move the cursor to the left margin as well.
                final == 'L' ? grid_.scroll_down(row_, bottom_, count, blank())
                             : grid_.scroll_up(row_, bottom_, count, blank());
                carriage_return();
            }
            break;
        case 'S':
            grid_.scroll_up(top_, bottom_, count, blank());
            break;
        case 'T':
            grid_.scroll_down(top_, bottom_, count, blank());
            break;
        case 'b':
            for (u32 i = 0; i < std::min(count, grid_.columns() * grid_.rows()); ++i) {
                print(last_printed_);
            }
            return true;
        case 'g':
            if (sequence_.number(0) == 0) {
                grid_.tab(column_) = false;
            } else if (sequence_.number(0) == 3) {
                for (u32 column = 0; column < grid_.columns(); ++column) {
                    grid_.tab(column) = false;
                }
            }
            return true;
        default:
            return false;
    }
    wrap_pending_ = false;
    grid_.mark(row_);
    return true;
}

void TerminalEmulator::erase_display(u32 how) {
    switch (how) {
        case 0:
            erase_line(0);
            return grid_.erase_rows(row_ + 1, grid_.rows(), blank());
        case 1:
            grid_.erase_rows(0, row_, blank());
            return erase_line(1);
        case 3:
            grid_.clear_scroll_back();
            [[fallthrough]];
        case 2:
            return grid_.erase_rows(0, grid_.rows(), blank());
        default:
            return;
    }
}

void TerminalEmulator::erase_line(u32 how) {
    if (how <= 2) {
        grid_.erase(row_, how == 0 ? column_ : 0, how == 1 ? column_ + 1 : grid_.columns(), blank());
    }
}

// --- Reports and modes -----------------------------------------------------------------------------------------

void TerminalEmulator::report_status(u32 what) {
    if (what == 5) {
        host_.reply("\x1b[0n");
    } else if (what == 6) {
        answer("\x1b[", row_ - std::min(row_, top()) + 1, ';', column_ + 1, 'R');
    }
}

/// CSI … ]: settings of Linux's console.
void TerminalEmulator::linux_private() {
    switch (sequence_.number(0)) {
        case 8:
            usual_pen_ = pen_;
            break;
        case 10:
            bell_hertz_ = sequence_.count > 1 ? sequence_.number(1) : kUsualBellHertz;
            break;
        case 11:
            bell_milliseconds_ = sequence_.count > 1 ? std::min(sequence_.number(1), 2000u) : kUsualBellMilliseconds;
            break;
        case 12:
            host_.show_terminal(sequence_.number(1));
            break;
        default:
            break;  // blanking, the colour of underlining: there are none
    }
}

void TerminalEmulator::set_modes(bool on) {
    for (u32 i = 0; i < sequence_.count; ++i) {
        switch (sequence_.number(i)) {
            case 3:
                shows_controls_ = on;
                break;
            case 4:
                inserts_ = on;
                break;
            case 20:
                keyboard_.carriage_return_line_feed = on;
                break;
            default:
                break;
        }
    }
}

void TerminalEmulator::set_private_mode(u32 mode, bool on) {
    switch (mode) {
        case 1:
            keyboard_.application_cursor_keys = on;
            break;
        case 5:
            palette_.reversed = on;
            grid_.mark_all();
            break;
        case 6:
            origin_ = on;
            go_to_with_origin(0, 0);
            break;
        case 7:
            wraps_ = on;
            wrap_pending_ = wrap_pending_ && on;
            break;
        case 8:
            keyboard_.auto_repeat = on;
            break;
        case 9:
            mouse_ = on ? Mouse::Press : Mouse::Off;
            break;
        case 25:
            cursor_visible_ = on;
            grid_.mark(row_);
            break;
        case 47:
            show_alternate(on, false);
            break;
        case 1000:
            mouse_ = on ? Mouse::PressRelease : Mouse::Off;
            break;
        case 1002:
            mouse_ = on ? Mouse::Drag : Mouse::Off;
            break;
        case 1003:
            mouse_ = on ? Mouse::All : Mouse::Off;
            break;
        case 1047:
            show_alternate(on, !on);
            break;
        case 1048:
            on ? save() : restore();
            break;
        case 1049:
            if (on == grid_.alternate()) {
                break;
            }
            if (on) {
                save();
                saved_main_ = saved_;
            }
            show_alternate(on, on);
            if (!on) {
                saved_ = saved_main_;
                restore();
            }
            break;
        case 2004:
            bracketed_paste_ = on;
            break;
        default:
            break;  // 3 (132 columns) among them: the screen is as wide as it is, as in Linux
    }
}

/// DECRQM: 1 set, 2 reset, 0 not known.
void TerminalEmulator::request_mode() {
    const u32 mode = sequence_.number(0);
    struct Known {
        u32 mode;
        bool on;
    };
    const Known known_private[] = {{1, keyboard_.application_cursor_keys},
                                   {5, palette_.reversed},
                                   {6, origin_},
                                   {7, wraps_},
                                   {8, keyboard_.auto_repeat},
                                   {9, mouse_ == Mouse::Press},
                                   {25, cursor_visible_},
                                   {1000, mouse_ == Mouse::PressRelease},
                                   {1002, mouse_ == Mouse::Drag},
                                   {1003, mouse_ == Mouse::All},
                                   {1049, grid_.alternate()},
                                   {2004, bracketed_paste_}};
    const Known known_plain[] = {{3, shows_controls_}, {4, inserts_}, {20, keyboard_.carriage_return_line_feed}};
    const bool is_private = sequence_.prefix == '?';
    u32 value = 0;
    for (const Known& known :
         is_private ? std::span<const Known>(known_private) : std::span<const Known>(known_plain)) {
        value = known.mode == mode ? (known.on ? 1 : 2) : value;
    }
    answer(is_private ? std::string_view("\x1b[?") : std::string_view("\x1b["), mode, ';', value,
           std::string_view("$y"));
}

void TerminalEmulator::show_alternate(bool on, bool clear) {
    if (on == grid_.alternate()) {
        return;
    }
    if (clear && !on) {
        grid_.erase_rows(0, grid_.rows(), blank());
    }
    grid_.show_alternate(on);
    if (clear && on) {
        grid_.erase_rows(0, grid_.rows(), blank());
    }
    wrap_pending_ = false;
}

}  // namespace cairn::fs::terminal
