#include "kernel/task/autogroup.h"

#include "kernel/task/task_table.h"
#include "kernel/time/clock.h"

namespace cairn::task {

namespace {

/// Written under the task table's lock.
Atomic<bool> is_enabled{true};
/// When somebody without privilege may change a group's weight again.
Atomic<u64> next_change{0};
constexpr Nanoseconds kChangePause = Nanoseconds::from_milliseconds(100);

/// What the threads of the process are to be in.
std::optional<Ref<sched::FairGroup>> wanted_locked(ThreadGroup& process) {
    return is_enabled.load(Order::relaxed) ? process.fair_group : std::nullopt;
}

/// The process, or whoever calls, keeps the group that its threads leave.
void move_threads_locked(ThreadGroup& process) {
    SpinLockGuard guard(process.lock);
    for_each_thread(process, [&](Task& task) { static_cast<void>(task.thread().set_group(wanted_locked(process))); });
}

}  // namespace

void enter_autogroup_locked(ThreadGroup& process, std::optional<Ref<sched::FairGroup>>& group) {
    std::swap(process.fair_group, group);
    move_threads_locked(process);
}

void inherit_autogroup_locked(Task& child, ThreadGroup& parent) {
    ThreadGroup& process = child.group();
    if (&process != &parent) {
        process.fair_group = parent.fair_group;
    }
    static_cast<void>(child.thread().set_group(wanted_locked(process)));
}

std::optional<AutogroupFigures> autogroup_of(ThreadGroup& process) {
    SpinLockGuard guard(g_kernel.tasks->lock);
    if (!process.fair_group) {
        return std::nullopt;
    }
    return AutogroupFigures{(*process.fair_group)->id(), (*process.fair_group)->nice()};
}

Result<void> set_autogroup_nice(Task& caller, ThreadGroup& process, i32 nice) {
    if (nice < sched::kNiceLowest || nice > sched::kNiceHighest) {
        return fail(Errno::einval);
    }
    const vfs::Credentials& who = caller.credentials();
    if (nice < 0 && !who.has(vfs::Capability::SysNice)) {
        SpinLockGuard guard(caller.group().lock);
        if (static_cast<u64>(20 - nice) > caller.group().limits[Resource::Nice].soft) {
            return fail(Errno::eperm);
        }
    }
    const Nanoseconds now = time::now();
    SpinLockGuard guard(g_kernel.tasks->lock);
    if (now < Nanoseconds{next_change.load(Order::relaxed)} && !who.has(vfs::Capability::SysAdmin)) {
        return fail(Errno::eagain);
    }
    next_change.store((now + kChangePause).value, Order::relaxed);
    if (!process.fair_group) {
        return fail(Errno::einval);
    }
    (*process.fair_group)->set_nice(nice);
    return {};
}

bool autogroup_enabled() {
    return is_enabled.load(Order::relaxed);
}

void set_autogroup_enabled(bool enabled) {
    SpinLockGuard guard(g_kernel.tasks->lock);
    if (is_enabled.exchange(enabled, Order::relaxed) != enabled) {
        for (ThreadGroup& process : g_kernel.tasks->processes) {
            move_threads_locked(process);
        }
    }
}

}  // namespace cairn::task
