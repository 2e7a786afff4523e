#pragma once
/// A process does one execve at a time (E07), and nobody attaches to a thread of it meanwhile (E15): what is decided
/// about the new program's credentials stays true until they are in force.

#include "kernel/task/task.h"

namespace cairn::task {

/// Sleeps interruptibly. EINTR: the call is made again whatever handler ran.
Result<void> begin_exec_turn(Task& self, ThreadGroup& group);
void end_exec_turn(ThreadGroup& group);

}  // namespace cairn::task
