#pragma once
/// Sending signals: kill(2), tgkill(2), the kernel's own, and faults. Rules: process.md S01, S02.

#include "kernel/signal/signal.h"
#include "kernel/task/task.h"

namespace cairn::signal {

/// Whether a signal that finds no memory or room for its siginfo is an error (sigqueue: EAGAIN) or goes without it.
enum class WithoutInfo : u8 { Allowed, Fails };

/// To a process (any thread that does not block it) or to one thread. Takes the group's lock; the task table's may be
/// held. A process or thread that ends swallows it. EAGAIN.
Result<void> send_to_process(task::ThreadGroup& process, const SignalInfo& info,
                             WithoutInfo without = WithoutInfo::Allowed);
Result<void> send_to_thread(task::Task& task, const SignalInfo& info, WithoutInfo without = WithoutInfo::Allowed);
/// Whether one more signal of this standard kind would change nothing just now: it is pending already, or ignored.
/// Takes the group's lock.
bool adds_nothing(task::ThreadGroup& process, i32 signal);
/// A timer's entry, which is preallocated: queued unless it still is. The group's lock is not held. Whether it was
/// queued now.
bool send_timer_signal(task::ThreadGroup& process, task::Task* thread, QueuedSignal& entry);

/// A fault of the calling thread (S05): a signal that it blocks or ignores kills it all the same.
void force(const SignalInfo& info);
/// SIGKILL for a process, from the kernel (out of memory, timers gone wrong).
void kill_process(task::ThreadGroup& process);

/// kill(2)'s permission: EPERM. Both processes' credentials are consistent sets.
Result<void> check_may_signal(task::Task& sender, task::Task& target, i32 signal, bool same_session_continue);

/// Under the group's lock: the group ends with `status` as wait(2) shows it; all threads are woken to end.
void begin_group_exit_locked(task::ThreadGroup& group, i32 status);
/// Under the group's lock: whether the thread has something to do at its next return to user mode; sets or clears its
/// flag accordingly.
void recompute_pending_locked(task::Task& task);
/// A thread stops taking these signals (it blocks them, or ends): what is pending for the process among them, and may
/// have been meant for that thread, goes to another one. Under the group's lock.
void pass_on_locked(task::ThreadGroup& group, SignalSet given_up);
/// The calling thread's new mask, under the group's lock, or taking it where no lock is held and interrupts are on.
void change_mask_locked(task::Task& self, SignalSet mask);
void set_blocked(SignalSet mask);

/// The same for the tracer of a thread, whose stop or end it is. The task table's lock is held, no group's.
void notify_tracer_locked(task::Task& tracee, i32 code, i32 status);
void notify_tracer_of_end_locked(task::Task& tracee, i32 status);
/// SIGCHLD and the like for a change of a child's state. The task table's lock is held, no group's.
void notify_parent_locked(task::ThreadGroup& child, i32 code);
enum class ParentWish : u8 { Keep, ReapAtOnce };
ParentWish notify_parent_of_end_locked(task::ThreadGroup& child);

}  // namespace cairn::signal
