#pragma once
/// The end of threads and processes (process.md X01, X02, X04).

#include "kernel/task/task.h"

namespace cairn::task {

/// exit(2): the calling thread ends. `status` as wait(2) shows it.
[[noreturn]] void exit_thread(i32 status);
/// exit_group(2) and fatal signals: the whole process ends with this status, unless it already ends with another.
[[noreturn]] void exit_process(i32 status);
/// handle_pending() found that the process ends, or that an execve of another thread ends this one.
[[noreturn]] void exit_thread_at_request();

/// The vfork parent of the calling thread goes on (F04, E17).
void release_vfork_parent(Task& self);
/// E14, X02: what a thread owes to the memory that it is about to leave: the robust list is walked, clear_child_tid
/// zeroed and woken. In the address space concerned.
void leave_memory(Task& self);

/// Everything that a reaped process has left, to be dropped when no lock is held.
struct ReapedProcess {
    std::optional<Ref<Task>> leader;
    std::optional<Ref<Task>> tracee;
    std::optional<Ref<ProcessGroup>> process_group;
    std::optional<Ref<ThreadGroup>> process;
};
/// Takes a zombie out of the tree. The table's lock is held.
ReapedProcess reap_locked(ThreadGroup& zombie);
/// All threads have ended and their tracers know: the process is a zombie, which its leader's tracer or its parent is
/// told. Perhaps nobody wants to know, and it is reaped at once. The table's lock is held.
ReapedProcess announce_end_locked(ThreadGroup& process);
/// The same for the parent, when the tracer is done with it.
ReapedProcess tell_parent_of_end_locked(ThreadGroup& process);

}  // namespace cairn::task
