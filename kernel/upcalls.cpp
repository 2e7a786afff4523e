/// What a machine calls in the kernel (arch/upcalls.h), handed on to the subsystem concerned.

#include "arch/upcalls.h"

#include "drivers/interrupt_lines.h"
#include "kernel/out_of_memory.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/deliver.h"
#include "kernel/signal/send.h"
#include "kernel/sync/read_side.h"
#include "kernel/syscall/dispatch.h"
#include "kernel/task/rseq.h"
#include "kernel/time/timer.h"
#include "mm/page_fault.h"

namespace cairn {

namespace {

/// A fault that the program has caused and nobody can resolve becomes a signal (S05).
void signal_fault(task::Task& task, const arch::TrapDetails& details, const signal::SignalInfo& info) {
    task.fault_number = details.number;
    task.fault_error = details.error_code;
    task.fault_address = arch::is_page_fault(details) ? details.fault_address.value : 0;
    signal::force(info);
}

signal::SignalInfo page_fault_signal(mm::FaultResult result, VirtualAddress address) {
    switch (result) {
        case mm::FaultResult::SegvAccerr:
            return signal::SignalInfo::fault(signal::kSigSegv, signal::kCodeSegvAccessError, address.value);
        case mm::FaultResult::BusAdrerr:
            return signal::SignalInfo::fault(signal::kSigBus, signal::kCodeBusAddress, address.value);
        default:
            return signal::SignalInfo::fault(signal::kSigSegv, signal::kCodeSegvMapError, address.value);
    }
}

TrapOutcome handle_page_fault(task::Task* task, const arch::TrapDetails& details) {
    const bool user_address = details.fault_address < arch::user_space_end();
    if (!user_address && !details.from_user) {
        return TrapOutcome::Unhandled;  // the kernel's own
    }
    mm::AddressSpace* space = sched::current_thread().address_space();
    const mm::FaultResult result = user_address ? mm::resolve_user_fault(space, details) : mm::FaultResult::SegvMaperr;
    if (result == mm::FaultResult::Resolved) {
        if (task != nullptr) {
            // Only the thread itself writes its count.
            task->minor_faults.store(task->minor_faults.load(Order::relaxed) + 1, Order::relaxed);
            task->shortages = 0;
        }
        return TrapOutcome::Resume;
    }
    if (result == mm::FaultResult::OutOfMemory && task != nullptr && sleep_allowed()) {
        // Somebody ends to make room, perhaps this process; then the access is tried again, or the signal taken first.
        if (relieve_memory_shortage(*task, details.from_user ? ShortOf::Program : ShortOf::Copy)) {
            return TrapOutcome::Resume;
        }
    }
    if (!details.from_user || task == nullptr) {
        return TrapOutcome::Unhandled;  // a copy of the kernel's, which fails with EFAULT
    }
    signal_fault(*task, details, page_fault_signal(result, details.fault_address));
    return TrapOutcome::Resume;
}

}  // namespace

TrapOutcome kernel_trap(arch::TrapFrame& frame, const arch::TrapDetails& details) {
    task::Task* task = arch::current_thread() == nullptr ? nullptr : arch::current_thread()->task();
    if (arch::is_page_fault(details)) {
        if (arch::current_thread() == nullptr) {
            return TrapOutcome::Unhandled;
        }
        return handle_page_fault(task, details);
    }
    if (!details.from_user || task == nullptr) {
        return TrapOutcome::Unhandled;
    }
    const arch::FaultSignal fault = arch::classify_fault(details, frame);
    if (fault.signal != 0) {
        signal_fault(*task, details, signal::SignalInfo::fault(fault.signal, fault.code, fault.address));
    }
    return TrapOutcome::Resume;
}

void kernel_interrupt(arch::InterruptKind kind, u32 line) {
    PerCpu& cpu = arch::this_cpu();
    sync::ReadSide::note_interrupt(cpu);
    Atomic<u64>& count = cpu.interrupts[static_cast<u32>(kind)];
    count.store(count.load(Order::relaxed) + 1, Order::relaxed);
    switch (kind) {
        case arch::InterruptKind::Timer:
            time::handle_timer_interrupt();
            break;
        case arch::InterruptKind::Reschedule:
            sched::handle_reschedule_interrupt();
            break;
        case arch::InterruptKind::CrossCall:
            sched::run_cross_calls();
            break;
        case arch::InterruptKind::Device:
            static_cast<void>(drivers::handle_interrupt_line(line));
            break;
    }
}

void kernel_preempt() {
    sched::preempt();
}

void kernel_syscall(arch::TrapFrame& frame) {
    syscall::run(frame);
}

namespace {

/// Gives back what threads and readers have left behind on this CPU. Interrupts off, and on in between.
[[gnu::noinline]] void do_housekeeping() {
    arch::enable_interrupts();
    sched::free_dead_threads();  // of the CPU that this is by then, whose wish it takes back
    sync::call_due_callbacks();
    arch::forbid_interrupts();
}

/// Apart, so that a return for which nothing is left to do saves no registers for this.
[[gnu::noinline]] void do_pending_work(task::Task& task, arch::TrapFrame& frame) {
    if (arch::this_cpu().housekeeping_wanted) [[unlikely]] {
        do_housekeeping();
    }
    for (;;) {
        const bool pending = signal::has_pending_work(task);
        if (!pending && !task::rseq_is_stale(task)) {
            task.thread().clear_attention();
            return;
        }
        arch::enable_interrupts();
        if (pending) {
            signal::handle_pending(frame);
        } else {
            task::update_rseq(task, frame);
        }
        arch::forbid_interrupts();
    }
}

/// The same when nothing is known but that the thread was switched, which is nearly all that ever happens.
[[gnu::noinline]] void note_switch(task::Task& task, arch::TrapFrame& frame) {
    if (arch::this_cpu().housekeeping_wanted) [[unlikely]] {
        do_pending_work(task, frame);
        return;
    }
    do {
        arch::enable_interrupts();
        const bool good = task::try_update_rseq(task, frame);
        arch::forbid_interrupts();
        if (!good) [[unlikely]] {
            signal::force(signal::SignalInfo::from_kernel(signal::kSigSegv));
        }
        if (task.thread().wants_attention()) [[unlikely]] {
            do_pending_work(task, frame);
            return;
        }
    } while (task.thread().was_switched());
}

}  // namespace

void kernel_prepare_user_return(arch::TrapFrame& frame) {
    // With interrupts off nothing can become pending unseen: who makes it so on another CPU sends an interrupt, which
    // arrives as soon as user mode has turned them on.
    const sched::Thread& thread = sched::current_thread();
    if (thread.wants_attention()) [[unlikely]] {
        do_pending_work(*thread.task(), frame);
    } else if (thread.was_switched()) {
        note_switch(*thread.task(), frame);
    }
}

}  // namespace cairn
