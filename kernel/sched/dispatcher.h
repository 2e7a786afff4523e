#pragma once
/// Dispatcher: the operations on threads and run queues that need the machine. Internal to
/// kernel/sched; the functions of thread.h and scheduler.h rest on it.

#include "kernel/sched/run_queue.h"
#include "kernel/sched/scheduler.h"

namespace cairn::sched {

class Dispatcher {
public:
    /// Whether the running thread gives way on its own account; only then does a state that says
    /// "asleep" take it out of the run queue. A preempted thread may be between announcing a sleep
    /// and looking for the last time at what it is about to wait for.
    /// Yielded: as Preempted, but willing to wait for its turn again.
    enum class Reason : u8 { Voluntary, Preempted, Yielded };
    /// Switches to the best thread of this CPU. Interrupts off, nothing held.
    static void switch_threads(Reason reason);
    /// The first thing that a thread does after a switch to it: settles what became of the one
    /// that was left. Interrupts off.
    static void finish_switch();

    static bool wake(Thread& thread, ThreadStateMask mask) {
        InterruptGuard interrupts;
        return wake_interrupts_off(thread, mask);
    }
    /// The same for a caller that has turned interrupts off; a wanted reschedule is left to it.
    static bool wake_interrupts_off(Thread& thread, ThreadStateMask mask);
    static bool hold_asleep(Thread& thread);
    static void let_wake(Thread& thread);
    static void start(Thread& thread);
    static void interrupt(Thread& thread);
    static void kill(Thread& thread);
    static void watch_run_time(Thread& thread, Nanoseconds at);
    static void yield();
    [[noreturn]] static void exit();

    /// Parking: this thread announces that it sleeps; on return that is visible to wakers before
    /// anything that the caller reads next.
    static void announce_sleep(Thread& thread, ThreadState state);
    /// Takes the announcement back.
    static void cancel_sleep(Thread& thread);
    static bool must_end_sleep(const Thread& thread, ThreadState state);

    static Result<void> set_affinity(Thread& thread, const CpuSet& affinity);
    static Result<void> set_policy(Thread& thread, Policy policy, i32 nice, u32 realtime_priority);

    static std::optional<Ref<FairGroup>> set_group(Thread& thread, std::optional<Ref<FairGroup>> group);

    static bool lend_priority(Thread& thread, u32 priority);

    /// A slice ended on `queue`'s CPU while others wait: has idle CPUs come for them, and now and
    /// then takes work from a CPU that has more. Own CPU, interrupts off, nothing held.
    static void spread_load(RunQueue& queue, Nanoseconds now);

    /// Turns the calling context into `thread`, which then runs on `cpu`.
    static void adopt_context(PerCpu& cpu, Thread& thread);
    static Result<void> adopt_boot_context(PerCpu& cpu);
    static Result<Ref<Thread>> make_thread(std::string_view name, void (*entry)(void*), void* argument,
                                           const ThreadOptions& options);
    static Result<Ref<Thread>> make_idle_thread(PerCpu& cpu);
    static void* startup_stack_top(const PerCpu& cpu);
    [[noreturn]] static void idle_loop();
    [[noreturn]] static void reap();
    /// Frees the threads that ended on this CPU and were not left to the reaper. Thread context.
    static void free_own_dead();
    /// Frees some threads that have ended if very many wait for it. Thread context; nothing held but mutexes.
    static void help_reaper();
    static void enter_thread(void* thread);
    static void destroy(sync::ReadSideHead& head);

private:
    static bool wake_locked(Thread& thread, ThreadStateMask mask);
    static void set_pending(Thread& thread, u32 bits, ThreadStateMask wakes);
    static RunQueue& run_queue_of(u32 cpu) { return *g_kernel.cpus[cpu]->run_queue; }
    static CpuIndex place(const Thread& thread);
    static void place_and_enqueue(Thread& thread, ReadyQueue::Arrival arrival);
    static RunQueue& lock_run_queue_of(Thread& thread);
    enum class Surplus : u8 { AnyWaiting, Imbalance };
    static bool pull_work(RunQueue& queue, Surplus surplus);
    static bool take_one(RunQueue& from, RunQueue& to);
    [[gnu::noinline]] static void finish_last_switch(Thread& previous, bool dead);
    static void retire(Thread& thread);
    static void leave_to_reaper(Thread& thread);
    static void leave_all_to_reaper(RunQueue& queue);
    static Thread* next_dead();
    static void free_dead(Thread& thread);
    static Atomic<u64>& put_aside(RunQueue& queue, Thread& thread, Reason reason);
    static bool may_use(const Thread& thread, CpuIndex cpu) { return thread.affinity_.contains(cpu); }
    static void apply_parameters(Thread& thread);
    static bool off_forbidden_cpu(Thread& thread);
    static bool expel(Thread& thread);
};

}  // namespace cairn::sched
