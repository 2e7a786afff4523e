/// Terminal: ioctl(2) as tty_ioctl(4) describes it.

#include <cstring>

#include "fs/terminal/terminal.h"
#include "mm/user_memory.h"

namespace cairn::fs::terminal {

namespace {

enum Command : u32 {
    kGetTermios = 0x5401,
    kSetTermios = 0x5402,
    kSetTermiosWait = 0x5403,
    kSetTermiosFlush = 0x5404,
    kGetShort = 0x5405,
    kSetShort = 0x5406,
    kSetShortWait = 0x5407,
    kSetShortFlush = 0x5408,
    kSendBreak = 0x5409,
    kFlowControl = 0x540a,
    kFlush = 0x540b,
    kExclusive = 0x540c,
    kNotExclusive = 0x540d,
    kSetControlling = 0x540e,
    kGetForeground = 0x540f,
    kSetForeground = 0x5410,
    kOutputCount = 0x5411,
    kSimulateInput = 0x5412,
    kGetWindow = 0x5413,
    kSetWindow = 0x5414,
    kGetCarrier = 0x5419,
    kSetCarrier = 0x541a,
    kInputCount = 0x541b,
    kGiveUpControlling = 0x5422,
    kSetDiscipline = 0x5423,
    kGetDiscipline = 0x5424,
    kSendBreakPosix = 0x5425,
    kStartBreak = 0x5427,
    kEndBreak = 0x5428,
    kGetSession = 0x5429,
    kHangUp = 0x5437,
    kGetLocked = 0x5456,
    kSetLocked = 0x5457,
    kGetTermios2 = 0x802c542a,
    kSetTermios2 = 0x402c542b,
    kSetTermios2Wait = 0x402c542c,
    kSetTermios2Flush = 0x402c542d,
    kGetDevice = 0x80045432,
    kGetExclusive = 0x80045440,
};

template <typename T>
Result<u64> give(u64 argument, const T& value) {
    TRY(mm::copy_out({argument}, &value, sizeof value));
    return u64{0};
}

ShortTermios shorten(const Termios& termios) {
    ShortTermios result{static_cast<u16>(termios.input),
                        static_cast<u16>(termios.output),
                        static_cast<u16>(termios.control),
                        static_cast<u16>(termios.local),
                        termios.discipline,
                        {}};
    std::memcpy(result.control_characters, termios.control_characters, sizeof result.control_characters);
    return result;
}

void widen(Termios& termios, const ShortTermios& from) {
    auto low = [](u32& field, u16 value) { field = (field & 0xffff0000) | value; };
    low(termios.input, from.input);
    low(termios.output, from.output);
    low(termios.control, from.control);
    low(termios.local, from.local);
    termios.discipline = from.discipline;
    std::memcpy(termios.control_characters, from.control_characters, sizeof from.control_characters);
}

/// TIOCSLCKTRMIOS: flags and characters that are locked stay as they were.
void keep_locked(Termios& termios, const Termios& old, const Termios& locked) {
    auto keep = [](u32& field, u32 before, u32 mask) { field = (field & ~mask) | (before & mask); };
    keep(termios.input, old.input, locked.input);
    keep(termios.output, old.output, locked.output);
    keep(termios.control, old.control, locked.control);
    keep(termios.local, old.local, locked.local);
    termios.discipline = locked.discipline != 0 ? old.discipline : termios.discipline;
    for (usize i = 0; i < kControlCharacters; ++i) {
        if (locked.control_characters[i] != 0) {
            termios.control_characters[i] = old.control_characters[i];
        }
    }
}

}  // namespace

Result<u64> Terminal::ioctl(vfs::OperationContext& context, u32 command, u64 argument, const vfs::File& file,
                            bool from_master) {
    switch (command) {
        case kSetDiscipline:
        case kStartBreak:
        case kEndBreak:
        case kSendBreak:
        case kSendBreakPosix:
            TRY(check_background(context, kSignalBackgroundWrite));
            if (command != kEndBreak) {
                TRY(wait_until_sent());
            }
            break;
        default:
            break;
    }
    switch (command) {
        case kSetControlling:
        case kGiveUpControlling:
        case kGetForeground:
        case kSetForeground:
        case kGetSession:
            return job_ioctl(context, command, argument, file, from_master);
        case kGetTermios:
        case kGetTermios2:
        case kGetShort:
        case kGetCarrier:
        case kSetCarrier:
        case kGetLocked:
        case kSetLocked:
        case kSetTermios:
        case kSetTermiosWait:
        case kSetTermiosFlush:
        case kSetTermios2:
        case kSetTermios2Wait:
        case kSetTermios2Flush:
        case kSetShort:
        case kSetShortWait:
        case kSetShortFlush:
            return settings_ioctl(context, command, argument);
        default:
            return line_ioctl(context, command, argument);
    }
}

// --- Jobs -----------------------------------------------------------------------------------------------------

Result<u64> Terminal::job_ioctl(vfs::OperationContext& context, u32 command, u64 argument, const vfs::File& file,
                                bool from_master) {
    switch (command) {
        case kSetControlling:
            TRY(take_as_controlling(context, file.readable(), argument == 1));
            return u64{0};
        case kGiveUpControlling:
            if (from_master || !is_controlling()) {
                return fail(Errno::enotty);
            }
            give_up(context);
            return u64{0};
        case kGetForeground:
            if (!from_master && !is_controlling()) {
                return fail(Errno::enotty);
            }
            return give(argument, foreground_group());
        case kGetSession:
            if ((!from_master && !is_controlling()) || session() == 0) {
                return fail(Errno::enotty);
            }
            return give(argument, session());
        default:
            return set_foreground(context, argument);
    }
}

Result<u64> Terminal::set_foreground(vfs::OperationContext& context, u64 argument) {
    Result<void> allowed = check_background(context, kSignalBackgroundWrite);
    if (!allowed.ok()) {
        return fail(allowed.error() == Errno::eio ? Errno::enotty : allowed.error());
    }
    i32 group = TRY(mm::UserIn<i32>(argument).fetch());
    if (group < 0) {
        return fail(Errno::einval);
    }
    if (!is_controlling() || session() != context.session()) {
        return fail(Errno::enotty);
    }
    sync::MutexGuard guard(settings_mutex_);
    TRY(g_kernel.job_control->check_group(group, context.session()));
    if (session() != context.session()) {
        return fail(Errno::enotty);  // hung up meanwhile
    }
    foreground_.store(group, Order::relaxed);
    return u64{0};
}

// --- Settings -------------------------------------------------------------------------------------------------

Result<u64> Terminal::settings_ioctl(vfs::OperationContext& context, u32 command, u64 argument) {
    switch (command) {
        case kGetTermios: {
            Termios now = settings();
            TRY(mm::copy_out({argument}, &now, kShortTermiosSize));
            return u64{0};
        }
        case kGetTermios2:
            return give(argument, settings());
        case kGetShort:
            return give(argument, shorten(settings()));
        case kGetCarrier:
            return give(argument, i32{settings().has_control(control_flags::kLocal) ? 1 : 0});
        case kSetCarrier: {
            i32 local = TRY(mm::UserIn<i32>(argument).fetch());
            Termios wanted = settings();
            wanted.control &= ~control_flags::kLocal;
            wanted.control |= local != 0 ? control_flags::kLocal : 0;
            set_settings(wanted);
            return u64{0};
        }
        case kGetLocked: {
            Termios locked;
            {
                sync::MutexGuard guard(settings_mutex_);
                locked = locked_flags_;
            }
            TRY(mm::copy_out({argument}, &locked, kShortTermiosSize));
            return u64{0};
        }
        case kSetLocked: {
            if (!context.credentials.has(vfs::Capability::SysAdmin)) {
                return fail(Errno::eperm);
            }
            Termios locked;
            TRY(mm::copy_in(&locked, {argument}, kShortTermiosSize));
            sync::MutexGuard guard(settings_mutex_);
            locked_flags_ = locked;
            return u64{0};
        }
        case kSetShort:
        case kSetShortWait:
        case kSetShortFlush:
            return set_from_user(context, argument, sizeof(ShortTermios), static_cast<When>(command - kSetShort));
        case kSetTermios2:
        case kSetTermios2Wait:
        case kSetTermios2Flush:
            return set_from_user(context, argument, sizeof(Termios), static_cast<When>(command - kSetTermios2));
        default:
            return set_from_user(context, argument, kShortTermiosSize, static_cast<When>(command - kSetTermios));
    }
}

/// `size` tells which of the three layouts it is.
Result<u64> Terminal::set_from_user(vfs::OperationContext& context, u64 argument, usize size, When when) {
    TRY(check_background(context, kSignalBackgroundWrite));
    Termios wanted = settings();
    if (size == sizeof(ShortTermios)) {
        ShortTermios from;
        TRY(mm::copy_in(&from, {argument}, sizeof from));
        widen(wanted, from);
    } else {
        TRY(mm::copy_in(&wanted, {argument}, size));
    }
    u32 input_speed = input_baud_rate(wanted);
    wanted.output_speed = output_baud_rate(wanted);
    wanted.input_speed = input_speed;
    TRY(change_settings(context, wanted, when));
    return u64{0};
}

Result<void> Terminal::change_settings(vfs::OperationContext&, const Termios& wanted, When when) {
    if (when == When::Now) {
        set_settings(wanted);
        return {};
    }
    for (;;) {
        TRY(wait_until_sent());
        bool raced = false;
        {
            Turn::Holder turn = TRY(writer_.take(false));
            {
                sync::MutexGuard guard(output_mutex_);
                raced = pending_output() != 0;  // another writer was faster
            }
            if (!raced && when == When::AfterOutputFlushingInput) {
                flush(true, false);
            }
            if (!raced) {
                set_settings(wanted);
            }
        }
        output_room();  // a poll meanwhile found the turn taken
        if (!raced) {
            return {};
        }
    }
}

void Terminal::set_settings(Termios wanted) {
    {
        sync::MutexGuard guard(settings_mutex_);
        sync::MutexGuard input(input_mutex_);
        sync::MutexGuard output(output_mutex_);
        Termios old = termios_;
        keep_locked(wanted, old, locked_flags_);
        wanted.discipline = 0;  // N_TTY is the only one
        adopt_settings(wanted, old);
        termios_ = wanted;
        discipline_.settings_changed(&old);
    }
    wake_everybody();
}

// --- The line -------------------------------------------------------------------------------------------------

Result<u64> Terminal::line_ioctl(vfs::OperationContext& context, u32 command, u64 argument) {
    bool administrator = context.credentials.has(vfs::Capability::SysAdmin);
    switch (command) {
        case kFlowControl:
            return flow_ioctl(context, argument);
        case kFlush:
            TRY(check_background(context, kSignalBackgroundWrite));
            if (argument > 2) {
                return fail(Errno::einval);
            }
            flush(argument != 1, argument != 0);
            return u64{0};
        case kOutputCount: {
            sync::MutexGuard guard(output_mutex_);
            return give(argument, static_cast<i32>(pending_output()));
        }
        case kInputCount: {
            i32 count = 0;
            {
                sync::MutexGuard guard(input_mutex_);
                count = static_cast<i32>(discipline_.readable_count());
            }
            return give(argument, count);
        }
        case kGetWindow: {
            WindowSize window;
            {
                sync::MutexGuard guard(settings_mutex_);
                window = window_;
            }
            return give(argument, window);
        }
        case kSetWindow:
            return set_window(argument);
        case kExclusive:
        case kNotExclusive:
            exclusive_.store(command == kExclusive, Order::relaxed);
            return u64{0};
        case kGetExclusive:
            return give(argument, i32{exclusive_.load(Order::relaxed) ? 1 : 0});
        case kSimulateInput:
            return simulate_input(context, argument);
        case kGetDiscipline:
            return give(argument, i32{0});
        case kSetDiscipline:
            if (TRY(mm::UserIn<i32>(argument).fetch()) != 0) {
                return fail(Errno::einval);
            }
            return u64{0};
        case kGetDevice:
            return give(argument, static_cast<u32>(number_.encode()));
        case kHangUp:
            if (!administrator) {
                return fail(Errno::eperm);
            }
            hang_up();
            return u64{0};
        case kSendBreak:
            if (argument == 0) {
                TRY(send_break(250));
            }
            return u64{0};
        case kSendBreakPosix:
            TRY(send_break(argument == 0 ? 250 : static_cast<u32>(argument) * 100));
            return u64{0};
        case kStartBreak:
        case kEndBreak:
            set_break(command == kStartBreak);
            return u64{0};
        default:
            return device_ioctl(context, command, argument);
    }
}

Result<u64> Terminal::set_window(u64 argument) {
    set_window_size(TRY(mm::UserIn<WindowSize>(argument).fetch()));
    return u64{0};
}

void Terminal::set_window_size(WindowSize wanted) {
    {
        sync::MutexGuard guard(settings_mutex_);
        if (window_ == wanted) {
            return;
        }
        window_ = wanted;
    }
    signal_foreground(kSignalWindowChange);
}

/// Linux refuses it to everybody but the administrator by default (dev.tty.legacy_tiocsti).
Result<u64> Terminal::simulate_input(vfs::OperationContext& context, u64 argument) {
    if (!context.credentials.has(vfs::Capability::SysAdmin)) {
        return fail(Errno::eio);
    }
    u8 character = TRY(mm::UserIn<u8>(argument).fetch());
    receive({&character, 1});
    return u64{0};
}

/// TCXONC.
Result<u64> Terminal::flow_ioctl(vfs::OperationContext& context, u64 argument) {
    TRY(check_background(context, kSignalBackgroundWrite));
    switch (argument) {
        case 0:  // TCOOFF
        case 1:  // TCOON
            stop_by_call(argument == 0);
            return u64{0};
        case 2:    // TCIOFF
        case 3: {  // TCION
            sync::MutexGuard guard(output_mutex_);
            u8 character = termios_.character(argument == 2 ? kStop : kStart);
            if (character != kDisabledCharacter) {
                send_urgently(character);
            }
            return u64{0};
        }
        default:
            return fail(Errno::einval);
    }
}

void Terminal::stop_by_call(bool stop) {
    sync::MutexGuard guard(output_mutex_);
    if (stopped_by_call_.load(Order::relaxed) == stop) {
        return;
    }
    if (stop) {
        stopped_by_call_.store(true, Order::relaxed);
        stop_output();
    } else {
        stopped_by_call_.store(false, Order::relaxed);
        start_output();
    }
}

void Terminal::flush(bool input, bool output) {
    if (input) {
        {
            sync::MutexGuard guard(input_mutex_);
            discipline_.discard_input();
        }
        report(packet::kInputFlushed, 0);
        discard_undelivered_input();
        after_reading();
    }
    if (output) {
        sync::MutexGuard guard(output_mutex_);
        discard_output();
        output_room();
    }
}

Result<void> Terminal::output_wait_until_sent(Nanoseconds deadline) {
    if (output_wait_.wait_until([this] { return all_sent(); }, sync::SleepKind::Interruptible, deadline) ==
        sync::WakeReason::Interrupted) {
        return fail(Errno::eintr);
    }
    return {};
}

void Terminal::drain(Nanoseconds deadline) {
    output_wait_.wait_until([this] { return all_sent(); }, sync::SleepKind::Uninterruptible, deadline);
}

bool Terminal::all_sent() {
    sync::MutexGuard guard(output_mutex_);
    return pending_output() == 0;
}

}  // namespace cairn::fs::terminal
