#include "kernel/signal/stop.h"

#include "kernel/ptrace/tracing.h"
#include "kernel/signal/send.h"
#include "kernel/task/job_control.h"

namespace cairn::signal {

using task::Task;
using task::ThreadGroup;

void tell_parent(ThreadGroup& group, i32 code) {
    SpinLockGuard guard(g_kernel.tasks->lock);
    notify_parent_locked(group, code);
}

void begin_stop(Task& self, i32 signal) {
    ThreadGroup& group = self.group();
    if (signal != kSigStop) {
        bool orphaned = false;
        {
            SpinLockGuard guard(g_kernel.tasks->lock);
            orphaned = task::is_orphaned_locked(group, nullptr);
        }
        if (orphaned) {
            return;
        }
    }
    SpinLockGuard guard(group.lock);
    if (!self.stop_dequeued || group.exiting || self.must_exit || group.exec_task != nullptr) {
        return;  // SIGCONT overtook it, or the process ends
    }
    self.stop_dequeued = false;
    // Tracees may have been made to run in a stopped process: for them it is another stop.
    const bool fresh = !group.stopped;
    if (fresh) {
        group.stopped = true;
        group.stop_complete = false;
        group.stop_reported = false;
        group.continue_pending = false;
        group.stop_signal = signal;
        group.stopped_threads = 0;
    }
    task::for_each_thread(group, [&](Task& task) {
        task.stop_counted = task.stop_counted && !fresh;
        if (task.is_traced()) {
            ptrace::join_group_stop_locked(task, signal);
        } else {
            sched::interrupt(task.thread());
        }
    });
}

void stop_here(Task& self) {
    ThreadGroup& group = self.group();
    bool complete = false;
    {
        SpinLockGuard guard(group.lock);
        if (!group.stopped || self.is_traced()) {
            return;
        }
        if (!self.stop_counted) {
            self.stop_counted = true;
            ++group.stopped_threads;
        }
        if (!group.stop_complete && group.stopped_threads == group.thread_count) {
            group.stop_complete = true;
            complete = true;
        }
    }
    if (complete) {
        tell_parent(group, kCodeChildStopped);
    }
    static_cast<void>(group.continued.wait_until(
        [&] {
            SpinLockGuard guard(group.lock);
            return !group.stopped || group.exiting || self.must_exit || self.is_traced();
        },
        sync::SleepKind::Killable));
}

bool finish_stop_without_locked(Task& leaving) {
    ThreadGroup& group = leaving.group();
    if (!group.stopped) {
        return false;
    }
    if (leaving.stop_counted) {
        leaving.stop_counted = false;
        --group.stopped_threads;
    }
    if (group.stop_complete || group.thread_count == 0 || group.stopped_threads != group.thread_count) {
        return false;
    }
    group.stop_complete = true;
    return true;
}

}  // namespace cairn::signal
