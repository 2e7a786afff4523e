#pragma once
/// Tracing: what ptrace(2) knows of one traced thread. Made when a thread is first attached to, and kept until the
/// thread goes; Task::is_traced says whether it is in force.
///
/// Locks: who traces whom (`tracer`, Task::is_traced, the list ThreadGroup::tracees) changes under the task table's
/// lock and the tracee's group lock, and is read under either. Everything else is under the tracee's group lock. A
/// thread in a list of tracees is kept by a reference.
///
/// A tracee stops by itself (stop(), tracee.cpp): it says so under both locks, tells its tracer, and sleeps on
/// `resumed` until somebody clears `stopped`: the tracer with a request, a detachment, or the end of its process. The
/// tracer touches registers only through StoppedTracee, which also keeps the sleeper from being woken meanwhile.

#include "kernel/task/exit.h"

namespace cairn::ptrace {

using signal::SignalInfo;
using task::Task;
using task::ThreadGroup;

/// PTRACE_EVENT_…: in the second byte of a stop's code.
namespace event {
constexpr i32 kFork = 1, kVfork = 2, kClone = 3, kExec = 4, kVforkDone = 5, kExit = 6, kStop = 128;
}
/// PTRACE_O_…: bit n tells of event n.
namespace option {
constexpr u32 kSysGood = 1, kExitKill = 1u << 20, kMask = 0xff | kExitKill;
}

/// Task::syscall_work.
namespace work {
constexpr u32 kLog = 1;  // the kernel's own tracer
constexpr u32 kTrace = 2, kEmulate = 4, kStep = 8;
constexpr u32 kAtEntry = kTrace | kEmulate, kAtExit = kTrace | kStep;
}  // namespace work

class Tracing : public task::TracingLink {
public:
    explicit Tracing(Task& tracee_) : tracee(tracee_) {}

    Task& tracee;
    Task* tracer = nullptr;  // which thread; null: nobody
    bool seized = false;
    bool privileged = false;  // the tracer had CAP_SYS_PTRACE when it attached: set-id programs keep their rights
    u32 options = 0;

    bool stopped = false;    // in a stop that requests work in
    bool listening = false;  // PTRACE_LISTEN: stopped, but no requests
    bool may_listen = false;
    /// To do at the next return to user mode: a stop for the group's stop, PTRACE_INTERRUPT or attachment; a stop
    /// because the group's stop began or ended while seized.
    bool stop_pending = false, notify_pending = false;
    i32 group_signal = signal::kSigStop;  // the signal of the group's stop
    /// While stopped: what wait(2) shows, zero once it has. Then the signal that the tracee goes on with.
    i32 code = 0;
    u64 message = 0;  // PTRACE_GETEVENTMSG
    bool has_info = false;
    SignalInfo info;
    bool step_forced = false;  // the flag for single steps is ours and not the program's

    bool exited = false;  // a thread whose end its tracer has not seen
    sync::WaitQueue resumed;

    bool trap_is_due() const { return stop_pending || notify_pending; }
    bool wants(i32 which) const { return (options >> which & 1) != 0; }
    static Tracing& of(task::TracingLink& link) { return static_cast<Tracing&>(link); }
};

/// Whether the tracer is of another process than the parent. Under the table's lock.
inline bool is_reparented(const Task& tracee) {
    return &tracee.tracing->tracer->group() != tracee.group().parent;
}

// Under the tracee's group lock.

/// It goes on, with `code` as the result of its stop.
void resume_locked(Tracing& tracing, i32 code);
/// Its process ends, or an execve ends it: a stop does not last.
void end_stop_locked(Task& task);
/// A stop of the group concerns this tracee as well.
void join_group_stop_locked(Task& task, i32 signal);
/// SIGCONT: a seized tracee tells that the stop is over.
void tell_change_locked(Task& task);

/// Links a tracee to its tracer. Both locks.
void link_locked(Tracing& tracing, Task& tracer);
/// The other way; the caller drops the reference when it holds no lock. Both locks.
Ref<Task> unlink_locked(Tracing& tracing);

/// An ended thread's tracer has seen it, or has gone: now its id is free, and its process's end is told if that was all
/// it waited for. The table's lock.
task::ReapedProcess release_thread_locked(Tracing& tracing);

}  // namespace cairn::ptrace
