/// LineDiscipline, the part that takes back: erasing characters, words and lines, with what the screen shows of it.

#include "fs/terminal/character_class.h"
#include "fs/terminal/line_discipline.h"

namespace cairn::fs::terminal {

using namespace local_flags;

void LineDiscipline::finish_erasing() {
    if (erasing_) {
        output_.echo_raw('/');
        erasing_ = false;
    }
}

void LineDiscipline::reprint() {
    finish_erasing();
    output_.echo(termios_.character(kReprint));
    output_.echo_raw('\n');
    for (usize i = line_end_; i % kBufferSize != head_ % kBufferSize; ++i) {
        output_.echo(at(i));
    }
    output_.commit_echoes();
}

void LineDiscipline::erase(u8 c) {
    if (head_ == line_end_) {
        return;
    }
    Erase what = Erase::Line;
    if (is_character(c, kErase)) {
        what = Erase::Character;
    } else if (is_character(c, kWordErase)) {
        what = Erase::Word;
    } else if (erase_whole_line()) {
        return;
    }
    erase_backwards(what);
    if (head_ == line_end_ && termios_.has_local(kEcho)) {
        finish_erasing();
    }
}

/// KILL where the screen is not erased character by character.
bool LineDiscipline::erase_whole_line() {
    if (!termios_.has_local(kEcho)) {
        head_ = line_end_;
        return true;
    }
    if (termios_.has_local(kEchoKill) && termios_.has_local(kEchoKillErase) && termios_.has_local(kEchoErase)) {
        return false;
    }
    head_ = line_end_;
    finish_erasing();
    output_.echo(termios_.character(kKill));
    if (termios_.has_local(kEchoKill)) {
        output_.echo_raw('\n');
    }
    return true;
}

void LineDiscipline::erase_backwards(Erase what) {
    bool in_word = false;
    bool utf8 = termios_.has_input(input_flags::kUtf8);
    while (head_ % kBufferSize != line_end_ % kBufferSize) {
        usize start = head_;
        u8 c = 0;
        do {
            --start;
            c = at(start);
        } while (utf8 && is_utf8_continuation(c) && start % kBufferSize != line_end_ % kBufferSize);
        if (utf8 && is_utf8_continuation(c)) {
            break;  // the rest of a character whose beginning is not there
        }
        if (what == Erase::Word) {
            if (is_alphanumeric(c) || c == '_') {
                in_word = true;
            } else if (in_word) {
                break;
            }
        }
        usize length = head_ - start;
        head_ = start;
        if (termios_.has_local(kEcho)) {
            echo_erased(c, length, what);
        }
        if (what == Erase::Character) {
            break;
        }
    }
}

/// `c` begins a character of `length` bytes at head_, which is no longer part of the line.
void LineDiscipline::echo_erased(u8 c, usize length, Erase what) {
    if (termios_.has_local(kEchoPrint)) {
        if (!erasing_) {
            output_.echo_raw('\\');
            erasing_ = true;
        }
        output_.echo(c);
        for (usize i = 1; i < length; ++i) {
            output_.echo_raw(at(head_ + i));
            output_.echo_move_back();
        }
    } else if (what == Erase::Character && !termios_.has_local(kEchoErase)) {
        output_.echo(termios_.character(kErase));
    } else if (c == '\t') {
        echo_erased_tab();
    } else {
        bool shown_as_two = is_control(c) && termios_.has_local(kEchoControl);
        usize columns = shown_as_two ? 2 : is_control(c) ? 0 : 1;
        for (usize i = 0; i < columns; ++i) {
            output_.echo_raw('\b');
            output_.echo_raw(' ');
            output_.echo_raw('\b');
        }
    }
}

/// How far back depends on what stands before the tab, up to another tab or the line's start.
void LineDiscipline::echo_erased_tab() {
    u32 columns = 0;
    bool after_tab = false;
    bool utf8 = termios_.has_input(input_flags::kUtf8);
    for (usize i = head_; i % kBufferSize != line_end_ % kBufferSize && !after_tab;) {
        u8 c = at(--i);
        if (c == '\t') {
            after_tab = true;
        } else if (is_control(c)) {
            columns += termios_.has_local(kEchoControl) ? 2 : 0;
        } else if (!utf8 || !is_utf8_continuation(c)) {
            ++columns;
        }
    }
    output_.echo_erase_tab(columns, after_tab);
}

}  // namespace cairn::fs::terminal
