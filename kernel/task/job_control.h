#pragma once
/// Process groups, sessions and what terminals ask about them (setpgid(2), setsid(2), credentials(7)).

#include "fs/vfs/operation_context.h"
#include "kernel/task/task.h"

namespace cairn::task {

/// Whether no member of the process's group has a parent in the same session but another group (POSIX, 3.264).
/// `ignored` is passed over as if it had ended already. The table's lock is held.
bool is_orphaned_locked(ThreadGroup& process, const ThreadGroup* ignored);
bool is_orphaned_locked(ProcessGroup& group, const ThreadGroup* ignored);
/// Whether a member of the group is stopped. The table's lock is held.
bool has_stopped_member_locked(ProcessGroup& group);

/// setsid(2): EPERM for a group leader. Returns the session's id.
Result<i32> create_session(Task& caller);
/// setpgid(2).
Result<void> set_process_group(Task& caller, i32 pid, i32 group);
Result<i32> process_group_of(Task& caller, i32 pid);
Result<i32> session_of(Task& caller, i32 pid);
/// Makes `process` a member of `group` (null: none). The table's lock is held; what is returned is dropped outside it.
std::optional<Ref<ProcessGroup>> move_to_group_locked(ThreadGroup& process, ProcessGroup* group);

/// The terminal of the process's session, unless the process gave it up: a Terminal, or null. The table's lock is held.
void* controlling_terminal_locked(const ThreadGroup& process);

/// kill(2) with all its meanings of `pid`.
Result<void> kill(Task& caller, i32 pid, i32 signal);
/// A signal from the kernel to every member. The table's lock is held.
void signal_group_locked(ProcessGroup& group, i32 signal);

/// A session's leader ends: the group that was in the foreground when its terminal hung up gets SIGHUP and SIGCONT.
void hang_up_left_behind(ThreadGroup& leader);

/// Makes g_kernel.job_control.
void install_job_control();

}  // namespace cairn::task
