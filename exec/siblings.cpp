#include "exec/siblings.h"

#include "kernel/ptrace/tracing.h"
#include "kernel/task/job_control.h"

namespace cairn::exec {

using task::Task;
using task::ThreadGroup;

Result<void> end_siblings(Task& self) {
    ThreadGroup& group = self.group();
    {
        SpinLockGuard guard(group.lock);
        if (group.exiting || self.must_exit) {
            return fail(Errno::eintr);
        }
        group.exec_task = &self;
        // A stop that is under way ends with those who were to stop; the new program is not stopped by it.
        task::for_each_thread(group, [&](Task& task) {
            if (&task != &self) {
                task.must_exit = true;
                ptrace::end_stop_locked(task);
                sched::kill(task.thread());
            }
        });
        group.continued.wake_all();
    }
    static_cast<void>(group.exec_progress.wait_until(
        [&] {
            SpinLockGuard guard(group.lock);
            return group.thread_count == 1 || group.exiting;
        },
        sync::SleepKind::Killable));
    SpinLockGuard guard(group.lock);
    const bool alone = group.thread_count == 1;
    group.exec_task = nullptr;
    if (!alone || group.exiting) {
        return fail(Errno::eintr);
    }
    return {};
}

void take_leaders_place(Task& self) {
    ThreadGroup& group = self.group();
    std::optional<Ref<Task>> old_leader;
    std::optional<Ref<Task>> old_tracee;
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        SpinLockGuard group_guard(group.lock);
        if (&**group.leader == &self) {
            return;
        }
        old_leader = std::exchange(group.leader, Ref<Task>(self));
        self.pid().task = nullptr;
        self.swap_pid(**old_leader);
        self.pid().task = &self;
        if ((*old_leader)->is_traced()) {
            // Its tracer finds this thread in its place, or nobody.
            ThreadGroup& tracer = (*old_leader)->tracing->tracer->group();
            old_tracee = ptrace::unlink_locked(*(*old_leader)->tracing);
            tracer.child_events.wake_all();
        }
        // Children that the old thread id made are this thread's.
        for (ThreadGroup& child : group.children) {
            child.parent_thread = self.number();
        }
    }
    // The old leader has ended; what waited for a thread of its id is told.
    (*old_leader)->pid().ended.wake_all();
}

}  // namespace cairn::exec
