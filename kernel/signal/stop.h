#pragma once
/// Job control: stopping a process and telling its parent (S04).

#include "kernel/task/task.h"

namespace cairn::signal {

/// The calling thread has taken a stop signal: the whole process stops, unless SIGCONT came first or nobody could
/// continue it (an orphaned group and SIGTSTP, SIGTTIN, SIGTTOU).
void begin_stop(task::Task& self, i32 signal);
/// The calling thread stops until the process is continued or it must end.
void stop_here(task::Task& self);
/// A thread is about to leave the group while a stop is under way: perhaps the others have all stopped. The lock is
/// held; true: the caller tells the parent (kCodeChildStopped) once it holds no lock.
bool finish_stop_without_locked(task::Task& leaving);
/// kCodeChildStopped or kCodeChildContinued. No lock held.
void tell_parent(task::ThreadGroup& group, i32 code);

}  // namespace cairn::signal
