#include "kernel/task/wait.h"

#include "kernel/signal/send.h"
#include "kernel/task/exit.h"

namespace cairn::task {

namespace {

bool is_meant(const ThreadGroup& child, const Task& caller, const WaitRequest& request) {
    if (request.which == WaitRequest::Which::Process && child.number() != request.id) {
        return false;
    }
    if (request.which == WaitRequest::Which::Group && child.group_number.load(Order::relaxed) != request.id) {
        return false;
    }
    if (request.own_children_only && child.parent_thread != caller.number()) {
        return false;
    }
    return request.all_children || request.clone_children == (child.exit_signal != signal::kSigChld);
}

void describe_end(ThreadGroup& child, WaitResult& result) {
    const i32 status = child.exit_status;
    const i32 killer = status & 0x7f;
    result.status = status & 0xffff;
    if (killer == 0) {
        result.code = signal::kCodeChildExited;
        result.child_status = (status >> 8) & 0xff;
    } else {
        result.code = (status & 0x80) != 0 ? signal::kCodeChildDumped : signal::kCodeChildKilled;
        result.child_status = killer;
    }
    result.times = child.ended_threads;
    result.times.add(child.waited_children);
}

/// What one child has to tell, if anything.
bool look_at(ThreadGroup& child, const WaitRequest& request, WaitResult& result) {
    SpinLockGuard guard(child.lock);
    result.pid = child.number();
    result.uid = child.leader ? (*child.leader)->credentials().uid : 0;
    if (child.zombie) {
        if (!request.exited) {
            return false;
        }
        describe_end(child, result);
        return true;
    }
    if (request.stopped && child.stopped && child.stop_complete && !child.stop_reported) {
        child.stop_reported = !request.no_reap;
        result.code = signal::kCodeChildStopped;
        result.status = (child.stop_signal << 8) | 0x7f;
        result.child_status = child.stop_signal;
        return true;
    }
    if (request.continued && child.continue_pending) {
        child.continue_pending = request.no_reap;
        result.code = signal::kCodeChildContinued;
        result.status = 0xffff;
        result.child_status = signal::kSigCont;
        return true;
    }
    return false;
}

enum class Found : u8 { Event, Nothing, NoChild };

Found scan(Task& caller, const WaitRequest& request, WaitResult& result) {
    ReapedProcess reaped;  // dropped behind the lock
    ThreadGroup& self = caller.group();
    SpinLockGuard guard(g_kernel.tasks->lock);
    bool any = false;
    for (ThreadGroup& child : self.children) {
        if (!is_meant(child, caller, request)) {
            continue;
        }
        any = true;
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
    result = {};
    return any ? Found::Nothing : Found::NoChild;
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
