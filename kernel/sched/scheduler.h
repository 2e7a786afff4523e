#pragma once
/// The scheduler's entrances for the rest of the kernel: start-up, and the upcalls of the machine.
/// Threads are in thread.h. docs/scheduling.md tells how it works.

#include "kernel/base/atomic.h"
#include "kernel/base/kernel.h"
#include "kernel/sched/load_average.h"
#include "kernel/sched/thread.h"

namespace cairn::sched {

/// g_kernel.scheduler: what is not any single CPU's.
class Scheduler {
public:
    u64 next_group_id() { return next_group_id_.fetch_add(1, Order::relaxed); }
    u64 next_thread_id() { return next_id_.fetch_add(1, Order::relaxed); }

    /// CPUs whose idle thread runs; a hint for placement.
    AtomicCpuSet idle_cpus;
    /// CPUs on which threads wait for their turn, or have done so since they were idle last: where those look that
    /// want work. A CPU on which one thread wakes another all the time need not say each time that one waits.
    AtomicCpuSet loaded_cpus;
    /// Told at each change of address space; set once, before the first thread has one.
    AddressSpaceSwitch address_space_switch = nullptr;

    /// Told when the running thread has run for as long as Thread::watch_run_time() said, on its CPU, in the timer
    /// interrupt; says when next. Set once, before anybody calls watch_run_time().
    void (*run_time_reached)(Thread& thread) = nullptr;

    /// Threads that ended and were left to the reaper, which frees their stacks.
    SpinLock<LockRank::Reaper> dead_lock;
    List<Thread, &Thread::reaper_node_> dead GUARDED_BY(dead_lock);
    Atomic<u32> dead_count{0};  // written under dead_lock
    /// These, and those that are with the CPUs. Any context.
    u32 all_dead() const;
    sync::WaitQueue reaper_work;
    /// Those who wait until a thread has left a CPU that it may no longer use.
    sync::WaitQueue migrations;

    LoadAverage load;

private:
    Atomic<u64> next_id_{1};
    Atomic<u64> next_group_id_{1};
};

// --- Start-up -----------------------------------------------------------------------------------

/// Makes the clock, the read side and the scheduler, prepares this CPU, and turns the calling
/// context into the thread "boot" on its boot stack; then starts the reaper and the read side's
/// thread, and turns interrupts on. Needs the heap, kernel stacks, g_kernel.cpus[0], and
/// arch::initialize_clock. Boot CPU, interrupts off, once. ENOMEM.
Result<void> initialize_boot_cpu();

/// Gives a CPU that has not started its run queue, timers, call queue, read-side block and idle
/// thread. `cpu.index` is set and g_kernel.cpus[] has it. ENOMEM: nothing was changed.
Result<void> prepare_cpu(PerCpu& cpu);

/// The stack on which a prepared CPU is to start: its idle thread's.
void* startup_stack_top(const PerCpu& cpu);

/// What a started CPU does after arch::initialize_cpu: it goes online and becomes its own idle
/// thread. On startup_stack_top(), interrupts off.
[[noreturn]] void run_secondary_cpu();

// --- Upcalls --------------------------------------------------------------------------------------

/// kernel_preempt(): switches threads if that is wanted. Interrupts off, preemption on.
void preempt();

/// InterruptKind::Reschedule: another CPU has found work for this one. Interrupts off.
void handle_reschedule_interrupt();

/// Gives the CPU to the best thread; the caller goes on later, on any CPU of its affinity. A
/// caller whose state says that it sleeps leaves the run queue. For Parking; interrupts on or off
/// (they are as before on return), preemption on, no spinlock held.
void schedule();

}  // namespace cairn::sched
