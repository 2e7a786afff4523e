#include "kernel/syscall/dispatch.h"

#include "kernel/base/log.h"
#include "kernel/base/rate_limit.h"
#include "kernel/out_of_memory.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/run_queue.h"
#include "kernel/syscall/table.h"
#include "kernel/syscall/trace.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

namespace cairn::syscall {

namespace {

void note_unknown(const task::Task& task, u64 number) {
    static constinit RateLimit limit(10, Nanoseconds::from_seconds(10));
    if (limit.allow(time::now())) {
        const u32 suppressed = limit.take_suppressed();
        log_info("syscall", "{}[{}]: no system call {}{}", task.name().view(), task.number(), number,
                 suppressed != 0 ? " (and others)" : "");
    }
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
            task.restart = task::RestartKind::HandlerDecides;
            break;
        case Restart::WithoutHandler:
        case Restart::Continuation:
            task.restart = task::RestartKind::WithoutHandler;
            break;
    }
}

u64 register_of(const Result<u64>& result) {
    return result.ok() ? result.value() : static_cast<u64>(-static_cast<i64>(static_cast<i32>(result.error())));
}

/// Counts calls that read and write, for /proc/PID/io.
void account_transfer(task::Task& task, Transfer transfer, const Result<u64>& result) {
    const u64 bytes = result.ok() ? result.value() : 0;
    // Only the thread itself writes its counts.
    const auto add = [](Atomic<u64>& count, u64 more) {
        count.store(count.load(Order::relaxed) + more, Order::relaxed);
    };
    add(transfer == Transfer::Read ? task.reads : task.writes, 1);
    add(transfer == Transfer::Read ? task.bytes_read : task.bytes_written, bytes);
}

/// A call for which there was no memory changes nothing. It is made again when somebody has ended to make room, as the
/// kernel's own requests for memory wait for that on Linux; not for ever, since what it asks for may be too much.
Result<u64> run_with_memory(task::Task& task, const Call& call, Caller& self) {
    constexpr u32 kTries = 200;  // hundreds may wait for the same memory: some seconds at least
    for (u32 i = 0;; ++i) {
        const u32 shortages = task.thread().memory_shortages();
        Result<u64> result = call.run(self);
        if (result.ok() || result.error() != Errno::enomem) [[likely]] {
            return result;
        }
        if (i == kTries || task.thread().memory_shortages() == shortages ||
            !relieve_memory_shortage(task, ShortOf::Program)) {
            return result;
        }
    }
}

void run_call(task::Task& task, arch::TrapFrame& frame, bool traced) {
    const u32 number = static_cast<u32>(arch::syscall_number(frame));  // as Linux: the upper half is not looked at
    const Call* call = find_call(number);
    if (call == nullptr) {
        note_unknown(task, number);
        arch::set_syscall_result(frame, register_of(fail(Errno::enosys)));
        if (traced) {
            trace_unknown(task, number);
        }
        return;
    }
    if (traced) {
        trace_entry(task, *call, frame);
    }
    Caller self(task, frame);
    const Result<u64> result = run_with_memory(task, *call, self);
    if (!result.ok() && result.error() == Errno::eintr) {
        prepare_restart(task, call->restart);
    }
    // rt_sigreturn(2) has put a whole set of registers in place, the result's among them.
    if (arch::in_syscall(frame)) {
        const bool again = task.restart != task::RestartKind::None;
        arch::set_syscall_result(frame, again ? task::restart_code(task.restart) : register_of(result));
    }
    if (traced) {
        trace_exit(task, *call, result);
    }
    if (call->transfer != Transfer::None) {
        account_transfer(task, call->transfer, result);
    }
}

}  // namespace

void run(arch::TrapFrame& frame) {
    task::Task& task = task::current_task();
    task.thread().begin_call();
    arch::enable_interrupts();
    task.restart = task::RestartKind::None;
    const u32 work = task.syscall_work.load(Order::relaxed);
    if ((work & ptrace::work::kAtEntry) == 0 || ptrace::stop_before_call(task, frame)) {
        run_call(task, frame, (work & ptrace::work::kLog) != 0);
    }
    if ((task.syscall_work.load(Order::relaxed) & ptrace::work::kAtExit) != 0) [[unlikely]] {
        ptrace::stop_after_call(task, frame);
    }
    static_cast<void>(arch::disable_interrupts());
    const u64 ticks = task.thread().end_call();
    Atomic<u64>& of_cpu = arch::this_cpu().run_queue->call_ticks;
    of_cpu.store(of_cpu.load(Order::relaxed) + ticks, Order::relaxed);
}

}  // namespace cairn::syscall
