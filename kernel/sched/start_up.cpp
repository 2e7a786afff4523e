/// Making threads, and the order in which the scheduler comes up.

#include "kernel/base/own.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/dispatcher.h"
#include "kernel/time/clock.h"

namespace cairn::sched {

Result<Ref<Thread>> Dispatcher::make_thread(std::string_view name, void (*entry)(void*), void* argument,
                                            const ThreadOptions& options) {
    // On failure the destructor undoes what was built so far.
    Ref<Thread> thread = TRY(try_new_ref<Thread>(name, options));
    thread->stack_ = TRY(allocate_kernel_stack());
    thread->entry_ = entry;
    thread->argument_ = argument;
    arch::context_initialize(thread->context_, thread->stack_.top(), thread->stack_.size, &enter_thread, &thread.get());
    if (options.vector_state == VectorState::Own) {
        TRY(arch::context_add_vector_state(thread->context_));
    }
    return thread;
}

Result<Ref<Thread>> Dispatcher::make_idle_thread(PerCpu& cpu) {
    char text[24];
    TextBuffer name{std::span(text)};
    format_to(name, "idle/{}", cpu.index.value);
    Ref<Thread> thread = TRY(make_thread(name.view(), [](void*) { idle_loop(); }, nullptr,
                                         {.policy = Policy::Idle, .affinity = CpuSet::only(cpu.index)}));
    thread->cpu_.store(cpu.index.value, Order::relaxed);
    thread->state_.store(ThreadState::Running, Order::relaxed);
    return thread;
}

void Dispatcher::destroy(sync::ReadSideHead& head) {
    Thread& thread = *object_of_member<Thread, sync::ReadSideHead, &Thread::free_head_>(&head);
    Thread::destroy_counted(&thread);
}

void* Dispatcher::startup_stack_top(const PerCpu& cpu) {
    return cpu.run_queue->idle->stack_.top();
}

/// The boot context becomes a thread like any other; its stack is the boot stack, which is never
/// freed, so it is not among those that the thread owns.
Result<void> Dispatcher::adopt_boot_context(PerCpu& cpu) NO_THREAD_SAFETY_ANALYSIS {
    Ref<Thread> boot = TRY(try_new_ref<Thread>("boot", ThreadOptions{}));
    RunQueue& queue = *cpu.run_queue;
    adopt_context(cpu, *boot);
    SpinLockGuard guard(queue.lock);
    queue.ready.enqueue(*boot, ReadyQueue::Arrival::Fresh);
    queue.ready.start_best();
    boot->queued_.store(true, Order::relaxed);
    queue.urgency.store(RunQueue::urgency_of(*boot), Order::relaxed);
    queue.current = &boot.release();
    return {};
}

Result<void> prepare_cpu(PerCpu& cpu) {
    Own<CpuCallQueue> calls = TRY(try_new<CpuCallQueue>());
    Own<time::CpuTimers> timers = TRY(try_new<time::CpuTimers>());
    Own<sync::CpuReadSide> read_side = TRY(try_new<sync::CpuReadSide>());
    Ref<Thread> idle = TRY(Dispatcher::make_idle_thread(cpu));
    Own<RunQueue> queue = TRY(try_new<RunQueue>(cpu, std::move(idle)));
    cpu.call_queue = calls.release();
    cpu.timers = timers.release();
    cpu.read_side = read_side.release();
    cpu.run_queue = queue.release();
    return {};
}

void* startup_stack_top(const PerCpu& cpu) {
    return Dispatcher::startup_stack_top(cpu);
}

Result<void> initialize_boot_cpu() {
    PerCpu& cpu = arch::this_cpu();
    TRY(time::Clock::initialize());
    TRY(sync::ReadSide::initialize());
    g_kernel.scheduler = TRY(try_new<Scheduler>()).release();
    TRY(prepare_cpu(cpu));
    TRY(Dispatcher::adopt_boot_context(cpu));
    sync::ReadSide::leave_idle(cpu);
    g_kernel.online.add(cpu.index, Order::seq_cst);
    TRY(sync::ReadSide::start());
    Ref<Thread> reaper = TRY(Thread::create("reaper", [](void*) { Dispatcher::reap(); }, nullptr, kHousekeeping));
    reaper->start();
    arch::enable_interrupts();
    preempt_if_wanted();
    return {};
}

void run_secondary_cpu() {
    PerCpu& cpu = arch::this_cpu();
    Dispatcher::adopt_context(cpu, cpu.run_queue->idle.get());
    sync::ReadSide::leave_idle(cpu);
    g_kernel.online.add(cpu.index, Order::seq_cst);
    // Shoot-downs reach this CPU from here on; what it has cached since it loaded its page table
    // may have been unmapped in between.
    arch::flush_all();
    g_kernel.scheduler->idle_cpus.add(cpu.index, Order::relaxed);
    Dispatcher::idle_loop();
}

void schedule() {
    ASSERT(sleep_allowed());
    InterruptGuard guard;
    Dispatcher::switch_threads(Dispatcher::Reason::Voluntary);
}

void preempt() {
    do {
        Dispatcher::switch_threads(Dispatcher::Reason::Preempted);
        // Settling the switch may have woken somebody better. Nobody looks behind us: the next may be user mode.
    } while (arch::preempt_state() == 0);
}

void handle_reschedule_interrupt() {
    arch::set_reschedule_wanted();
}

}  // namespace cairn::sched
