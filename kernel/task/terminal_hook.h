#pragma once
/// What the end of a session's leader means for its controlling terminal; kernel/task/terminal_hook.cpp asks
/// fs/terminal.

#include "kernel/task/thread_group.h"

namespace cairn::task {

/// The last thread of a process is about to end: a session leader's terminal hangs up and belongs to no session any
/// more. No lock held; may sleep.
void leave_terminal(ThreadGroup& process);

}  // namespace cairn::task
