/// Terminal: sessions, foreground groups and hang-ups (credentials(7), setsid(2), tty_ioctl(4)).

#include "fs/terminal/terminal.h"

namespace cairn::fs::terminal {

bool Terminal::is_controlling() const {
    return g_kernel.job_control != nullptr && g_kernel.job_control->controlling_terminal() == this;
}

std::optional<Ref<Terminal>> Terminal::find_controlling() {
    if (g_kernel.job_control == nullptr) {
        return std::nullopt;
    }
    sync::ReadGuard guard;
    auto* terminal = static_cast<Terminal*>(g_kernel.job_control->controlling_terminal());
    if (terminal == nullptr || !terminal->try_acquire_reference()) {
        return std::nullopt;
    }
    return Ref<Terminal>::adopt(*terminal);
}

Result<void> Terminal::check_background(vfs::OperationContext& context, i32 signal) {
    i32 group = foreground_.load(Order::relaxed);
    if (group == 0 || context.process_group() == group || !is_controlling()) {
        return {};
    }
    vfs::JobControl& jobs = *g_kernel.job_control;
    if (jobs.caller_blocks_or_ignores(signal)) {
        if (signal == kSignalBackgroundRead) {
            return fail(Errno::eio);
        }
        return {};
    }
    if (jobs.is_orphaned(context.process_group())) {
        return fail(Errno::eio);
    }
    jobs.signal_group(context.process_group(), signal);
    return fail(Errno::eintr);
}

void Terminal::become_controlling(vfs::OperationContext& context) {
    acquire_reference();  // the session's, until clear_session()
    session_.store(context.session(), Order::relaxed);
    foreground_.store(context.process_group(), Order::relaxed);
    g_kernel.job_control->set_controlling_terminal(this);
}

bool Terminal::clear_session() {
    foreground_.store(0, Order::relaxed);
    return session_.exchange(0, Order::relaxed) != 0;
}

/// TIOCSCTTY.
Result<void> Terminal::take_as_controlling(vfs::OperationContext& context, bool readable, bool steal) {
    vfs::JobControl* jobs = g_kernel.job_control;
    bool may_everything = context.credentials.has(vfs::Capability::SysAdmin);
    bool stolen = false;
    {
        sync::MutexGuard guard(settings_mutex_);
        i32 session = session_.load(Order::relaxed);
        if (context.session_leader() && session != 0 && session == context.session()) {
            return {};
        }
        if (jobs == nullptr || !context.session_leader() || jobs->controlling_terminal() != nullptr) {
            return fail(Errno::eperm);
        }
        if ((session != 0 && !(steal && may_everything)) || (!readable && !may_everything)) {
            return fail(Errno::eperm);
        }
        if (session != 0) {
            jobs->clear_controlling_terminal(session);
            stolen = clear_session();
        }
        become_controlling(context);
    }
    if (stolen) {
        release_reference();  // the caller has the file open
    }
    return {};
}

/// TIOCNOTTY.
void Terminal::give_up(vfs::OperationContext& context) {
    vfs::JobControl& jobs = *g_kernel.job_control;
    if (!context.session_leader()) {
        jobs.set_controlling_terminal(nullptr);
        return;
    }
    bool had_session = false;
    i32 group = 0;
    {
        sync::MutexGuard guard(settings_mutex_);
        if (session_.load(Order::relaxed) == context.session()) {
            group = foreground_.load(Order::relaxed);
            had_session = clear_session();
        }
        jobs.set_controlling_terminal(nullptr);
    }
    if (group != 0) {
        jobs.signal_group(group, kSignalHangUp);
        jobs.signal_group(group, kSignalContinue);
    }
    if (had_session) {
        release_reference();
    }
}

void Terminal::session_leader_exits(i32 session) {
    std::optional<Ref<Terminal>> found = find_controlling();
    if (!found) {
        return;
    }
    Terminal& terminal = found->get();
    if (!terminal.is_pty()) {
        if (terminal.session() == session) {
            terminal.hang_up_telling(true);
        }
        return;
    }
    bool had_session = false;
    i32 group = 0;
    {
        sync::MutexGuard guard(terminal.settings_mutex_);
        if (terminal.session() == session) {
            group = terminal.foreground_group();
            had_session = terminal.clear_session();
        }
        g_kernel.job_control->clear_controlling_terminal(session);
    }
    if (group != 0) {
        g_kernel.job_control->signal_group(group, kSignalHangUp);
    }
    if (had_session) {
        terminal.release_reference();
    }
}

void Terminal::hang_up() {
    hang_up_telling(false);
}

/// The session's leader gets SIGHUP and SIGCONT; the foreground group too when it is the leader that ends.
void Terminal::hang_up_telling(bool foreground_too) {
    Ref<Terminal> keep(*this);
    bool had_session = false;
    {
        sync::MutexGuard guard(settings_mutex_);
        generation_.fetch_add(1, Order::release);
        i32 session = session_.load(Order::relaxed);
        if (session != 0 && g_kernel.job_control != nullptr) {
            using vfs::JobControl;
            const auto when = foreground_too ? JobControl::Foreground::Now : JobControl::Foreground::WhenLeaderEnds;
            g_kernel.job_control->hang_up_session(session, foreground_.load(Order::relaxed), when);
            g_kernel.job_control->clear_controlling_terminal(session);
        }
        had_session = clear_session();
        sync::MutexGuard input(input_mutex_);
        sync::MutexGuard output(output_mutex_);
        if (is_pty()) {
            termios_ = initial_termios_;
        }
        discipline_.reset();
        stopped_by_call_.store(false, Order::relaxed);
        stopped_.store(false, Order::relaxed);
        held_.store(false, Order::relaxed);
        exclusive_.store(false, Order::relaxed);
    }
    wake_everybody();
    device_hung_up();
    if (had_session) {
        release_reference();
    }
}

}  // namespace cairn::fs::terminal
