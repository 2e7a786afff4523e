#include "kernel/signal/send.h"

#include "kernel/base/own.h"
#include "kernel/ptrace/tracing.h"
#include "kernel/time/clock.h"

namespace cairn::signal {

using task::RestartKind;
using task::Task;
using task::ThreadGroup;

namespace {

/// SIGCONT resumes whatever else becomes of it, and a stop signal drops a SIGCONT that is pending (POSIX, 2.4.1).
void apply_job_control(ThreadGroup& group, i32 signal, QueuedSignalList& freed) {
    if (kStopSignals.has(signal)) {
        const SignalSet cont = SignalSet::of(kSigCont);
        group.pending.discard(cont, freed);
        task::for_each_thread(group, [&](Task& task) { task.pending.discard(cont, freed); });
        return;
    }
    if (signal != kSigCont) {
        return;
    }
    group.pending.discard(kStopSignals, freed);
    task::for_each_thread(group, [&](Task& task) {
        task.pending.discard(kStopSignals, freed);
        task.stop_dequeued = false;
        if (task.is_traced()) {
            ptrace::tell_change_locked(task);
        }
    });
    if (!group.stopped) {
        return;
    }
    group.parent_event = group.stop_complete ? kCodeChildContinued : kCodeChildStopped;
    group.continue_pending = group.stop_complete;
    group.stopped = false;
    group.stop_complete = false;
    group.stopped_threads = 0;
    task::for_each_thread(group, [&](Task& task) { task.stop_counted = false; });
    group.continued.wake_all();
    // Whoever comes by first tells the parent.
    task::for_each_thread(group, [&](Task& task) { sched::interrupt(task.thread()); });
}

/// `handler`: the process's for the signal. `thread` null: every thread of the process blocks the signal.
bool is_ignored(const ThreadGroup& group, const Task* thread, i32 signal, u64 handler) {
    if (handler > SignalAction::kIgnore) [[likely]] {
        return false;
    }
    if (thread == nullptr || thread->blocked.has(signal) || thread->really_blocked.has(signal)) {
        return false;  // it may have a handler by the time it is unblocked, and a signalfd reads it now
    }
    if (thread->is_traced() && signal != kSigKill) {
        return false;  // the tracer wants to see it
    }
    return handler == SignalAction::kIgnore || group.is_init || kIgnoredByDefault.has(signal);
}

/// Whose mask decides whether a signal for the whole process is dropped as ignored: the leader's, as in Linux. A
/// SIGCHLD that everybody blocks is for a signalfd or sigwait.
const Task* mask_of_process(ThreadGroup& group) {
    return group.leader ? &**group.leader : nullptr;
}

bool wants(const Task& task, i32 signal) {
    if (task.exited || task.exiting.load(Order::relaxed)) {
        return false;
    }
    return signal == kSigKill || !task.blocked.has(signal);
}

/// The thread that is to take a process's signal: the first that does not block it, which is the leader if it is one
/// of them.
Task* choose_thread(ThreadGroup& group, i32 signal) {
    for (task::TaskLink& link : group.threads) {
        Task& task = static_cast<Task&>(link);
        if (wants(task, signal)) {
            return &task;
        }
    }
    return nullptr;
}

bool is_fatal(const ThreadGroup& group, const Task& target, i32 signal, u64 handler) {
    if (signal == kSigKill) {
        return true;
    }
    constexpr SignalSet kOther = kIgnoredByDefault | kStopSignals | kCoreSignals;
    return handler == SignalAction::kDefault && !target.is_traced() && !kOther.has(signal) &&
           !target.really_blocked.has(signal) && !group.is_init;
}

/// Wakes who is to take the signal, and begins the end of the process where that is what it means: then sleeps that
/// only a kill ends are ended too.
void direct(ThreadGroup& group, Task* only, i32 signal, u64 handler) {
    Task* target = only != nullptr ? (wants(*only, signal) ? only : nullptr) : choose_thread(group, signal);
    group.signal_queue->waiters.wake_all();
    if (target == nullptr) {
        return;
    }
    if (is_fatal(group, *target, signal, handler)) {
        begin_group_exit_locked(group, signal);
        return;
    }
    sched::interrupt(target->thread());
}

task::UserAccount* account_of(ThreadGroup& group, Task* only) {
    if (only != nullptr) {
        return &only->account();
    }
    if (group.leader) {
        return &(*group.leader)->account();
    }
    return nullptr;
}

[[gnu::noinline]] QueuedSignal* allocate_fresh_entry(task::UserAccount& account) {
    Result<Own<QueuedSignal>> entry = try_new<QueuedSignal>(Ref<task::UserAccount>(account));
    if (!entry.ok()) {
        account.pending_signals.fetch_sub(1, Order::relaxed);
        return nullptr;
    }
    return std::move(entry).value().release();
}

/// Null where the user has too many already or memory is short.
QueuedSignal* allocate_entry(ThreadGroup& group, Task* only, const SignalInfo& info, bool ignore_limit) {
    task::UserAccount* account = account_of(group, only);
    if (account == nullptr) {
        return nullptr;
    }
    const u64 count = account->pending_signals.fetch_add(1, Order::relaxed);
    if (!ignore_limit && count >= group.limits[task::Resource::PendingSignals].soft) {
        account->pending_signals.fetch_sub(1, Order::relaxed);
        return nullptr;
    }
    const bool spare_fits = group.spare_entry && &*group.spare_entry->account == account;
    QueuedSignal* queued = spare_fits ? group.spare_entry.release() : allocate_fresh_entry(*account);
    if (queued != nullptr) {
        queued->info = info;
    }
    return queued;
}

Result<void> send_locked(ThreadGroup& group, Task* only, const SignalInfo& info, WithoutInfo without,
                         QueuedSignalList& freed) {
    const i32 signal = info.signal;
    if (group.exiting || group.thread_count == 0 || (only != nullptr && only->exited)) {
        return {};
    }
    constexpr SignalSet kOfJobControl = kStopSignals | SignalSet::of(kSigCont);
    if (kOfJobControl.has(signal)) {
        apply_job_control(group, signal, freed);
    }
    const u64 handler = group.handlers->handler_inner(signal);
    if (is_ignored(group, only != nullptr ? only : mask_of_process(group), signal, handler)) {
        return {};
    }
    PendingSignals& pending = only != nullptr ? only->pending : group.pending;
    if (signal < kFirstRealtime && pending.has(signal)) {
        return {};  // standard signals coalesce
    }
    QueuedSignal* queued = nullptr;
    if (signal != kSigKill) {
        const bool important = signal < kFirstRealtime && (info.code >= 0 || info.code == kCodeTkill);
        queued = allocate_entry(group, only, info, important);
        if (queued == nullptr && signal >= kFirstRealtime && without == WithoutInfo::Fails) {
            return fail(Errno::eagain);
        }
    }
    pending.add(signal, queued);
    direct(group, only, signal, handler);
    return {};
}

}  // namespace

Result<void> send_to_process(ThreadGroup& process, const SignalInfo& info, WithoutInfo without) {
    QueuedSignalList freed;
    SpinLockGuard guard(process.lock);
    return send_locked(process, nullptr, info, without, freed);
}

Result<void> send_to_thread(Task& task, const SignalInfo& info, WithoutInfo without) {
    QueuedSignalList freed;
    SpinLockGuard guard(task.group().lock);
    return send_locked(task.group(), &task, info, without, freed);
}

bool adds_nothing(ThreadGroup& process, i32 signal) {
    SpinLockGuard guard(process.lock);
    return process.pending.has(signal) ||
           is_ignored(process, mask_of_process(process), signal, process.handlers->handler_inner(signal));
}

bool send_timer_signal(ThreadGroup& process, Task* thread, QueuedSignal& entry) {
    QueuedSignalList freed;
    SpinLockGuard guard(process.lock);
    if (entry.node.linked() || process.exiting || process.thread_count == 0 || (thread != nullptr && thread->exited)) {
        return false;
    }
    const i32 signal = entry.info.signal;
    apply_job_control(process, signal, freed);
    const u64 handler = process.handlers->handler_inner(signal);
    if (is_ignored(process, thread != nullptr ? thread : mask_of_process(process), signal, handler)) {
        return false;
    }
    PendingSignals& pending = thread != nullptr ? thread->pending : process.pending;
    pending.add(signal, &entry);
    direct(process, thread, signal, handler);
    return true;
}

void force(const SignalInfo& info) {
    Task& self = task::current_task();
    ThreadGroup& group = self.group();
    QueuedSignalList freed;
    SpinLockGuard guard(group.lock);
    SignalAction action = group.handlers->get(info.signal);
    const bool blocked = self.blocked.has(info.signal);
    if (blocked || action.handler == SignalAction::kIgnore) {
        action.handler = SignalAction::kDefault;
        static_cast<void>(group.handlers->exchange(info.signal, action));
        self.blocked.remove(info.signal);
    }
    // Also what init would otherwise not get: it cannot go on behind its own fault.
    if (!self.pending.has(info.signal)) {
        self.pending.add(info.signal, allocate_entry(group, &self, info, true));
    }
    sched::interrupt(self.thread());
}

void kill_process(ThreadGroup& process) {
    SpinLockGuard guard(process.lock);
    if (!process.exiting && process.thread_count != 0) {
        begin_group_exit_locked(process, kSigKill);
    }
}

Result<void> check_may_signal(Task& sender, Task& target, i32 signal, bool same_session) {
    if (&sender.group() == &target.group()) {
        return {};
    }
    const vfs::Credentials& from = sender.credentials();
    bool same_user = false;
    {
        SpinLockGuard guard(target.group().lock);
        const vfs::Credentials& to = target.credentials();
        same_user = from.euid == to.suid || from.euid == to.uid || from.uid == to.suid || from.uid == to.uid;
    }
    if (same_user || from.has(vfs::Capability::Kill) || (signal == kSigCont && same_session)) {
        return {};
    }
    return fail(Errno::eperm);
}

void begin_group_exit_locked(ThreadGroup& group, i32 status) {
    if (group.exiting) {
        return;
    }
    group.exiting = true;
    group.exit_status = status;
    group.stopped = false;
    group.stopped_threads = 0;
    task::for_each_thread(group, [](Task& task) {
        ptrace::end_stop_locked(task);
        sched::kill(task.thread());
    });
    group.continued.wake_all();
    group.exec_progress.wake_all();
}

void recompute_pending_locked(Task& task) {
    ThreadGroup& group = task.group();
    const bool wanted = !((task.pending.set() | group.pending.set()) & ~task.blocked).empty() ||
                        (task.is_traced() ? task.tracing->trap_is_due() : group.stopped) || group.parent_event != 0 ||
                        group.exiting || task.must_exit;
    if (wanted) [[unlikely]] {
        sched::interrupt(task.thread());
    } else {
        task.thread().clear_interrupt();
    }
}

void pass_on_locked(ThreadGroup& group, SignalSet given_up) {
    SignalSet orphaned = group.pending.set() & given_up;
    for (i32 signal = 1; !orphaned.empty() && signal <= kSignals; ++signal) {
        if (orphaned.has(signal)) {
            orphaned.remove(signal);
            if (Task* other = choose_thread(group, signal)) {
                sched::interrupt(other->thread());
            }
        }
    }
}

void change_mask_locked(Task& self, SignalSet mask) {
    const SignalSet newly = mask & ~self.blocked;
    self.blocked = mask & ~kUnblockable;
    if (!(self.group().pending.set() & newly).empty()) [[unlikely]] {
        pass_on_locked(self.group(), newly);
    }
    recompute_pending_locked(self);
}

void set_blocked(SignalSet mask) {
    Task& self = task::current_task();
    OutermostSpinLockGuard guard(self.group().lock);
    change_mask_locked(self, mask);
}

namespace {

/// `pid`: the child's, or that of a thread that is traced.
SignalInfo child_information(ThreadGroup& child, i32 pid, i32 code, i32 status, i32 signal) {
    SignalInfo info{signal, 0, code, 0, {}};
    const u32 uid = child.leader ? (*child.leader)->account().uid() : 0;
    info.words[0] = SignalInfo::pack(static_cast<u32>(pid), uid);
    const u64 tick = 10'000'000;  // clock ticks of 1/100 s
    const u64 user = child.ended_threads.user.value / tick;
    const u64 system = child.ended_threads.system.value / tick;
    // si_status, then si_utime and si_stime, which are eight bytes each and lie eight bytes further.
    info.words[1] = SignalInfo::pack(static_cast<u32>(status), 0);
    info.words[2] = user;
    info.words[3] = system;
    return info;
}

void tell_of_change(ThreadGroup& whom, ThreadGroup& child, i32 pid, i32 code, i32 status) {
    const SignalAction action = whom.handlers->get(kSigChld);
    if (action.handler != SignalAction::kIgnore && (action.flags & SignalAction::kNoChildStop) == 0) {
        static_cast<void>(send_to_process(whom, child_information(child, pid, code, status, kSigChld)));
    }
    whom.child_events.wake_all();
}

SignalInfo end_information(ThreadGroup& child, i32 pid, i32 status, i32 signal) {
    const i32 killer = status & 0x7f;
    const i32 code = killer == 0 ? kCodeChildExited : ((status & 0x80) != 0 ? kCodeChildDumped : kCodeChildKilled);
    return child_information(child, pid, code, killer == 0 ? (status >> 8) & 0xff : killer, signal);
}

}  // namespace

void notify_parent_locked(ThreadGroup& child, i32 code) {
    const i32 status = code == kCodeChildContinued ? kSigCont : child.stop_signal;
    if (child.parent != nullptr) {
        tell_of_change(*child.parent, child, child.number(), code, status);
    }
    // The tracer of the leader learns of it as well.
    if (code == kCodeChildContinued && child.leader && (*child.leader)->is_traced() &&
        ptrace::is_reparented(**child.leader)) {
        notify_tracer_locked(**child.leader, code, status);
    }
}

void notify_tracer_locked(Task& tracee, i32 code, i32 status) {
    tell_of_change(tracee.tracing->tracer->group(), tracee.group(), tracee.number(), code, status);
}

void notify_tracer_of_end_locked(Task& tracee, i32 status) {
    ThreadGroup& tracer = tracee.tracing->tracer->group();
    static_cast<void>(send_to_process(tracer, end_information(tracee.group(), tracee.number(), status, kSigChld)));
    tracer.child_events.wake_all();
}

ParentWish notify_parent_of_end_locked(ThreadGroup& child) {
    ThreadGroup* parent = child.parent;
    if (parent == nullptr) {
        return ParentWish::Keep;
    }
    ParentWish wish = ParentWish::Keep;
    bool send = child.exit_signal != 0;
    if (child.exit_signal == kSigChld) {
        const SignalAction action = parent->handlers->get(kSigChld);
        if (action.handler == SignalAction::kIgnore || (action.flags & SignalAction::kNoChildWait) != 0) {
            wish = ParentWish::ReapAtOnce;
            send = send && action.handler != SignalAction::kIgnore;
        }
    }
    if (send) {
        static_cast<void>(
            send_to_process(*parent, end_information(child, child.number(), child.exit_status, child.exit_signal)));
    }
    parent->child_events.wake_all();
    return wish;
}

}  // namespace cairn::signal
