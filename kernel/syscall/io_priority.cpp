/// ioprio_set(2), ioprio_get(2) (declared in control.h): how urgent a thread's transfers are to a disk. What is set is
/// kept, inherited and told; there is no queue to a disk yet that would go by it.

#include <algorithm>

#include "fs/procfs/provider.h"
#include "kernel/base/kernel.h"
#include "kernel/syscall/control.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using task::Task;

namespace {

constexpr i32 kProcess = 1, kGroup = 2, kUser = 3;  // IOPRIO_WHO_*
constexpr u32 kNone = 0, kRealtime = 1, kBestEffort = 2, kIdle = 3;
constexpr u32 kClassShift = 13;
constexpr u32 kLevelMask = 7;

constexpr u32 class_of(u32 priority) {
    return priority >> kClassShift & 7;
}

/// What a thread has that never set one: that follows from its scheduling.
u32 effective_priority(Task& target) {
    const u32 own = target.io_priority.load(Order::relaxed);
    if (class_of(own) != kNone) {
        return own;
    }
    const sched::SchedulingParameters asked = target.thread().asked();
    const u32 its_class = asked.policy == sched::Policy::Idle ? kIdle
                          : sched::is_realtime(asked.policy)  ? kRealtime
                                                              : kBestEffort;
    return its_class << kClassShift | static_cast<u32>(asked.nice - sched::kNiceLowest) / 5;
}

Result<void> check_priority(const vfs::Credentials& who, u32 priority) {
    const u32 its_class = class_of(priority);
    if (its_class == kRealtime && !who.has(vfs::Capability::SysAdmin) && !who.has(vfs::Capability::SysNice)) {
        return fail(Errno::eperm);
    }
    const bool valid = its_class == kNone ? (priority & kLevelMask) == 0 : its_class <= kIdle;
    return valid ? Result<void>() : fail(Errno::einval);
}

/// Calls `body(Task&)`, which returns a Result<void>, for the threads that are meant, until one fails. ESRCH when there
/// are none. `user`: whose, of IOPRIO_WHO_USER.
template <typename Body>
Result<void> for_each_meant(Caller& self, i32 which, i32 who, u32 user, Body body) {
    if (which == kProcess) {
        if (who == 0) {
            return body(self.task);
        }
        Ref<Task> target = TRY(g_kernel.tasks->find_task(who));
        return body(*target);
    }
    if (which != kGroup && which != kUser) {
        return fail(Errno::einval);
    }
    const i32 group = who == 0 ? self.task.group().group_number.load(Order::relaxed) : who;
    procfs::ProcessInformation& processes = *g_kernel.processes;
    bool any = false;
    for (i32 process = processes.next_process(1); process != 0; process = processes.next_process(process + 1)) {
        for (i32 id = processes.next_thread(process, 1); id != 0; id = processes.next_thread(process, id + 1)) {
            Result<Ref<Task>> found = g_kernel.tasks->find_task(id);
            if (!found.ok()) {
                continue;
            }
            Task& target = *found.value();
            if (which == kGroup ? target.group().group_number.load(Order::relaxed) == group
                                : target.credentials_of_other()->uid == user) {
                any = true;
                TRY(body(target));
            }
        }
    }
    return any ? Result<void>() : fail(Errno::esrch);
}

}  // namespace

/// ioprio_set(2)
Result<void> sys_ioprio_set(Caller& self, i32 which, i32 who, u32 priority) {
    const vfs::Credentials& own = self.credentials();
    TRY(check_priority(own, priority));
    // As Linux: user 0 means root here, while ioprio_get takes it for the caller's.
    return for_each_meant(self, which, who, static_cast<u32>(who), [&](Task& target) -> Result<void> {
        const u32 owner = target.credentials_of_other()->uid;
        if (owner != own.euid && owner != own.uid && !own.has(vfs::Capability::SysNice)) {
            return fail(Errno::eperm);
        }
        target.io_priority.store(static_cast<u16>(priority), Order::relaxed);
        return {};
    });
}

/// ioprio_get(2): of several threads the most urgent.
Result<i32> sys_ioprio_get(Caller& self, i32 which, i32 who) {
    u32 best = ~u32{0};
    const u32 user = who == 0 ? self.credentials().uid : static_cast<u32>(who);
    TRY(for_each_meant(self, which, who, user, [&](Task& target) -> Result<void> {
        best = which == kProcess ? target.io_priority.load(Order::relaxed) : std::min(best, effective_priority(target));
        return {};
    }));
    return static_cast<i32>(best);
}

}  // namespace cairn::syscall
