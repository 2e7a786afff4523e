/// Terminal: opening, reading, writing, polling, and what drivers call.

#include "fs/terminal/terminal.h"

#include <algorithm>

#include "kernel/time/clock.h"

namespace cairn::fs::terminal {

namespace {

/// Bytes that go through a buffer on the stack at a time.
constexpr usize kChunk = 256;
/// poll(2) calls a terminal writable while less than this waits in the device.
constexpr usize kWriteWatermark = 256;
/// A held-back device goes on when no more than this is unread.
constexpr usize kResumeBelow = 128;
constexpr Nanoseconds kTenthOfSecond = Nanoseconds::from_milliseconds(100);

}  // namespace

void Terminal::last_reference_dropped() {
    // find_controlling() may be looking at it.
    sync::call_after_grace_period(free_head_, [](sync::ReadSideHead& head) {
        object_of_member<Terminal, sync::ReadSideHead, &Terminal::free_head_>(&head)->destroy();
    });
}

Termios Terminal::settings() {
    sync::MutexGuard guard(input_mutex_);
    return termios_;
}

// --- Opening --------------------------------------------------------------------------------------------------

Result<void> Terminal::open(vfs::OperationContext& context, u32 flags, bool may_control) {
    bool first = false;
    {
        sync::MutexGuard guard(settings_mutex_);
        if (exclusive_.load(Order::relaxed) && !context.credentials.has(vfs::Capability::SysAdmin)) {
            return fail(Errno::ebusy);
        }
        TRY(check_open());
        first = users_.fetch_add(1, Order::release) == 0;
        bool readable = (flags & vfs::open_flags::kAccessMode) != vfs::open_flags::kWriteOnly;
        bool wanted = may_control && (flags & vfs::open_flags::kNoControllingTerminal) == 0 && readable;
        vfs::JobControl* jobs = g_kernel.job_control;
        if (wanted && jobs != nullptr && context.session_leader() && session_.load(Order::relaxed) == 0 &&
            jobs->controlling_terminal() == nullptr) {
            become_controlling(context);
        }
    }
    if (first) {
        first_opened();
    }
    return {};
}

void Terminal::close() {
    bool last = false;
    {
        sync::MutexGuard guard(settings_mutex_);
        last = users_.fetch_sub(1, Order::release) == 1;
        if (last) {
            exclusive_.store(false, Order::relaxed);
        }
    }
    if (last) {
        last_closed();
    }
}

bool Terminal::dead(const TerminalFile& file) const {
    return file.hung_up();
}

// --- Reading --------------------------------------------------------------------------------------------------

Result<usize> Terminal::read(vfs::OperationContext& context, mm::IoSink& sink, const TerminalFile& file) {
    if (dead(file)) {
        return usize{0};
    }
    TRY(check_background(context, kSignalBackgroundRead));
    Turn::Holder turn = TRY(reader_.take(file.non_blocking()));
    return read_in_turn(sink, file);
}

Terminal::ReadRule Terminal::read_rule() {
    sync::MutexGuard guard(input_mutex_);
    ReadRule rule;
    if (termios_.has_local(local_flags::kCanonical)) {
        return rule;
    }
    Nanoseconds time{kTenthOfSecond.value * termios_.character(kTime)};
    rule.minimum = termios_.character(kMinimum);
    if (rule.minimum != 0) {
        rule.between = time;
    } else {
        rule.first = time;
        rule.minimum = 1;
    }
    return rule;
}

Terminal::Taken Terminal::take_input(std::span<u8> to, bool fills_request) {
    sync::MutexGuard guard(input_mutex_);
    Taken taken;
    taken.canonical = discipline_.canonical();
    if (!discipline_.readable(false)) {
        return taken;
    }
    taken.any = true;
    taken.count = discipline_.read(to, taken.line_done);
    if (fills_request && taken.count == to.size() && !taken.line_done) {
        discipline_.skip_end_of_file();
    }
    taken.more = discipline_.readable(false);
    return taken;
}

bool Terminal::readable_now() {
    sync::MutexGuard guard(input_mutex_);
    return discipline_.readable(false);
}

/// The loop of Linux's n_tty_read: what ends a read in which mode, and which reason wins.
Result<usize> Terminal::read_in_turn(mm::IoSink& sink, const TerminalFile& file) {
    ReadRule rule = read_rule();
    Nanoseconds wait = rule.first;
    usize moved = 0;
    bool took = false;
    Errno error{};
    while (sink.remaining() != 0) {
        u8 chunk[kChunk];
        usize size = std::min(sizeof chunk, sink.remaining());
        Taken taken = take_input({chunk, size}, size == sink.remaining());
        if (taken.any) {
            took = true;
            Result<usize> put = sink.put(chunk, taken.count);
            moved += put.ok() ? put.value() : 0;
            if (!put.ok() || put.value() != taken.count) {
                error = Errno::efault;  // what was taken is lost, as in Linux
                break;
            }
            if (taken.canonical ? taken.line_done || !taken.more : !taken.more && moved >= rule.minimum) {
                break;
            }
            wait = rule.between.value != 0 ? rule.between : wait;
            continue;
        }
        if (moved != 0 && (taken.canonical || moved >= rule.minimum)) {
            break;  // the rest was flushed meanwhile
        }
        if (other_side_closed()) {
            error = Errno::eio;
            break;
        }
        if (dead(file) || wait.value == 0) {
            break;
        }
        if (file.non_blocking()) {
            error = Errno::eagain;
            break;
        }
        Nanoseconds deadline = wait == Nanoseconds::never() ? wait : time::now() + wait;
        sync::WakeReason reason =
            input_wait_.wait_until([&] { return readable_now() || other_side_closed() || dead(file); },
                                   sync::SleepKind::Interruptible, deadline);
        if (reason == sync::WakeReason::Interrupted) {
            error = Errno::eintr;
            break;
        }
        if (reason == sync::WakeReason::TimedOut) {
            wait = {};
        }
    }
    if (took) {
        after_reading();
    }
    if (moved == 0 && error != Errno{}) {
        return fail(error);
    }
    return moved;
}

void Terminal::after_reading() {
    {
        sync::MutexGuard input(input_mutex_);
        if (held_.load(Order::relaxed) && discipline_.unread() <= kResumeBelow) {
            sync::MutexGuard output(output_mutex_);
            held_.store(false, Order::relaxed);
            hold_input(false);
        }
    }
    input_room();
}

// --- Writing --------------------------------------------------------------------------------------------------

Result<usize> Terminal::write_characters(vfs::OperationContext& context, mm::IoSource& source,
                                         const TerminalFile& file) {
    if (dead(file)) {
        return fail(Errno::eio);
    }
    if (settings().has_local(local_flags::kStopBackgroundOutput)) {
        TRY(check_background(context, kSignalBackgroundWrite));
    }
    Result<usize> moved = [&]() -> Result<usize> {
        Turn::Holder turn = TRY(writer_.take(file.non_blocking()));
        return write_in_turn(source, file);
    }();
    output_room();  // a poll meanwhile found the turn taken
    return moved;
}

Result<usize> Terminal::write_in_turn(mm::IoSource& source, const TerminalFile& file) {
    usize moved = 0;
    Errno error{};
    {
        sync::MutexGuard guard(output_mutex_);
        discipline_.output().send_committed_echoes();
    }
    u8 chunk[kChunk];
    while (error == Errno{} && source.remaining() != 0) {
        Result<usize> fetched = source.take(chunk, sizeof chunk);
        if (!fetched.ok() || fetched.value() == 0) {
            error = fetched.ok() ? Errno::efault : fetched.error();
            break;
        }
        std::span<const u8> rest(chunk, fetched.value());
        while (!rest.empty()) {
            if (dead(file) || other_side_closed()) {
                error = Errno::eio;
                break;
            }
            usize written = 0;
            {
                sync::MutexGuard guard(output_mutex_);
                written = discipline_.output().write(rest);
            }
            rest = rest.subspan(written);
            moved += written;
            if (rest.empty()) {
                break;
            }
            if (file.non_blocking()) {
                error = Errno::eagain;
                break;
            }
            auto may_go_on = [&] { return write_room() >= kWriteRoom || dead(file) || other_side_closed(); };
            if (output_wait_.wait_until(may_go_on, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
                error = Errno::eintr;
                break;
            }
        }
        source.revert(rest.size());
    }
    if (moved == 0 && error != Errno{}) {
        return fail(error);
    }
    return moved;
}

// --- Polling --------------------------------------------------------------------------------------------------

vfs::PollEvents Terminal::poll(vfs::PollRegistrar* registrar, const TerminalFile& file) {
    if (registrar != nullptr) {
        registrar->watch(input_wait_);
        registrar->watch(output_wait_);
    }
    if (dead(file)) {
        return vfs::kPollIn | vfs::kPollOut | vfs::kPollErr | vfs::kPollHup | vfs::kPollReadNormal |
               vfs::kPollWriteNormal;
    }
    vfs::PollEvents events = 0;
    {
        sync::MutexGuard guard(input_mutex_);
        events |= discipline_.readable(true) ? vfs::kPollIn | vfs::kPollReadNormal : 0;
    }
    if (other_side_closed()) {
        events |= vfs::kPollHup;
    }
    sync::MutexGuard guard(output_mutex_);
    if (!writer_.taken() && pending_output() < kWriteWatermark && write_room() != 0) {
        events |= vfs::kPollOut | vfs::kPollWriteNormal;
    }
    return events;
}

// --- Devices --------------------------------------------------------------------------------------------------

usize Terminal::receive(std::span<const u8> characters, std::span<const ReceiveMark> marks) {
    sync::MutexGuard guard(input_mutex_);
    return receive_locked(characters, marks);
}

usize Terminal::receive_locked(std::span<const u8> characters, std::span<const ReceiveMark> marks) {
    sync::MutexGuard output(output_mutex_);
    usize taken = discipline_.receive(characters, marks);
    if (discipline_.nearly_full() && !held_.load(Order::relaxed)) {
        held_.store(true, Order::relaxed);
        hold_input(true);
    }
    return taken;
}

void Terminal::look_ahead_locked(std::span<const u8> characters) {
    sync::MutexGuard output(output_mutex_);
    discipline_.look_ahead(characters);
}

void Terminal::stop_output() {
    if (!stopped_.load(Order::relaxed)) {
        stopped_.store(true, Order::relaxed);
        flow_changed();
        report(packet::kStopped, packet::kStarted);
    }
}

void Terminal::start_output() {
    if (stopped_.load(Order::relaxed) && !stopped_by_call_.load(Order::relaxed)) {
        stopped_.store(false, Order::relaxed);
        flow_changed();
        report(packet::kStarted, packet::kStopped);
        output_wait_.wake_all();
    }
}

void Terminal::signal_foreground(i32 signal) {
    i32 group = foreground_.load(Order::relaxed);
    if (group != 0 && g_kernel.job_control != nullptr) {
        g_kernel.job_control->signal_group(group, signal);
    }
}

void Terminal::send_urgently(u8 character) {
    bool was_stopped = stopped_.load(Order::relaxed);
    stopped_.store(false, Order::relaxed);
    flow_changed();
    write({&character, 1});
    stopped_.store(was_stopped, Order::relaxed);
    flow_changed();
}

}  // namespace cairn::fs::terminal
