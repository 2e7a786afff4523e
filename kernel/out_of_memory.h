#pragma once
/// What happens when no memory is left: processes are ended to make some (Linux's OOM killer).
///
/// As on Linux it is the process that uses most, adjusted by oom_score_adj. Where none uses much, memory is short
/// because there are many, as after a fork bomb, and to end the largest, one after the other, would end everything but
/// the bomb. Then it is some of those that use most together: of the ordinary user whose processes do, or of root's
/// session, and of a user's sessions again that which uses most.

#include "kernel/task/task.h"

namespace cairn {

/// Who lacks memory: a program's access, or a whole call, which is made again; or a copy of the kernel's to or from a
/// program. The latter may hold mutexes that the process which is to end waits for, and so gives up in the end.
enum class ShortOf : u8 { Program, Copy };

/// Called by a thread that got no memory. Ends somebody, with a line in the log, unless somebody is ending already, and
/// waits a moment for the memory. Whoever ends runs before ordinary threads. True: try again. False: there is nobody to
/// end, it is the caller who ends, or a copy has waited for seconds. Thread context; no spinlock is held.
bool relieve_memory_shortage(task::Task& self, ShortOf whom);

/// Ends whom relieve_memory_shortage() would (Magic SysRq). False: there is nobody, or somebody is ending just now.
bool end_largest_process();

}  // namespace cairn
