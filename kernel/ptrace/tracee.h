#pragma once
/// What the traced thread does itself: stops, and the places of the kernel where they happen. All but the checks at the
/// call sites is off the paths of threads that nobody traces.

#include "kernel/ptrace/tracing.h"

namespace cairn::ptrace {

/// A signal is about to be delivered to the calling thread: its tracer sees it first, and may change it. False: it is
/// not delivered.
bool stop_for_signal(Task& self, SignalInfo& info);
/// What is pending (Tracing::trap_is_due).
void stop_for_trap(Task& self);
/// Before a system call, whose number and arguments may have changed afterwards. False: it is not made.
bool stop_before_call(Task& self, arch::TrapFrame& frame);
/// After it; single steps over it end here, too.
void stop_after_call(Task& self, arch::TrapFrame& frame);
/// A single step that led into a signal's handler ends at its first instruction. Returns whether the thread was
/// stepping; the program does not see the flag in the frame.
bool hide_step(Task& self, arch::TrapFrame& frame);
void stop_in_handler(Task& self);

/// If the calling thread's tracer asked for the event, and the thread is traced.
void report_event(Task& self, i32 which, u64 message);
/// execve is done; `old_number`: what the thread's id was before.
void report_exec(Task& self, i32 old_number);

/// clone(2): which event its success is, zero for none; and the child's Tracing, if it is to be traced. ENOMEM.
Result<i32> prepare_clone(Task& parent, Task& child, u64 flags, i32 exit_signal);
/// The child becomes a tracee of its parent's tracer if that was prepared and is still so. The table's lock.
void inherit_locked(Task& parent, Task& child);

/// The calling thread ends. The task table's lock is held.
/// One of its tracees goes on without it; what is left of that is to be dropped without locks. False: it has none.
struct Released {
    std::optional<Ref<Task>> task;
    task::ReapedProcess reaped;
};
bool detach_one_locked(Task& self, Released& remains);
/// Its own tracer is told. True: its id stays until the tracer has seen its end.
bool report_end_locked(Task& self, i32 status);

}  // namespace cairn::ptrace
