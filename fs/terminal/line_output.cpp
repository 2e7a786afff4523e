#include "fs/terminal/line_output.h"

#include <algorithm>

#include "fs/terminal/character_class.h"

namespace cairn::fs::terminal {

namespace {

using namespace output_flags;

/// Echoes wait until so many bytes have come together, or until somebody flushes.
constexpr usize kBlock = 256;
/// A queue that is fuller than this loses its oldest echoes.
constexpr usize kDiscardAt = 4096 - (kBlock + 32);

}  // namespace

// --- Output of programs ---------------------------------------------------------------------------------------

/// How many characters from the start need no change; their columns are counted. As Linux's process_output_block.
usize LineOutput::plain_length(std::span<const u8> characters) {
    for (usize i = 0; i < characters.size(); ++i) {
        u8 c = characters[i];
        bool special = c == '\t' || (c == '\n' && termios_.has_output(kNewlineToReturnNewline)) ||
                       (c == '\r' && (termios_.has_output(kReturnToNewline) ||
                                      (termios_.has_output(kNoReturnAtColumn0) && column_ == 0))) ||
                       (!is_control(c) && termios_.has_output(output_flags::kUpperCase));
        if (special) {
            return i;
        }
        if (c == '\n') {
            column_ = termios_.has_output(kNewlineReturns) ? 0 : column_;
            line_start_column_ = column_;
        } else if (c == '\r') {
            line_start_column_ = column_ = 0;
        } else if (c == '\b') {
            column_ -= column_ > 0 ? 1 : 0;
        } else if (!is_control(c) && !(termios_.has_input(input_flags::kUtf8) && is_utf8_continuation(c))) {
            ++column_;
        }
    }
    return characters.size();
}

usize LineOutput::write(std::span<const u8> characters) {
    usize done = 0;
    if (!termios_.has_output(kProcess)) {
        while (done < characters.size()) {
            usize room = std::min(device_.write_room(), characters.size() - done);
            usize taken = room == 0 ? 0 : device_.write(characters.subspan(done, room));
            if (taken == 0) {
                break;
            }
            done += taken;
        }
        return done;
    }
    while (done < characters.size()) {
        usize room = device_.write_room();
        if (room == 0) {
            break;
        }
        usize plain = plain_length(characters.subspan(done, std::min(room, characters.size() - done)));
        if (plain != 0) {
            done += device_.write(characters.subspan(done, plain));
            continue;
        }
        usize used = 0;
        if (!process(characters[done], room, used)) {
            break;
        }
        ++done;
    }
    return done;
}

bool LineOutput::process_newline(usize room, usize& used) {
    if (termios_.has_output(kNewlineReturns)) {
        column_ = 0;
    }
    if (!termios_.has_output(kNewlineToReturnNewline)) {
        line_start_column_ = column_;
        put('\n');
        used = 1;
        return true;
    }
    if (room < 2) {
        return false;
    }
    line_start_column_ = column_ = 0;
    constexpr u8 kReturnNewline[] = {'\r', '\n'};
    device_.write(kReturnNewline);
    used = 2;
    return true;
}

bool LineOutput::process_tab(usize room, usize& used) {
    u32 spaces = 8 - (column_ & 7);
    if ((termios_.output & kTabMask) != kExpandTabs) {
        column_ += spaces;
        put('\t');
        used = 1;
        return true;
    }
    if (room < spaces) {
        return false;
    }
    column_ += spaces;
    constexpr u8 kSpaces[] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
    device_.write(std::span(kSpaces).first(spaces));
    used = spaces;
    return true;
}

bool LineOutput::process(u8 c, usize room, usize& used) {
    if (room == 0) {
        return false;
    }
    used = 1;
    switch (c) {
        case '\n':
            return process_newline(room, used);
        case '\t':
            return process_tab(room, used);
        case '\r':
            if (termios_.has_output(kNoReturnAtColumn0) && column_ == 0) {
                used = 0;
                return true;
            }
            if (termios_.has_output(kReturnToNewline)) {
                c = '\n';
                if (termios_.has_output(kNewlineReturns)) {
                    line_start_column_ = column_ = 0;
                }
                break;
            }
            line_start_column_ = column_ = 0;
            break;
        case '\b':
            column_ -= column_ > 0 ? 1 : 0;
            break;
        default:
            if (!is_control(c)) {
                c = termios_.has_output(output_flags::kUpperCase) ? to_upper(c) : c;
                column_ += termios_.has_input(input_flags::kUtf8) && is_utf8_continuation(c) ? 0 : 1;
            }
            break;
    }
    put(c);
    return true;
}

// --- Echoes ---------------------------------------------------------------------------------------------------

void LineOutput::echo_raw(u8 character) {
    if (character == kEscape) {
        add(kEscape);
    }
    add(character);
}

void LineOutput::echo(u8 character) {
    bool tagged = character == kEscape ||
                  (termios_.has_local(local_flags::kEchoControl) && is_control(character) && character != '\t');
    if (tagged) {
        add(kEscape);
    }
    add(character);
}

void LineOutput::echo_set_line_start() {
    add(kEscape);
    add(kSetLineStart);
}

void LineOutput::echo_move_back() {
    add(kEscape);
    add(kMoveBack);
}

void LineOutput::echo_erase_tab(u32 columns, bool after_tab) {
    add(kEscape);
    add(kEraseTab);
    add(static_cast<u8>((columns & 7) | (after_tab ? 0x80 : 0)));
}

void LineOutput::commit_echoes() {
    mark_ = head_;
    usize pending = committed_ - tail_;
    usize total = head_ - tail_;
    if (total < kBlock || total % kBlock > pending % kBlock) {
        return;
    }
    committed_ = head_;
    send_echoes();
}

void LineOutput::send_committed_echoes() {
    if (mark_ != tail_) {
        committed_ = mark_;
        send_echoes();
    }
}

void LineOutput::send_all_echoes() {
    bool echoes = termios_.has_local(local_flags::kEcho) || termios_.has_local(local_flags::kEchoNewline);
    if (echoes && committed_ != head_) {
        committed_ = head_;
        send_echoes();
    }
}

/// One escaped entry at `tail`; false when there is no room for it.
bool LineOutput::send_operation(usize& tail, usize& room) {
    u8 operation = at(tail + 1);
    switch (operation) {
        case kEraseTab: {
            u32 columns = at(tail + 2);
            // Counted from the line's start and not from a tab: that start is not at a tab stop.
            columns += (columns & 0x80) == 0 ? line_start_column_ : 0;
            u32 backspaces = 8 - (columns & 7);
            if (backspaces > room) {
                return false;
            }
            room -= backspaces;
            for (u32 i = 0; i < backspaces; ++i) {
                put('\b');
                column_ -= column_ > 0 ? 1 : 0;
            }
            tail += 3;
            return true;
        }
        case kSetLineStart:
            line_start_column_ = column_;
            break;
        case kMoveBack:
            column_ -= column_ > 0 ? 1 : 0;
            break;
        case kEscape:
            if (room == 0) {
                return false;
            }
            put(kEscape);
            ++column_;
            --room;
            break;
        default:
            if (room < 2) {
                return false;
            }
            put('^');
            put(operation ^ 0100);
            column_ += 2;
            room -= 2;
            break;
    }
    tail += 2;
    return true;
}

void LineOutput::send_echoes() {
    usize room = device_.write_room();
    usize tail = tail_;
    while (tail < committed_) {
        u8 c = at(tail);
        if (c == kEscape) {
            if (!send_operation(tail, room)) {
                break;
            }
            continue;
        }
        usize used = 1;
        if (termios_.has_output(kProcess)) {
            if (!process(c, room, used)) {
                break;
            }
        } else if (room == 0) {
            break;
        } else {
            put(c);
        }
        room -= used;
        ++tail;
    }
    while (committed_ > tail && committed_ - tail >= kDiscardAt) {
        tail += at(tail) != kEscape ? 1 : at(tail + 1) == kEraseTab ? 3 : 2;
    }
    tail_ = tail;
}

}  // namespace cairn::fs::terminal
