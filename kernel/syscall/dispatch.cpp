#include "kernel/syscall/dispatch.h"

#include "kernel/out_of_memory.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/syscall/table.h"
#include "kernel/syscall/trace.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

namespace {

u64 register_of(Failure failure) {
    return static_cast<u64>(-static_cast<i64>(static_cast<i32>(failure.error)));
}

/// EINTR becomes what the table says about the call, unless the handler has decided already. The rest is done at the
/// return to user mode, when it is known whether a handler runs (kernel/signal/deliver.cpp).
void prepare_restart(task::Task& task, Restart restart) {
    if (task.restart == task::RestartKind::Never) {
        task.restart = task::RestartKind::None;
        return;
    }
    if (task.restart != task::RestartKind::None) {
        return;
    }
    switch (restart) {
        case Restart::No:
            break;
        case Restart::Yes:
            task.set_restart(task::RestartKind::HandlerDecides);
            break;
        case Restart::WithoutHandler:
        case Restart::Continuation:
            task.set_restart(task::RestartKind::WithoutHandler);
            break;
    }
}

/// A call for which there was no memory has changed nothing. It is made again when somebody has ended to make room, as
/// the kernel's own requests for memory wait for that on Linux; not for ever, since what it asks for may be too much.
Result<u64> try_again_with_memory(task::Task& task, const Call& call, Caller& self) {
    constexpr u32 kTries = 200;  // hundreds may wait for the same memory: some seconds at least
    const sched::Thread& thread = task.thread();
    for (u32 i = 0; i < kTries && thread.memory_shortages() != task.shortages_seen; ++i) {
        // The shortage that has been seen first may have been an earlier call's, which went on without that memory.
        if (i != 0 && !relieve_memory_shortage(task, ShortOf::Program)) {
            break;
        }
        task.shortages_seen = thread.memory_shortages();
        const Result<u64> again = call.run(self);
        if (again.ok() || again.error() != Errno::enomem) {
            return again;
        }
    }
    return fail(Errno::enomem);
}

/// Puts the result into the program's registers. Inlined into both that use it: each call pays for what is here.
[[gnu::always_inline]] inline void finish_call(task::Task& task, const Call& call, arch::TrapFrame& frame,
                                               const Result<u64>& result, u64 value, bool traced) {
    arch::set_syscall_result(frame, value);
    if (traced) [[unlikely]] {
        trace_exit(task, call, frame, result);
    }
}

/// The end of a call that has failed, most likely with an error that the program expects.
[[gnu::noinline]] void finish_failed_call(task::Task& task, const Call& call, Caller& self, Errno error, bool traced) {
    const Result<u64> result =
        error == Errno::enomem ? try_again_with_memory(task, call, self) : Result<u64>(fail(error));
    u64 value = result.ok() ? result.value() : register_of(result.failure());
    if (!result.ok() && result.error() == Errno::eintr) {
        prepare_restart(task, call.restart);
        if (task.restart != task::RestartKind::None) {
            value = task::restart_code(task.restart);
        }
    }
    finish_call(task, call, self.frame, result, value, traced);
}

/// The call itself. What seldom happens stands apart.
[[gnu::always_inline]] inline void run_call(task::Task& task, arch::TrapFrame& frame, bool traced) {
    const Call& call = call_of(arch::syscall_number(frame));
    if (traced) [[unlikely]] {
        trace_entry(task, call, frame);
    }
    Caller self(task, frame);
    const Result<u64> result = call.run(self);
    if (!result.ok()) [[unlikely]] {
        finish_failed_call(task, call, self, result.error(), traced);
        return;
    }
    finish_call(task, call, frame, result, result.value(), traced);
}

/// Somebody watches the calls of the thread: a tracer, or the kernel's log.
[[gnu::noinline]] void run_watched_call(task::Task& task, arch::TrapFrame& frame, u32 work) {
    if ((work & ptrace::work::kAtEntry) == 0 || ptrace::stop_before_call(task, frame)) {
        run_call(task, frame, (work & ptrace::work::kLog) != 0);
    }
}

}  // namespace

void run(arch::TrapFrame& frame) {
    task::Task& task = task::current_task();
    arch::enable_interrupts();
    const u32 work = task.syscall_work.load(Order::relaxed);
    if (work == 0) [[likely]] {
        run_call(task, frame, false);
    } else {
        run_watched_call(task, frame, work);
    }
    if ((task.syscall_work.load(Order::relaxed) & ptrace::work::kAtExit) != 0) [[unlikely]] {
        ptrace::stop_after_call(task, frame);
    }
    arch::forbid_interrupts();
}

}  // namespace cairn::syscall
