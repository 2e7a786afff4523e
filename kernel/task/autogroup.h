#pragma once
/// Each session is a scheduling group (sched(7), "The autogroup feature"): processes that a login starts share the
/// processor with those of other logins as one, however many they are. The groups themselves:
/// kernel/sched/fair_group.h.
///
/// A process has its group from the process that made it, or from its own setsid(2); kernel threads and the first
/// process have none. Its threads are in that group while the feature is on, else in none.

#include "kernel/task/task.h"

namespace cairn::task {

struct AutogroupFigures {
    u64 id;
    i32 nice;
};

/// setsid(2): puts the process and its threads into `group`, and leaves there the one that they had, to be dropped
/// without locks. Under the task table's lock.
void enter_autogroup_locked(ThreadGroup& process, std::optional<Ref<sched::FairGroup>>& group);
/// A new thread, which has not started, joins the others of its process; its process is new, too, if it is not that of
/// `parent`, and then takes the group of that one. Under the task table's lock.
void inherit_autogroup_locked(Task& child, ThreadGroup& parent);

/// /proc/PID/autogroup; nothing for a process without a group.
std::optional<AutogroupFigures> autogroup_of(ThreadGroup& process);
/// By the calling thread. EINVAL: out of range, or there is no group. EPERM: may not be nicer. EAGAIN: without
/// CAP_SYS_ADMIN only ten times a second, whoever asks.
Result<void> set_autogroup_nice(Task& caller, ThreadGroup& process, i32 nice);

/// /proc/sys/kernel/sched_autogroup_enabled: all threads enter or leave the groups of their processes at once.
bool autogroup_enabled();
void set_autogroup_enabled(bool enabled);

}  // namespace cairn::task
