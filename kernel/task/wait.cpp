#include "kernel/task/wait.h"

#include "kernel/ptrace/tracing.h"
#include "kernel/signal/send.h"
#include "kernel/task/exit.h"

namespace cairn::task {

namespace {

using ptrace::Tracing;

/// Whether the request's id means this thread or process.
bool is_named(const ThreadGroup& process, i32 number, const WaitRequest& request) {
    switch (request.which) {
        case WaitRequest::Which::Process:
            return number == request.id;
        case WaitRequest::Which::Group:
            return process.group_number.load(Order::relaxed) == request.id;
        case WaitRequest::Which::Any:
            break;
    }
    return true;
}

bool is_meant(const ThreadGroup& child, const Task& caller, const WaitRequest& request) {
    if (!is_named(child, child.number(), request) ||
        (request.own_children_only && child.parent_thread != caller.number())) {
        return false;
    }
    return request.all_children || request.clone_children == (child.exit_signal != signal::kSigChld);
}

void describe_end(i32 status, WaitResult& result) {
    const i32 killer = status & 0x7f;
    result.status = status & 0xffff;
    if (killer == 0) {
        result.code = signal::kCodeChildExited;
        result.child_status = (status >> 8) & 0xff;
    } else {
        result.code = (status & 0x80) != 0 ? signal::kCodeChildDumped : signal::kCodeChildKilled;
        result.child_status = killer;
    }
}

void describe_stop(i32 code, i32 signal, WaitResult& result) {
    result.code = code;
    result.status = (signal << 8) | 0x7f;
    result.child_status = signal;
}

void describe_identity(ThreadGroup& process, i32 number, WaitResult& result) {
    result.pid = number;
    result.uid = process.leader ? (*process.leader)->credentials().uid : 0;
}

bool look_at_end(ThreadGroup& process, WaitResult& result) {
    describe_end(process.exit_status, result);
    result.times = process.ended_threads;
    result.times.add(process.waited_children);
    return true;
}

bool look_at_continued(ThreadGroup& process, const WaitRequest& request, WaitResult& result) {
    if (!request.continued || !process.continue_pending) {
        return false;
    }
    process.continue_pending = request.no_reap;
    result.code = signal::kCodeChildContinued;
    result.status = 0xffff;
    result.child_status = signal::kSigCont;
    return true;
}

/// What one child has to tell, if anything. One that another process traces does not show its end yet.
bool look_at(ThreadGroup& child, const WaitRequest& request, WaitResult& result) {
    SpinLockGuard guard(child.lock);
    describe_identity(child, child.number(), result);
    if (child.zombie) {
        return request.exited && !(*child.leader)->is_traced() && look_at_end(child, result);
    }
    if (request.stopped && child.stopped && child.stop_complete && !child.stop_reported) {
        child.stop_reported = !request.no_reap;
        describe_stop(signal::kCodeChildStopped, child.stop_signal, result);
        return true;
    }
    return look_at_continued(child, request, result);
}

/// The same of a tracee: its stops are told in any case.
bool look_at_tracee(Tracing& tracing, const WaitRequest& request, WaitResult& result) {
    Task& tracee = tracing.tracee;
    ThreadGroup& process = tracee.group();
    SpinLockGuard guard(process.lock);
    describe_identity(process, tracee.number(), result);
    if (tracing.exited) {
        describe_end(tracee.exit_status, result);
        result.times = tracee.times();
        return request.exited;
    }
    if (tracee.is_leader() && process.zombie) {
        return request.exited && look_at_end(process, result);
    }
    if (tracing.stopped && !tracing.listening && tracing.code != 0) {
        describe_stop(signal::kCodeChildTrapped, tracing.code, result);
        tracing.code = request.no_reap ? tracing.code : 0;
        return true;
    }
    return look_at_continued(process, request, result);
}

/// Its tracer has seen the end of a thread. Of a process, the parent is to see it as well.
ReapedProcess reap_tracee_locked(Tracing& tracing) {
    Task& tracee = tracing.tracee;
    ThreadGroup& process = tracee.group();
    if (!tracing.exited && !ptrace::is_reparented(tracee)) {
        return reap_locked(process);
    }
    std::optional<Ref<Task>> dropped;
    {
        SpinLockGuard guard(process.lock);
        dropped = ptrace::unlink_locked(tracing);
    }
    ReapedProcess reaped = tracing.exited ? ptrace::release_thread_locked(tracing) : tell_parent_of_end_locked(process);
    reaped.tracee = std::move(dropped);
    return reaped;
}

enum class Found : u8 { Event, Nothing, NoChild };

Found scan_children(Task& caller, const WaitRequest& request, WaitResult& result, ReapedProcess& reaped) {
    ThreadGroup& self = caller.group();
    bool any = false;
    for (ThreadGroup& child : self.children) {
        // Its own tracees a process sees as such, in the other list.
        const bool own_tracee = child.leader && (*child.leader)->is_traced() && !ptrace::is_reparented(**child.leader);
        if (own_tracee || !is_meant(child, caller, request)) {
            continue;
        }
        // Who will tell nothing but its end is nobody to wait for anything else from.
        const bool only_ends = child.zombie && !(child.leader && (*child.leader)->is_traced());
        any = any || request.exited || !only_ends;
        if (!look_at(child, request, result)) {
            continue;
        }
        if (child.zombie && !request.no_reap) {
            {
                SpinLockGuard own(self.lock);
                self.waited_children.add(result.times);
            }
            reaped = reap_locked(child);
        }
        return Found::Event;
    }
    return any ? Found::Nothing : Found::NoChild;
}

Found scan_tracees(Task& caller, const WaitRequest& request, WaitResult& result, ReapedProcess& reaped) {
    ThreadGroup& self = caller.group();
    bool any = false;
    for (TracingLink& link : self.tracees) {
        Tracing& tracing = Tracing::of(link);
        Task& tracee = tracing.tracee;
        if (!is_named(tracee.group(), tracee.number(), request) ||
            (request.own_children_only && tracing.tracer != &caller)) {
            continue;
        }
        any = true;
        if (!look_at_tracee(tracing, request, result)) {
            continue;
        }
        const bool ended = tracing.exited || (tracee.is_leader() && tracee.group().zombie);
        if (ended && !request.no_reap) {
            if (!tracing.exited && !ptrace::is_reparented(tracee)) {
                SpinLockGuard own(self.lock);
                self.waited_children.add(result.times);
            }
            reaped = reap_tracee_locked(tracing);
        }
        return Found::Event;
    }
    return any ? Found::Nothing : Found::NoChild;
}

Found scan_locked(Task& caller, const WaitRequest& request, WaitResult& result, ReapedProcess& reaped) {
    const Found child = scan_children(caller, request, result, reaped);
    if (child == Found::Event) {
        return child;
    }
    const Found tracee = scan_tracees(caller, request, result, reaped);
    if (tracee == Found::Event) {
        return tracee;
    }
    result = {};
    return child == Found::Nothing ? child : tracee;
}

Found scan(Task& caller, const WaitRequest& request, WaitResult& result) {
    ReapedProcess reaped;  // dropped behind the lock
    Found found{};
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        found = scan_locked(caller, request, result, reaped);
    }
    if (reaped.leader) {
        (*reaped.leader)->leave_account();
    }
    return found;
}

}  // namespace

Result<WaitResult> wait_for_child(Task& caller, const WaitRequest& request) {
    WaitResult result;
    Found found = scan(caller, request, result);
    if (found == Found::Nothing && !request.no_hang) {
        const sync::WakeReason reason = caller.group().child_events.wait_until(
            [&] {
                found = scan(caller, request, result);
                return found != Found::Nothing;
            },
            sync::SleepKind::Interruptible);
        if (reason != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
    if (found == Found::NoChild) {
        return fail(Errno::echild);
    }
    return result;
}

}  // namespace cairn::task
