#include "kernel/ptrace/tracee.h"

#include "kernel/base/own.h"
#include "kernel/signal/send.h"
#include "kernel/task/clone.h"

namespace cairn::ptrace {

namespace {

using signal::kSigTrap;

/// Takes part in a stop of the whole group; true: it was the last one.
bool join_stop(Task& self) {
    ThreadGroup& group = self.group();
    if (!group.stopped) {
        return false;
    }
    if (!self.stop_counted) {
        self.stop_counted = true;
        ++group.stopped_threads;
    }
    const bool complete = !group.stop_complete && group.stopped_threads == group.thread_count;
    group.stop_complete = group.stop_complete || complete;
    return complete;
}

enum class Kind : u8 { Trap, Group };
struct Stop {
    i32 code;
    u64 message = 0;
    const SignalInfo* info = nullptr;
    Kind kind = Kind::Trap;
    bool at_end = false;  // nothing but its tracer and another end hinders it
};

/// The calling thread stops, if it is traced and not about to end. Returns the signal that it goes on with.
i32 stop(Task& self, const Stop& how) {
    ThreadGroup& group = self.group();
    Tracing* tracing = nullptr;
    {
        SpinLockGuard table(g_kernel.tasks->lock);
        bool complete = false;
        {
            SpinLockGuard guard(group.lock);
            tracing = self.tracing.get();
            // Also if the tracer is gone: stop_for_signal() takes it from there.
            tracing->info = how.info != nullptr ? *how.info : SignalInfo{};
            if (!self.is_traced() || (!how.at_end && (group.exiting || self.must_exit))) {
                return how.code;
            }
            tracing->stopped = true;
            tracing->code = how.code;
            tracing->message = how.message;
            tracing->has_info = how.info != nullptr;
            tracing->may_listen = (how.code >> 8) == event::kStop;
            tracing->stop_pending = false;
            if (tracing->may_listen) {
                tracing->notify_pending = false;
            }
            complete = how.kind == Kind::Group && join_stop(self);
        }
        const i32 why = how.kind == Kind::Group ? signal::kCodeChildStopped : signal::kCodeChildTrapped;
        const i32 status = how.kind == Kind::Group ? group.stop_signal : how.code & 0x7f;
        signal::notify_tracer_locked(self, why, status);
        if (complete && is_reparented(self)) {
            signal::notify_parent_locked(group, signal::kCodeChildStopped);
        }
    }
    static_cast<void>(tracing->resumed.wait_until([&] {
        SpinLockGuard guard(group.lock);
        return !tracing->stopped;
    }));
    SpinLockGuard guard(group.lock);
    tracing->has_info = tracing->listening = tracing->may_listen = false;
    tracing->message = 0;
    if (!self.is_traced() && tracing->step_forced) {
        // The tracer went without taking its step back.
        tracing->step_forced = false;
        arch::single_step(arch::user_frame(self.thread().context()), arch::SingleStep::Off);
    }
    signal::recompute_pending_locked(self);
    return std::exchange(tracing->code, 0);
}

SignalInfo info_of(Task& self, i32 signal, i32 code) {
    SignalInfo info = SignalInfo::from_process(signal, code, self.number(), self.credentials().uid);
    return info;
}

i32 stop_with_code(Task& self, i32 code, u64 message, bool at_end = false) {
    const SignalInfo info = info_of(self, kSigTrap, code);
    return stop(self, {.code = code, .message = message, .info = &info, .at_end = at_end});
}

bool is_ending(Task& self) {
    SpinLockGuard guard(self.group().lock);
    return self.group().exiting || self.must_exit;
}

/// A stop around a system call; the tracer may have it go on with a signal.
void stop_at_call(Task& self, u64 message) {
    i32 code = kSigTrap;
    {
        SpinLockGuard guard(self.group().lock);
        code |= self.is_traced() && (self.tracing->options & option::kSysGood) != 0 ? 0x80 : 0;
    }
    const i32 signal = stop_with_code(self, code, message);
    if (signal != code && signal::is_valid_signal(signal)) {
        static_cast<void>(signal::send_to_thread(self, SignalInfo::from_kernel(signal)));
    }
}

/// The event's option is set; also tells whether the thread is seized.
bool is_wanted(Task& self, i32 which, bool& attached_plainly) {
    SpinLockGuard guard(self.group().lock);
    attached_plainly = self.is_traced() && !self.tracing->seized;
    return self.is_traced() && self.tracing->wants(which);
}

}  // namespace

bool stop_for_signal(Task& self, SignalInfo& info) {
    ThreadGroup& group = self.group();
    const i32 signal = stop(self, {.code = info.signal, .info = &info});
    if (signal == 0 || is_ending(self)) {
        return false;
    }
    bool blocked = false;
    {
        SpinLockGuard table(g_kernel.tasks->lock);
        SpinLockGuard guard(group.lock);
        info = self.tracing->info;  // PTRACE_SETSIGINFO
        if (signal != info.signal) {
            const Task* tracer = self.tracing->tracer;
            info = SignalInfo::from_process(signal, signal::kCodeUser, tracer != nullptr ? tracer->number() : 0,
                                            tracer != nullptr ? tracer->account().uid() : 0);
        }
        blocked = self.blocked.has(signal);
    }
    if (blocked) {
        static_cast<void>(signal::send_to_thread(self, info));
    }
    return !blocked;
}

void stop_for_trap(Task& self) {
    ThreadGroup& group = self.group();
    bool seized = false;
    i32 signal = 0;
    {
        SpinLockGuard guard(group.lock);
        if (!self.is_traced() || !self.tracing->trap_is_due()) {
            return;
        }
        seized = self.tracing->seized;
        signal = seized && !group.stopped ? kSigTrap : self.tracing->group_signal;
    }
    if (seized) {
        const i32 code = signal | event::kStop << 8;
        const SignalInfo info = info_of(self, signal, code);
        static_cast<void>(stop(self, {.code = code, .info = &info, .kind = Kind::Group}));
    } else {
        static_cast<void>(stop(self, {.code = signal, .kind = Kind::Group}));
    }
}

bool stop_before_call(Task& self, arch::TrapFrame& frame) {
    arch::set_syscall_result(frame, static_cast<u64>(-static_cast<i64>(static_cast<i32>(Errno::enosys))));
    const bool emulated = (self.syscall_work.load(Order::relaxed) & work::kEmulate) != 0;
    stop_at_call(self, 1);
    return !emulated && arch::in_syscall(frame) && !is_ending(self);
}

void stop_after_call(Task& self, arch::TrapFrame& frame) {
    const u32 todo = self.syscall_work.load(Order::relaxed);
    if ((todo & work::kStep) != 0) {
        if ((todo & work::kEmulate) == 0) {
            constexpr i32 kBreakpoint = 1;  // TRAP_BRKPT
            signal::force(SignalInfo::fault(kSigTrap, kBreakpoint, arch::instruction_pointer(frame).value));
        }
    } else {
        stop_at_call(self, 2);
    }
}

bool hide_step(Task& self, arch::TrapFrame& frame) {
    SpinLockGuard guard(self.group().lock);
    if (self.tracing->step_forced) {
        self.tracing->step_forced = false;
        arch::single_step(frame, arch::SingleStep::Off);
    }
    return self.is_traced();
}

void stop_in_handler(Task& self) {
    static_cast<void>(stop_with_code(self, kSigTrap, 0));
}

void report_event(Task& self, i32 which, u64 message) {
    bool plain = false;
    if (is_wanted(self, which, plain)) {
        static_cast<void>(stop_with_code(self, kSigTrap | which << 8, message, which == event::kExit));
    }
}

void report_exec(Task& self, i32 old_number) {
    bool plain = false;
    if (is_wanted(self, event::kExec, plain)) {
        static_cast<void>(stop_with_code(self, kSigTrap | event::kExec << 8, static_cast<u64>(old_number)));
    } else if (plain) {
        static_cast<void>(signal::send_to_thread(self, info_of(self, kSigTrap, signal::kCodeUser)));
    }
}

Result<i32> prepare_clone(Task& parent, Task& child, u64 flags, i32 exit_signal) {
    using namespace task::clone_flags;
    i32 which = 0;
    {
        SpinLockGuard guard(parent.group().lock);
        if (!parent.is_traced()) {
            return 0;
        }
        if ((flags & kUntraced) == 0) {
            which = (flags & kVfork) != 0             ? event::kVfork
                    : exit_signal != signal::kSigChld ? event::kClone
                                                      : event::kFork;
            which = parent.tracing->wants(which) ? which : 0;
        }
    }
    if (which != 0 || (flags & kPtrace) != 0) {
        child.tracing = TRY(try_new<Tracing>(child));
    }
    return which;
}

void inherit_locked(Task& parent, Task& child) {
    if (!child.tracing || !parent.is_traced()) {
        return;
    }
    SpinLockGuard guard(child.group().lock);
    const Tracing& from = *parent.tracing;
    Tracing& tracing = *child.tracing;
    tracing.seized = from.seized;
    tracing.privileged = from.privileged;
    tracing.options = from.options;
    link_locked(tracing, *from.tracer);
    if (tracing.seized) {
        tracing.stop_pending = true;
    } else {
        child.pending.add(signal::kSigStop, nullptr);
    }
    sched::interrupt(child.thread());
}

bool detach_one_locked(Task& self, Released& remains) {
    for (task::TracingLink& link : self.group().tracees) {
        Tracing& tracing = Tracing::of(link);
        if (tracing.tracer != &self) {
            continue;
        }
        Task& tracee = tracing.tracee;
        if ((tracing.options & option::kExitKill) != 0) {
            signal::kill_process(tracee.group());
        }
        const bool reparented = is_reparented(tracee);
        {
            SpinLockGuard guard(tracee.group().lock);
            remains.task = unlink_locked(tracing);
        }
        if (tracing.exited) {
            remains.reaped = release_thread_locked(tracing);
        } else if (tracee.group().zombie && tracee.is_leader() && reparented) {
            remains.reaped = task::tell_parent_of_end_locked(tracee.group());
        }
        return true;
    }
    return false;
}

bool report_end_locked(Task& self, i32 status) {
    if (!self.is_traced()) {
        return false;
    }
    const bool leader = self.is_leader();
    if (!leader) {
        self.tracing->exited = true;
        ++self.group().unseen_threads;
    }
    // The leader's end as the last thread is its process's, and told as that.
    if (!leader || self.group().thread_count != 0) {
        signal::notify_tracer_of_end_locked(self, status);
    }
    return !leader;
}

}  // namespace cairn::ptrace
