#pragma once
/// What happens when a page fault finds no memory: the process that uses most of it is ended (Linux's OOM killer).

#include "kernel/task/task.h"

namespace cairn {

/// Called by a thread whose fault found no memory. Ends the process that has the most, adjusted by oom_score_adj, with
/// a line in the log, unless one is ending already, and waits a moment for its memory. True: try again. False: there is
/// nobody to end. Thread context.
bool relieve_memory_shortage(task::Task& self);

}  // namespace cairn
