#include "kernel/task/task_table.h"

#include "kernel/base/own.h"
#include "kernel/sched/scheduler.h"
#include "kernel/task/task.h"
#include "mm/frame_allocator.h"

namespace cairn::task {

namespace {

/// Numbers below this are not given out again after the first round (RESERVED_PIDS): daemons of the start-up live
/// there.
constexpr i32 kFirstRecycled = 300;

}  // namespace

Result<void> TaskTable::initialize() {
    Own<TaskTable> table = TRY(try_new<TaskTable>());
    // As Linux's set_max_threads: stacks and task structures may take an eighth of memory.
    const u64 threads = g_kernel.frames->statistics().total / (8 * 16 * kKiB);
    table->threads_max.store(threads < 20 ? 20 : threads, Order::relaxed);
    const i32 by_cpus = static_cast<i32>(1024 * g_kernel.cpu_count);
    if (by_cpus > table->pid_max.load(Order::relaxed)) {
        table->pid_max.store(by_cpus, Order::relaxed);
    }
    g_kernel.tasks = table.release();
    g_kernel.scheduler->run_time_reached = &signal::run_time_reached;
    return {};
}

Pid* TaskTable::find_locked(i32 number) {
    Pid* found = pids_.partition_point([number](const Pid& pid) { return pid.number() < number; });
    return found != nullptr && found->number() == number ? found : nullptr;
}

Result<Ref<Pid>> TaskTable::allocate_pid() {
    for (;;) {
        // The object is made with its number, hence a guess that is confirmed under the lock.
        i32 wanted = 0;
        {
            SpinLockGuard guard(lock);
            const i32 limit = pid_max.load(Order::relaxed);
            wanted = last_.load(Order::relaxed) + 1;
            const i32 begin = wanted;
            for (;;) {
                if (wanted >= limit) {
                    wanted = begin > kFirstRecycled ? kFirstRecycled : 1;
                    if (begin <= wanted) {
                        return fail(Errno::eagain);
                    }
                }
                if (find_locked(wanted) == nullptr) {
                    break;
                }
                if (++wanted == begin) {
                    return fail(Errno::eagain);
                }
            }
            last_.store(wanted, Order::relaxed);
        }
        Result<Ref<Pid>> pid = allocate_pid(wanted);
        if (pid.ok() || pid.error() != Errno::eexist) {
            return pid;
        }
    }
}

Result<Ref<Pid>> TaskTable::allocate_pid(i32 number) {
    if (number < 1 || number >= pid_max.load(Order::relaxed)) {
        return fail(Errno::einval);
    }
    Ref<Pid> pid = TRY(try_new_ref<Pid>(number));
    {
        SpinLockGuard guard(lock);
        Pid* present = find_locked(number);
        if (present != nullptr && present->is_free_locked()) {
            pids_.remove(*present);
            present = nullptr;
        }
        if (present == nullptr) {
            pids_.insert(*pid);
            return pid;
        }
    }
    return fail(Errno::eexist);
}

void Pid::last_reference_dropped() {
    TaskTable& table = *g_kernel.tasks;
    {
        SpinLockGuard guard(table.lock);
        if (tree_node.linked()) {
            table.pids_.remove(*this);
        }
    }
    destroy_counted(this);
}

void Session::last_reference_dropped() {
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (id_->session == this) {
            id_->session = nullptr;
        }
    }
    destroy_counted(this);
}

void ProcessGroup::last_reference_dropped() {
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (id_->process_group == this) {
            id_->process_group = nullptr;
        }
    }
    destroy_counted(this);
}

Result<Ref<Pid>> TaskTable::find_pid(i32 number) {
    SpinLockGuard guard(lock);
    Pid* pid = find_locked(number);
    if (pid == nullptr || !pid->try_acquire_reference()) {
        return fail(Errno::esrch);
    }
    return Ref<Pid>::adopt(*pid);
}

Result<Ref<Task>> TaskTable::find_task(i32 tid) {
    SpinLockGuard guard(lock);
    Pid* pid = find_locked(tid);
    if (pid == nullptr || pid->task == nullptr || !pid->task->try_acquire_reference()) {
        return fail(Errno::esrch);
    }
    return Ref<Task>::adopt(*pid->task);
}

Result<Ref<ThreadGroup>> TaskTable::find_process(i32 number) {
    SpinLockGuard guard(lock);
    Pid* pid = find_locked(number);
    if (pid == nullptr || pid->process == nullptr) {
        return fail(Errno::esrch);
    }
    return Ref<ThreadGroup>(*pid->process);
}

std::optional<Ref<ThreadGroup>> TaskTable::next_process(i32 from) {
    SpinLockGuard guard(lock);
    Pid* pid = pids_.partition_point([from](const Pid& candidate) { return candidate.number() < from; });
    while (pid != nullptr && pid->process == nullptr) {
        pid = pids_.next(*pid);
    }
    if (pid == nullptr) {
        return std::nullopt;
    }
    return Ref<ThreadGroup>(*pid->process);
}

}  // namespace cairn::task
