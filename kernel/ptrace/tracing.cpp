#include "kernel/ptrace/tracing.h"

namespace cairn::ptrace {

void resume_locked(Tracing& tracing, i32 code) {
    tracing.code = code;
    tracing.stopped = tracing.listening = false;
    tracing.resumed.wake_all();
}

void end_stop_locked(Task& task) {
    if (task.is_traced() && task.tracing->stopped) {
        resume_locked(*task.tracing, task.tracing->code);
    }
}

void join_group_stop_locked(Task& task, i32 signal) {
    task.tracing->group_signal = signal;
    task.tracing->stop_pending = true;
    if (task.tracing->seized) {
        tell_change_locked(task);
    }
    sched::interrupt(task.thread());
}

void tell_change_locked(Task& task) {
    Tracing& tracing = *task.tracing;
    if (!tracing.seized) {
        return;
    }
    tracing.notify_pending = true;
    if (tracing.listening) {
        resume_locked(tracing, 0);
    }
    sched::interrupt(task.thread());
}

void link_locked(Tracing& tracing, Task& tracer) {
    tracing.tracer = &tracer;
    tracing.tracee.set_traced(true);
    tracing.tracee.acquire_reference();
    tracer.group().tracees.push_back(tracing);
}

Ref<Task> unlink_locked(Tracing& tracing) {
    Task& tracee = tracing.tracee;
    tracing.tracer->group().tracees.remove(tracing);
    tracing.tracer = nullptr;
    tracee.set_traced(false);
    tracing.seized = tracing.stop_pending = tracing.notify_pending = false;
    tracing.options = 0;
    tracee.syscall_work.fetch_and(work::kLog, Order::relaxed);
    if (tracing.stopped) {
        resume_locked(tracing, tracing.code);
    }
    if (tracee.group().stopped) {
        sched::interrupt(tracee.thread());  // the group's stop is for it again
    }
    return Ref<Task>::adopt(tracee);
}

task::ReapedProcess release_thread_locked(Tracing& tracing) {
    Task& thread = tracing.tracee;
    ThreadGroup& group = thread.group();
    tracing.exited = false;
    thread.pid().task = nullptr;
    thread.pid().ended.wake_all();
    if (--group.unseen_threads == 0 && group.thread_count == 0 && group.awaits_tracers) {
        group.awaits_tracers = false;
        return task::announce_end_locked(group);
    }
    return {};
}

}  // namespace cairn::ptrace
