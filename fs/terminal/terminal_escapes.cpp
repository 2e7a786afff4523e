/// TerminalEmulator: escape sequences; terminal_sequences.cpp has the control sequences that they may begin.

#include <algorithm>

#include "drivers/input/keyboard_target.h"
#include "fs/terminal/terminal_emulator.h"

namespace cairn::fs::terminal {

namespace {

constexpr u8 kBell = 0x07, kEscape = 0x1b;

}  // namespace

void TerminalEmulator::take_in_state(u8 byte) {
    switch (state_) {
        case State::Escape:
            state_ = State::Ground;
            return escape(byte);
        case State::Charset0:
        case State::Charset1: {
            const u32 which = state_ == State::Charset1 ? 1 : 0;
            state_ = State::Ground;
            return choose_charset(byte, which);
        }
        case State::Hash:
            state_ = State::Ground;
            if (byte == '8') {
                test_pattern();
            }
            return;
        case State::Percent:
            state_ = State::Ground;
            utf8_ = byte == 'G' || byte == '8' ? true : byte == '@' ? false : utf8_;
            return;
        case State::Skip:
        case State::FunctionKey:
            state_ = State::Ground;
            return;
        case State::Control:
        case State::ControlIgnored:
            return collect(byte);
        case State::Command:
            return command(byte);
        case State::CommandPalette:
            return command_palette(byte);
        case State::StringEscape:
            // ST is ESC \; any other ends the string too, and begins a sequence.
            state_ = byte == '\\' ? State::Ground : State::Escape;
            if (state_ == State::Escape) {
                take(byte);
            }
            return;
        case State::String:
            state_ = byte == kBell ? State::Ground : byte == kEscape ? State::StringEscape : State::String;
            return;
        case State::Ground:
            return;
    }
}

void TerminalEmulator::escape(u8 byte) {
    switch (byte) {
        case '[':
            sequence_ = {};
            state_ = State::Control;
            return;
        case ']':
            state_ = State::Command;
            return;
        case '(':
            state_ = State::Charset0;
            return;
        case ')':
            state_ = State::Charset1;
            return;
        case '#':
            state_ = State::Hash;
            return;
        case '%':
            state_ = State::Percent;
            return;
        case '*':
        case '+':
        case ' ':
            state_ = State::Skip;
            return;
        case 'P':
        case 'X':
        case '^':
        case '_':
            state_ = State::String;
            return;
        case 'D':
            return line_feed();
        case 'E':
            carriage_return();
            return line_feed();
        case 'M':
            return reverse_line_feed();
        case 'H':
            grid_.tab(column_) = true;
            return;
        case 'Z':
            return host_.reply("\x1b[?6c");
        case '7':
            return save();
        case '8':
            return restore();
        case '=':
            keyboard_.application_keypad = true;
            return;
        case '>':
            keyboard_.application_keypad = false;
            return;
        case 'c':
            return reset();
        default:
            return;
    }
}

void TerminalEmulator::choose_charset(u8 byte, u32 which) {
    switch (byte) {
        case '0':
            charsets_[which] = Charset::Graphics;
            break;
        case 'U':
            charsets_[which] = Charset::CodePage;
            break;
        case 'A':
        case 'B':
        case 'K':
            charsets_[which] = Charset::Latin;
            break;
        default:
            break;
    }
}

void TerminalEmulator::collect(u8 byte) {
    Sequence& sequence = sequence_;
    constexpr u32 kMostOfNumber = 65535;
    if (byte >= '0' && byte <= '9') {
        if (sequence.count == 0) {
            sequence.numbers[sequence.count++] = 0;
        }
        u16& number = sequence.numbers[sequence.count - 1];
        number = static_cast<u16>(std::min(number * 10u + (byte - '0'), kMostOfNumber));
        state_ = sequence.intermediate != 0 ? State::ControlIgnored : state_;
    } else if (byte == ';' || byte == ':') {
        if (sequence.count == 0) {
            sequence.numbers[sequence.count++] = 0;
        }
        if (sequence.count == Sequence::kMost) {
            state_ = State::ControlIgnored;
            return;
        }
        sequence.colons |= byte == ':' ? 1u << sequence.count : 0;
        sequence.numbers[sequence.count++] = 0;
    } else if (byte == '[' && sequence.count == 0 && sequence.prefix == 0) {
        state_ = State::FunctionKey;
    } else if (byte >= '<' && byte <= '?') {
        state_ = sequence.count != 0 || sequence.prefix != 0 ? State::ControlIgnored : state_;
        sequence.prefix = byte;
    } else if (byte >= ' ' && byte <= '/') {
        state_ = sequence.intermediate != 0 ? State::ControlIgnored : state_;
        sequence.intermediate = byte;
    } else if (byte >= '@' && byte <= '~') {
        const bool known = state_ == State::Control;
        state_ = State::Ground;
        if (known) {
            dispatch(byte);
        }
    } else {
        state_ = State::ControlIgnored;
    }
}

/// After ESC ]: P changes a colour, R resets them all (Linux); the rest is xterm's, of which none is about the screen.
void TerminalEmulator::command(u8 byte) {
    if (byte == 'P') {
        palette_digits_ = palette_value_ = 0;
        state_ = State::CommandPalette;
    } else if (byte == 'R') {
        std::copy_n(drivers::kUsualPalette.colours, 16, palette_.colours);
        grid_.mark_all();
        state_ = State::Ground;
    } else {
        state_ = State::String;
        take_in_state(byte);
    }
}

/// P n rr gg bb
void TerminalEmulator::command_palette(u8 byte) {
    const u32 letter = byte | 0x20u;
    const bool decimal = byte >= '0' && byte <= '9';
    if (!decimal && (letter < 'a' || letter > 'f')) {
        state_ = byte == kEscape ? State::Escape : State::Ground;
        return;
    }
    palette_value_ = palette_value_ << 4 | (decimal ? byte - '0' : letter - 'a' + 10);
    if (++palette_digits_ == 7) {
        palette_.colours[palette_value_ >> 24 & 0xf] = palette_value_ & 0xffffff;
        grid_.mark_all();
        state_ = State::Ground;
    }
}

/// DECALN
void TerminalEmulator::test_pattern() {
    top_ = 0;
    bottom_ = grid_.rows();
    go_to(0, 0);
    grid_.erase_rows(0, grid_.rows(), {'E', drivers::kDefaultColour, drivers::kDefaultColour});
}

}  // namespace cairn::fs::terminal
