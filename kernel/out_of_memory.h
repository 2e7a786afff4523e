#pragma once
/// What happens when a page fault finds no memory: the process that uses most of it is ended (Linux's OOM killer).

#include "kernel/task/task.h"

namespace cairn {

/// Whose access found no memory: a program's own, or a copy of the kernel's to or from it. The latter may hold mutexes
/// that the process which is to end waits for, and so gives up in the end.
enum class ShortOf : u8 { Program, Copy };

/// Called by a thread whose fault found no memory. Ends the process that has the most, adjusted by oom_score_adj, with
/// a line in the log, unless one is ending already, and waits a moment for its memory. True: try again. False: there is
/// nobody to end, or a copy has waited for seconds. Thread context; no spinlock is held.
bool relieve_memory_shortage(task::Task& self, ShortOf whom);

}  // namespace cairn
