/// TerminalEmulator: from bytes to characters and control characters; terminal_escapes.cpp has what follows an ESC.

#include "fs/terminal/terminal_emulator.h"

#include <algorithm>

#include "drivers/display/code_page.h"
#include "drivers/input/keyboard_target.h"
#include "fs/terminal/character_width.h"

namespace cairn::fs::terminal {

namespace look = drivers::look;

namespace {

constexpr u32 kReplacement = 0xfffd;
constexpr u8 kBell = 0x07, kBackSpace = 0x08, kTab = 0x09, kLineFeed = 0x0a, kVerticalTab = 0x0b, kFormFeed = 0x0c;
constexpr u8 kReturn = 0x0d, kShiftOut = 0x0e, kShiftIn = 0x0f, kCancel = 0x18, kSubstitute = 0x1a, kEscape = 0x1b;
constexpr u8 kDelete = 0x7f, kControlSequence = 0x9b;

/// DEC special graphics, from '_' on (VT220 Programmer Reference, table 2-4).
constexpr u16 kGraphics[] = {0x00a0, 0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2591, 0x240b,
                             0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c,
                             0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7};

}  // namespace

TerminalEmulator::TerminalEmulator(TerminalGrid& grid, drivers::KeyboardModes& keyboard, Host& host)
    : grid_(grid), keyboard_(keyboard), host_(host), bottom_(grid.rows()) {}

void TerminalEmulator::size_changed(u32 moved_up) {
    auto fit = [&](Position& position) {
        position.row = std::min(position.row, grid_.rows() - 1);
        position.column = std::min(position.column, last_column());
    };
    row_ = std::min(row_ - std::min(row_, moved_up), grid_.rows() - 1);
    column_ = std::min(column_, last_column());
    fit(saved_);
    fit(saved_main_);
    top_ = 0;
    bottom_ = grid_.rows();
    wrap_pending_ = false;
}

void TerminalEmulator::reset() {
    grid_.show_alternate(false);
    soft_reset();
    usual_pen_ = pen_ = Pen{};
    saved_ = saved_main_ = Position{};
    utf8_ = true;
    utf8_left_ = 0;
    state_ = State::Ground;
    shows_controls_ = bracketed_paste_ = false;
    mouse_ = Mouse::Off;
    bell_hertz_ = kUsualBellHertz;
    bell_milliseconds_ = kUsualBellMilliseconds;
    palette_ = drivers::kUsualPalette;
    keyboard_.auto_repeat = true;
    keyboard_.carriage_return_line_feed = false;
    grid_.set_usual_tabs();
    row_ = column_ = 0;
    grid_.erase_rows(0, grid_.rows(), blank());
    grid_.mark_all();
    host_.was_reset();
}

void TerminalEmulator::soft_reset() {
    pen_ = usual_pen_;
    charsets_[0] = Charset::Latin;
    charsets_[1] = Charset::Graphics;
    charset_ = 0;
    code_page_ = high_bit_ = false;
    top_ = 0;
    bottom_ = grid_.rows();
    wraps_ = cursor_visible_ = true;
    inserts_ = origin_ = wrap_pending_ = false;
    shape_ = drivers::CursorShape::Underline;
    keyboard_.application_cursor_keys = keyboard_.application_keypad = false;
}

void TerminalEmulator::write(std::span<const u8> bytes) {
    while (!bytes.empty()) {
        usize taken = print_plain(bytes);
        if (taken == 0) {
            take(bytes[0]);
            taken = 1;
        }
        bytes = bytes.subspan(taken);
    }
}

/// The usual case at once: printable ASCII that fits into the row. Returns how much of it there was.
usize TerminalEmulator::print_plain(std::span<const u8> bytes) {
    const bool plain = state_ == State::Ground && utf8_left_ == 0 && charsets_[charset_] == Charset::Latin &&
                       !high_bit_ && !inserts_ && !wrap_pending_;
    if (!plain) {
        return 0;
    }
    const usize most = std::min<usize>(bytes.size(), last_column() - column_);
    usize count = 0;
    while (count < most && bytes[count] >= ' ' && bytes[count] < kDelete) {
        ++count;
    }
    if (count == 0) {
        return 0;
    }
    grid_.split_wide(row_, column_);
    grid_.split_wide(row_, column_ + static_cast<u32>(count));
    Cell* cell = &grid_.at(row_, column_);
    for (usize i = 0; i < count; ++i) {
        cell[i] = {bytes[i] | pen_.look, pen_.fore, pen_.back};
    }
    column_ += static_cast<u32>(count);
    last_printed_ = bytes[count - 1];
    grid_.mark(row_);
    return count;
}

void TerminalEmulator::take(u8 byte) {
    const bool in_string = state_ == State::Command || state_ == State::CommandPalette || state_ == State::String ||
                           state_ == State::StringEscape;
    if ((byte < ' ' || byte == kDelete) && (!in_string || byte == kCancel || byte == kSubstitute) && control(byte)) {
        return;
    }
    if (state_ == State::Ground) {
        return take_printable(byte);
    }
    take_in_state(byte);
}

/// True: `byte` was a control character and has been done.
bool TerminalEmulator::control(u8 byte) {
    if (utf8_left_ != 0) {
        utf8_left_ = 0;
        print(kReplacement);
    }
    // With CSI 11 m or DECCRM only those that would do harm keep their meaning, as in Linux's CTRL_ACTION.
    constexpr u32 kAlways = 1u << kBackSpace | 1u << kLineFeed | 1u << kFormFeed | 1u << kReturn | 1u << kShiftOut |
                            1u << kShiftIn | 1u << kEscape;
    const bool as_glyph = (code_page_ || shows_controls_) && state_ == State::Ground;
    if (as_glyph && (byte == kDelete || (kAlways >> byte & 1) == 0)) {
        return false;
    }
    switch (byte) {
        case kBell:
            host_.bell();
            break;
        case kBackSpace:
            back_space();
            break;
        case kTab:
            next_tab();
            break;
        case kLineFeed:
        case kVerticalTab:
        case kFormFeed:
            line_feed();
            if (keyboard_.carriage_return_line_feed) {
                carriage_return();
            }
            break;
        case kReturn:
            carriage_return();
            break;
        case kShiftOut:
            charset_ = 1;
            break;
        case kShiftIn:
            charset_ = 0;
            break;
        case kCancel:
        case kSubstitute:
            state_ = State::Ground;
            break;
        case kEscape:
            state_ = State::Escape;
            break;
        default:
            break;
    }
    return true;
}

void TerminalEmulator::take_printable(u8 byte) {
    if (!utf8_ || code_page_ || high_bit_) {
        if (byte == kControlSequence && !code_page_ && !high_bit_) {
            sequence_ = {};
            state_ = State::Control;
            return;
        }
        return print(translate(byte));
    }
    if (utf8_left_ != 0) {
        if ((byte & 0xc0) == 0x80) {
            utf8_code_ = utf8_code_ << 6 | (byte & 0x3f);
            if (--utf8_left_ == 0) {
                const bool surrogate = utf8_code_ >= 0xd800 && utf8_code_ <= 0xdfff;
                const bool valid = utf8_code_ >= utf8_least_ && utf8_code_ <= 0x10ffff && !surrogate;
                take_code(valid ? utf8_code_ : kReplacement);
            }
            return;
        }
        utf8_left_ = 0;
        print(kReplacement);
    }
    if (byte < 0x80) {
        return print(translate(byte));
    }
    if (byte >= 0xc2 && byte < 0xf5) {
        utf8_left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        utf8_code_ = byte & (0x3fu >> utf8_left_);
        utf8_least_ = byte < 0xe0 ? 0x80 : byte < 0xf0 ? 0x800 : 0x10000;
        return;
    }
    print(kReplacement);
}

/// A character that came as several bytes. The control characters of ISO 6429's upper half are not seen.
void TerminalEmulator::take_code(u32 code) {
    if (code >= 0x80 && code < 0xa0) {
        return;
    }
    print(code);
}

u32 TerminalEmulator::translate(u8 byte) const {
    if (code_page_ || high_bit_) {
        return drivers::code_page_character(high_bit_ ? byte | 0x80 : byte);
    }
    switch (charsets_[charset_]) {
        case Charset::Graphics:
            if (byte >= '_' && byte < kDelete) {
                return kGraphics[byte - '_'];
            }
            break;
        case Charset::CodePage:
            return drivers::code_page_character(byte);
        case Charset::Latin:
            break;
    }
    return byte < ' ' || byte == kDelete ? drivers::code_page_character(byte) : byte;
}

void TerminalEmulator::print(u32 code) {
    u32 width = character_width(code);
    if (width == 0) {
        return;  // there is no glyph to change
    }
    width = std::min(width, grid_.columns());
    const bool fits = column_ + width <= grid_.columns();
    if (wraps_ && (wrap_pending_ || !fits)) {
        carriage_return();
        line_feed();
    } else if (!fits) {
        column_ = grid_.columns() - width;
    }
    wrap_pending_ = false;
    put(code, width);
    last_printed_ = code;
}

void TerminalEmulator::put(u32 code, u32 width) {
    if (inserts_) {
        grid_.insert(row_, column_, width, blank());
    }
    grid_.split_wide(row_, column_);
    grid_.split_wide(row_, column_ + width);
    const u32 looks = pen_.look;
    grid_.at(row_, column_) = {code | looks | (width == 2 ? look::kWide : 0), pen_.fore, pen_.back};
    if (width == 2) {
        grid_.at(row_, column_ + 1) = {code | looks | look::kWideTail, pen_.fore, pen_.back};
    }
    grid_.mark(row_);
    column_ += width;
    if (column_ >= grid_.columns()) {
        column_ = last_column();
        wrap_pending_ = wraps_;
    }
}

TerminalEmulator::Interjection::Interjection(TerminalEmulator& emulator)
    : emulator_(emulator), pen_(emulator.pen_), wraps_(emulator.wraps_), inserts_(emulator.inserts_) {
    emulator.wraps_ = true;
    emulator.inserts_ = false;
    if (emulator.column_ != 0) {
        emulator.pen_ = {};
        emulator.carriage_return();
        emulator.line_feed();
    }
}

void TerminalEmulator::Interjection::print(std::string_view text, const Pen& pen) {
    emulator_.pen_ = pen;
    for (char character : text) {
        emulator_.print(static_cast<u8>(character));
    }
}

TerminalEmulator::Interjection::~Interjection() {
    emulator_.pen_ = {};
    emulator_.carriage_return();
    emulator_.line_feed();
    emulator_.pen_ = pen_;
    emulator_.wraps_ = wraps_;
    emulator_.inserts_ = inserts_;
}

// --- Control characters ----------------------------------------------------------------------------------------

void TerminalEmulator::line_feed() {
    wrap_pending_ = false;
    grid_.mark(row_);
    if (row_ + 1 == bottom_) {
        grid_.scroll_up(top_, bottom_, 1, blank());
    } else if (row_ + 1 < grid_.rows()) {
        ++row_;
    }
    grid_.mark(row_);
}

void TerminalEmulator::reverse_line_feed() {
    wrap_pending_ = false;
    grid_.mark(row_);
    if (row_ == top_) {
        grid_.scroll_down(top_, bottom_, 1, blank());
    } else if (row_ != 0) {
        --row_;
    }
    grid_.mark(row_);
}

void TerminalEmulator::carriage_return() {
    column_ = 0;
    wrap_pending_ = false;
    grid_.mark(row_);
}

void TerminalEmulator::back_space() {
    if (!wrap_pending_ && column_ != 0) {
        --column_;
    } else if (wrap_pending_) {
        column_ -= column_ != 0 ? 1 : 0;
    }
    wrap_pending_ = false;
    grid_.mark(row_);
}

void TerminalEmulator::next_tab() {
    while (column_ < last_column()) {
        ++column_;
        if (grid_.tab(column_)) {
            break;
        }
    }
    wrap_pending_ = false;
    grid_.mark(row_);
}

}  // namespace cairn::fs::terminal
