#include "fs/terminal/line_discipline.h"

#include <algorithm>
#include <cstring>

#include "fs/terminal/character_class.h"

namespace cairn::fs::terminal {

namespace {

using namespace input_flags;
using namespace local_flags;

/// A device is stopped when fewer characters than this fit, and restarted when no more are unread.
constexpr usize kThrottleMargin = 128;

}  // namespace

// --- Receiving ------------------------------------------------------------------------------------------------

usize LineDiscipline::receive(std::span<const u8> characters, std::span<const ReceiveMark> marks) {
    usize taken = 0;
    while (taken < characters.size()) {
        i64 room = static_cast<i64>(kBufferSize - (head_ - tail_));
        if (termios_.has_input(kMarkParity)) {
            room = (room + 2) / 3;  // a marked character takes three places
        }
        --room;
        bool overflow = false;
        if (room <= 0) {
            // A line longer than the buffer goes on, so that it can be edited and ended: its last character is
            // replaced.
            overflow = canonical_ && line_end_ == tail_;
            if (overflow && room < 0) {
                --head_;
            }
            room = overflow ? 1 : 0;
        }
        usize count = std::min(characters.size() - taken, static_cast<usize>(room));
        if (count == 0) {
            break;
        }
        std::span<const ReceiveMark> part = marks.empty() ? marks : marks.subspan(taken, count);
        if (!overflow || part.empty() || part[0] != ReceiveMark::ParityError) {
            process(characters.subspan(taken, count), part);
        }
        taken += count;
    }
    return taken;
}

void LineDiscipline::look_ahead(std::span<const u8> characters) {
    looked_ahead_ += characters.size();
    if (!termios_.has_input(kFlowControlOutput)) {
        return;
    }
    for (u8 c : characters) {
        receive_flow_control(c);
    }
}

void LineDiscipline::process(std::span<const u8> characters, std::span<const ReceiveMark> marks) {
    usize known = std::min(looked_ahead_, characters.size());
    looked_ahead_ -= known;
    bool strips = termios_.has_input(kStrip) || (termios_.has_input(kLowerCase) && termios_.has_local(kExtended));
    if (raw_ || (termios_.has_local(kExternal) && !strips)) {
        receive_raw(characters, marks);
    } else {
        for (usize i = 0; i < characters.size(); ++i) {
            u8 c = characters[i];
            bool flow_control_done = i < known && !literal_next_ && termios_.has_input(kFlowControlOutput) &&
                                     (is_character(c, kStart) || is_character(c, kStop)) && is_special(c);
            if (!flow_control_done) {
                receive_one(c, marks.empty() ? ReceiveMark::Normal : marks[i]);
            }
        }
        output_.send_all_echoes();
    }
    if (canonical()) {
        return;
    }
    committed_ = head_;
    if (committed_ != tail_) {
        device_.input_arrived();
    }
}

void LineDiscipline::receive_raw(std::span<const u8> characters, std::span<const ReceiveMark> marks) {
    for (usize i = 0; i < characters.size(); ++i) {
        if (marks.empty() || marks[i] == ReceiveMark::Normal) {
            put(characters[i]);
        } else {
            receive_marked(characters[i], marks[i]);
        }
    }
}

void LineDiscipline::receive_one(u8 c, ReceiveMark mark) {
    if (mark != ReceiveMark::Normal) {
        literal_next_ = false;
        return receive_marked(c, mark);
    }
    c = termios_.has_input(kStrip) ? c & 0x7f : c;
    c = termios_.has_input(kLowerCase) && termios_.has_local(kExtended) ? to_lower(c) : c;
    if (termios_.has_local(kExternal)) {
        put(c);
    } else if (literal_next_) {
        literal_next_ = false;
        receive_ordinary(c);
    } else if (is_special(c)) {
        receive_special(c);
    } else {
        receive_ordinary(c);
    }
}

/// Any character restarts the output that ^S stopped, if the settings say so.
void LineDiscipline::restart_by_any() {
    if (device_.output_stopped_by_character() && termios_.has_input(kFlowControlOutput) &&
        termios_.has_input(kAnyRestarts)) {
        device_.start_output();
        output_.send_committed_echoes();
    }
}

/// With PARMRK a 0xff of the line is doubled, to tell it from a mark.
void LineDiscipline::store(u8 c) {
    if (c == 0xff && termios_.has_input(kMarkParity)) {
        put(c);
    }
    put(c);
}

void LineDiscipline::echo_in_line(u8 c) {
    if (line_end_ == head_) {
        output_.echo_set_line_start();
    }
    output_.echo(c);
}

void LineDiscipline::receive_ordinary(u8 c) {
    restart_by_any();
    if (termios_.has_local(kEcho)) {
        finish_erasing();
        echo_in_line(c);
        output_.commit_echoes();
    }
    store(c);
}

void LineDiscipline::receive_marked(u8 c, ReceiveMark mark) {
    if (mark == ReceiveMark::Break) {
        if (termios_.has_input(kIgnoreBreak)) {
            return;
        }
        if (termios_.has_input(kBreakInterrupt)) {
            return signal(kSignalInterrupt);
        }
        if (termios_.has_input(kMarkParity)) {
            put(0xff);
            put(0);
        }
        return put(0);
    }
    if (mark == ReceiveMark::Overrun) {
        return;  // the driver counts them
    }
    if (!termios_.has_input(kCheckParity)) {
        return put(c);
    }
    if (termios_.has_input(kIgnoreParity)) {
        return;
    }
    if (termios_.has_input(kMarkParity)) {
        put(0xff);
        put(0);
        return put(c);
    }
    put(0);
}

bool LineDiscipline::receive_flow_control(u8 c) {
    if (is_character(c, kStart)) {
        device_.start_output();
        output_.send_committed_echoes();
        return true;
    }
    if (is_character(c, kStop)) {
        device_.stop_output();
        return true;
    }
    return false;
}

bool LineDiscipline::receive_signal(u8 c) {
    i32 which = 0;
    if (is_character(c, kInterrupt)) {
        which = kSignalInterrupt;
    } else if (is_character(c, kQuit)) {
        which = kSignalQuit;
    } else if (is_character(c, kSuspend)) {
        which = kSignalSuspend;
    } else {
        return false;
    }
    signal(which);
    if (termios_.has_input(kFlowControlOutput)) {
        device_.start_output();
    }
    if (termios_.has_local(kEcho)) {
        output_.echo(c);
        output_.commit_echoes();
    } else {
        output_.send_committed_echoes();
    }
    return true;
}

void LineDiscipline::signal(i32 which) {
    device_.signal_foreground(which);
    if (termios_.has_local(kNoFlush)) {
        return;
    }
    output_.discard_echoes();
    device_.discard_output();
    discard_input();
    device_.input_discarded();
}

void LineDiscipline::receive_special(u8 c) {
    if (termios_.has_input(kFlowControlOutput) && receive_flow_control(c)) {
        return;
    }
    if (termios_.has_local(kSignals) && receive_signal(c)) {
        return;
    }
    restart_by_any();
    if (c == '\r') {
        if (termios_.has_input(kIgnoreReturn)) {
            return;
        }
        c = termios_.has_input(input_flags::kReturnToNewline) ? '\n' : c;
    } else if (c == '\n' && termios_.has_input(kNewlineToReturn)) {
        c = '\r';
    }
    if (canonical_ && receive_editing(c)) {
        return;
    }
    if (termios_.has_local(kEcho)) {
        finish_erasing();
        if (c == '\n') {
            output_.echo_raw('\n');
        } else {
            echo_in_line(c);
        }
        output_.commit_echoes();
    }
    store(c);
}

/// The characters of canonical mode; false when `c` is none of them.
bool LineDiscipline::receive_editing(u8 c) {
    bool extended = termios_.has_local(kExtended);
    bool echo = termios_.has_local(kEcho);
    if (is_character(c, kErase) || is_character(c, kKill) || (is_character(c, kWordErase) && extended)) {
        erase(c);
        output_.commit_echoes();
        return true;
    }
    if (is_character(c, kLiteralNext) && extended) {
        literal_next_ = true;
        if (echo) {
            finish_erasing();
            if (termios_.has_local(kEchoControl)) {
                output_.echo_raw('^');
                output_.echo_raw('\b');
                output_.commit_echoes();
            }
        }
        return true;
    }
    if (is_character(c, kReprint) && echo && extended) {
        reprint();
        return true;
    }
    if (c == '\n') {
        if (echo || termios_.has_local(kEchoNewline)) {
            output_.echo_raw('\n');
            output_.commit_echoes();
        }
        end_line(c);
        return true;
    }
    if (is_character(c, kEndOfFile)) {
        end_line(kDisabledCharacter);
        return true;
    }
    if (is_character(c, kEndOfLine) || (is_character(c, kEndOfLine2) && extended)) {
        if (echo) {
            echo_in_line(c);
            output_.commit_echoes();
        }
        if (c == 0xff && termios_.has_input(kMarkParity)) {
            put(c);
        }
        end_line(c);
        return true;
    }
    return false;
}

void LineDiscipline::end_line(u8 c) {
    set_line_end(head_);
    put(c);
    line_end_ = head_;
    device_.input_arrived();
}

// --- Reading --------------------------------------------------------------------------------------------------

bool LineDiscipline::readable(bool for_poll) const {
    if (canonical()) {
        return line_end_ != tail_;
    }
    u8 minimum = termios_.character(kMinimum);
    usize wanted = for_poll && termios_.character(kTime) == 0 && minimum != 0 ? minimum : 1;
    return committed_ - tail_ >= wanted;
}

usize LineDiscipline::read(std::span<u8> to, bool& line_done) {
    line_done = false;
    if (!canonical()) {
        usize count = std::min(committed_ - tail_, to.size());
        for (usize i = 0; i < count; ++i) {
            to[i] = at(tail_ + i);
        }
        bool end_of_file = count == 1 && to[0] == termios_.character(kEndOfFile);
        tail_ += count;
        // EXTPROC: the other side does the editing and sends a lone EOF character.
        return termios_.has_local(kExternal) && canonical_ && end_of_file && committed_ == tail_ ? 0 : count;
    }
    usize count = 0;
    usize limit = std::min(to.size(), line_end_ - tail_);
    while (count < limit) {
        u8 c = at(tail_);
        bool end = ends_line(tail_);
        clear_line_end(tail_);
        ++tail_;
        line_done = end;
        if (end && c == kDisabledCharacter) {
            break;
        }
        to[count++] = c;
        if (end) {
            break;
        }
    }
    return count;
}

void LineDiscipline::skip_end_of_file() {
    if (canonical() && tail_ != line_end_ && ends_line(tail_) && at(tail_) == kDisabledCharacter) {
        clear_line_end(tail_);
        ++tail_;
    }
}

usize LineDiscipline::readable_count() const {
    if (!canonical()) {
        return head_ - tail_;
    }
    usize count = line_end_ - tail_;
    for (usize i = tail_; i != line_end_; ++i) {
        count -= ends_line(i) && at(i) == kDisabledCharacter ? 1 : 0;
    }
    return count;
}

usize LineDiscipline::unread() const {
    return (canonical() ? line_end_ : committed_) - tail_;
}

bool LineDiscipline::nearly_full() const {
    bool editing_first_line = canonical_ && line_end_ == tail_;
    return !editing_first_line && kBufferSize - (head_ - tail_) < kThrottleMargin;
}

// --- Settings -------------------------------------------------------------------------------------------------

void LineDiscipline::clear_line_ends() {
    std::memset(line_ends_, 0, sizeof line_ends_);
}

void LineDiscipline::discard_input() {
    head_ = line_end_ = committed_ = tail_ = 0;
    erasing_ = false;
    clear_line_ends();
}

void LineDiscipline::reset() {
    discard_input();
    literal_next_ = false;
    looked_ahead_ = 0;
    output_.reset();
    settings_changed(nullptr);
}

void LineDiscipline::settings_changed(const Termios* old) {
    constexpr u32 kModes = kCanonical | kExternal;
    if (old == nullptr || ((old->local ^ termios_.local) & kModes) != 0) {
        clear_line_ends();
        if (!termios_.has_local(kCanonical) || head_ == tail_) {
            line_end_ = tail_;
        } else {
            set_line_end(head_ - 1);  // what came in raw mode counts as a line
            line_end_ = head_;
        }
        committed_ = head_;
        erasing_ = false;
        literal_next_ = false;
    }
    canonical_ = termios_.has_local(kCanonical);
    collect_special_characters();
    if (!termios_.has_input(kFlowControlOutput) && old != nullptr && old->has_input(kFlowControlOutput) &&
        device_.output_stopped_by_character()) {
        device_.start_output();
        output_.send_committed_echoes();
    }
}

void LineDiscipline::collect_special_characters() {
    std::memset(special_, 0, sizeof special_);
    constexpr u32 kInputProcessing = kStrip | kLowerCase | kIgnoreReturn | input_flags::kReturnToNewline |
                                     kNewlineToReturn | kFlowControlOutput | kMarkParity;
    raw_ = !termios_.has_input(kInputProcessing) && !termios_.has_local(kCanonical | kSignals | kEcho);
    if (raw_) {
        return;
    }
    if (termios_.has_input(kIgnoreReturn | input_flags::kReturnToNewline)) {
        set_special('\r');
    }
    if (termios_.has_input(kNewlineToReturn)) {
        set_special('\n');
    }
    auto add = [this](std::initializer_list<ControlCharacter> which) {
        for (ControlCharacter index : which) {
            set_special(termios_.character(index));
        }
    };
    if (termios_.has_local(kCanonical)) {
        set_special('\n');
        add({kErase, kKill, kEndOfFile, kEndOfLine});
        if (termios_.has_local(kExtended)) {
            add({kWordErase, kLiteralNext, kEndOfLine2});
            if (termios_.has_local(kEcho)) {
                add({kReprint});
            }
        }
    }
    if (termios_.has_input(kFlowControlOutput)) {
        add({kStart, kStop});
    }
    if (termios_.has_local(kSignals)) {
        add({kInterrupt, kQuit, kSuspend});
    }
    special_[0] &= ~u64{1};  // kDisabledCharacter
}

}  // namespace cairn::fs::terminal
