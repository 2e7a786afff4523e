#pragma once
/// What happens to pending signals at the return to user mode (process.md S01), and stopping (S04).

#include "kernel/signal/signal.h"
#include "kernel/task/task.h"

namespace cairn::signal {

/// Everything that is pending for the calling thread: its end, stops, signals, restarts. Interrupts on; may sleep; may
/// not return. kernel_prepare_user_return calls it until nothing is left.
void handle_pending(arch::TrapFrame& frame);

/// Whether handle_pending() would find something: then sched::Thread::wants_attention(), too. Interrupts off.
inline bool has_pending_work(const task::Task& task) {
    // A temporary mask is undone here, but is no reason for a sleep to end.
    return task.thread().any_pending() || task.restore_saved_mask || task.restart != task::RestartKind::None;
}

/// For system calls that sleep with another mask (sigsuspend, ppoll, pselect, epoll_pwait): sets the mask for the rest
/// of the call; the old one comes back when the call ends, after a handler has run.
void set_temporary_mask(SignalSet mask);

/// sigtimedwait(2): takes a pending signal of `set`, or waits for one. EAGAIN at the deadline, EINTR.
Result<SignalInfo> wait_for_signal(SignalSet set, Nanoseconds deadline);

/// For signalfd: takes a signal that is pending for the calling thread; false if there is none.
bool take_pending(SignalSet set, SignalInfo& info);

/// rt_sigreturn(2).
Result<void> return_from_handler(arch::TrapFrame& frame);

/// sigaltstack(2): `fresh` null only asks. EPERM, EINVAL, ENOMEM.
Result<void> set_alternate_stack(const arch::SignalStack& fresh, u64 stack_pointer);
/// As a program sees it: with SS_ONSTACK when it runs there.
arch::SignalStack alternate_stack_seen(u64 stack_pointer);

}  // namespace cairn::signal
