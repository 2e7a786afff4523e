#pragma once
/// The point of no return of execve: the other threads of the group end (E08), and the caller takes the leader's place
/// (E09).

#include "kernel/task/task.h"

namespace cairn::exec {

/// Ends every other thread and waits until they are gone. EINTR: the process is being killed; nothing else matters
/// then.
Result<void> end_siblings(task::Task& self);
/// The caller, now alone, is the leader from here on: its id is the process's. Cannot fail.
void take_leaders_place(task::Task& self);

}  // namespace cairn::exec
