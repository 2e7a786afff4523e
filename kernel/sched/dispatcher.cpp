/// The switch of threads, and what happens right after it.

#include "kernel/sched/dispatcher.h"

#include "kernel/base/panic.h"

namespace cairn::sched {

void Dispatcher::switch_threads(Reason reason) NO_THREAD_SAFETY_ANALYSIS {
    PerCpu& cpu = arch::this_cpu();
    RunQueue& queue = *cpu.run_queue;
    Thread& previous = *cpu.current;
    sync::ReadSide::note_quiescent(cpu);

    queue.lock.lock_interrupts_off();
    arch::Moment moment = arch::moment();
    queue.account(moment.now);
    if (reason == Reason::Yielded) {
        queue.ready.yield_running();
    }
    Atomic<u64>& switches = put_aside(queue, previous, reason);
    if (queue.ready.count() == 0) {
        pull_work(queue, Surplus::AnyWaiting);
        // Enqueueing has accounted up to a later moment.
        moment = arch::moment();
        queue.account(moment.now);
    }
    Schedulable* best = queue.ready.start_best();
    Thread& next = best != nullptr ? static_cast<Thread&>(*best) : queue.idle.get();
    // Whatever was asked for up to here, this is the answer to it.
    arch::clear_reschedule_wanted();
    queue.reschedule_sent.store(false, Order::relaxed);
    queue.publish();
    queue.arm_slice_timer(moment.now);
    queue.arm_watch(next, moment.now);
    if (&next == &previous) {
        queue.lock.unlock_keep_interrupts_off();
        return;
    }

    switches.store(switches.load(Order::relaxed) + 1, Order::relaxed);
    queue.switches.store(queue.switches.load(Order::relaxed) + 1, Order::relaxed);
    next.started_running_ = moment.now;
    previous.stop_ticks(moment.ticks);
    next.start_ticks(moment.ticks);
    next.on_cpu_.store(true, Order::relaxed);
    next.switched_.store(true, Order::relaxed);
    queue.current = &next;
    queue.previous = &previous;
    queue.urgency.store(best == nullptr ? 0 : RunQueue::urgency_of(next), Order::relaxed);
    AtomicCpuSet& idle_cpus = g_kernel.scheduler->idle_cpus;
    if (best == nullptr) {
        queue.idle_polls.store(true, Order::relaxed);
        idle_cpus.add(cpu.index, Order::relaxed);
        queue.publish_idle();
    } else if (&previous == &queue.idle.get()) {
        if (idle_cpus.contains(cpu.index, Order::relaxed)) {
            idle_cpus.remove(cpu.index, Order::relaxed);
        }
        queue.begin_sampling(moment.now);
    }
    queue.lock.unlock_keep_interrupts_off();

    cpu.current = &next;
    if (previous.address_space_ != next.address_space_ && g_kernel.scheduler->address_space_switch != nullptr) {
        g_kernel.scheduler->address_space_switch(previous.address_space_, next.address_space_);
    }
    arch::context_switch(previous.context_, next.context_);
    finish_switch();
}

/// The running thread leaves the run queue, unless it only waits for its next turn. Returns what counts such switches.
Atomic<u64>& Dispatcher::put_aside(RunQueue& queue, Thread& thread, Reason reason) NO_THREAD_SAFETY_ANALYSIS {
    bool sleeps = reason == Reason::Voluntary && thread.state_.load(Order::acquire) != ThreadState::Running;
    if (&thread == &queue.idle.get()) {
        return thread.voluntary_switches_;
    }
    if (sleeps) {
        queue.dequeue(thread);
    } else if (!may_use(thread, queue.cpu.index)) {
        thread.migrating_ = true;
        queue.dequeue(thread);
    }
    return sleeps ? thread.voluntary_switches_ : thread.involuntary_switches_;
}

void Dispatcher::finish_switch() {
    Thread& previous = *arch::this_cpu().run_queue->previous;
    const bool dead = previous.state_.load(Order::relaxed) == ThreadState::Dead;
    if (dead || previous.migrating_ || previous.expelled_) [[unlikely]] {
        finish_last_switch(previous, dead);
        return;
    }
    // Its registers are saved and its stack is unused: from here on another CPU may run it, and
    // unless it is dead or migrating it is not ours to touch.
    previous.on_cpu_.store(false, Order::release);
}

/// The same for a thread that does not come back to this CPU, or that somebody waits for.
void Dispatcher::finish_last_switch(Thread& previous, bool dead) {
    const bool migrating = previous.migrating_;
    const bool expelled = previous.expelled_;
    previous.expelled_ = false;
    previous.on_cpu_.store(false, Order::release);
    if (dead) {
        retire(previous);
    } else if (migrating) {
        SpinLockGuard guard(previous.lock_);
        previous.migrating_ = false;
        place_and_enqueue(previous, ReadyQueue::Arrival::Moved);
    }
    if (expelled || migrating) {
        g_kernel.scheduler->migrations.wake_all();
    }
}

/// A thread will not run again. If the next one is a program's, what is left of it is freed when that returns to user
/// mode: on the CPU that has used it, and without a switch. Interrupts off.
void Dispatcher::retire(Thread& thread) {
    constexpr u32 kMost = 32;
    PerCpu& cpu = arch::this_cpu();
    RunQueue& queue = *cpu.run_queue;
    const u32 count = queue.dead_count.load(Order::relaxed);
    if (cpu.current->task() == nullptr || count >= kMost) {
        leave_to_reaper(thread);
        return;
    }
    queue.dead.push_back(thread);
    queue.dead_count.store(count + 1, Order::relaxed);
    cpu.housekeeping_wanted = true;
}

void Dispatcher::leave_to_reaper(Thread& thread) {
    Scheduler& scheduler = *g_kernel.scheduler;
    {
        SpinLockGuard guard(scheduler.dead_lock);
        scheduler.dead.push_back(thread);
        scheduler.dead_count.store(scheduler.dead_count.load(Order::relaxed) + 1, Order::relaxed);
    }
    scheduler.reaper_work.wake_one();
}

/// The CPU has no program to run that would free its dead.
void Dispatcher::leave_all_to_reaper(RunQueue& queue) {
    while (Thread* thread = queue.dead.pop_front()) {
        leave_to_reaper(*thread);
    }
    queue.dead_count.store(0, Order::relaxed);
}

void Dispatcher::free_own_dead() {
    List<Thread, &Thread::reaper_node_> dead;
    {
        InterruptGuard guard;
        PerCpu& cpu = arch::this_cpu();
        RunQueue& queue = *cpu.run_queue;
        // Together: if the thread is moved before, there is still somebody to come for what is here.
        cpu.housekeeping_wanted = false;
        dead.splice_back(queue.dead);
        queue.dead_count.store(0, Order::relaxed);
    }
    while (Thread* thread = dead.pop_front()) {
        free_dead(*thread);
    }
}

u32 Scheduler::all_dead() const {
    u32 count = dead_count.load(Order::relaxed);
    g_kernel.online.snapshot(Order::relaxed).for_each([&](CpuIndex cpu) {
        count += g_kernel.cpus[cpu.value]->run_queue->dead_count.load(Order::relaxed);
    });
    return count;
}

Thread* Dispatcher::next_dead() {
    Scheduler& scheduler = *g_kernel.scheduler;
    SpinLockGuard guard(scheduler.dead_lock);
    Thread* thread = scheduler.dead.pop_front();
    if (thread != nullptr) {
        scheduler.dead_count.store(scheduler.dead_count.load(Order::relaxed) - 1, Order::relaxed);
    }
    return thread;
}

void Dispatcher::free_dead(Thread& thread) {
    arch::context_destroy(thread.context_);
    KernelStack stack = std::exchange(thread.stack_, {});
    if (stack.base != nullptr) {
        free_kernel_stack(stack);
    }
    thread.ended_.complete_all();
    thread.release_reference();  // the one that start() took
}

void Dispatcher::reap() {
    for (;;) {
        Thread* thread = nullptr;
        g_kernel.scheduler->reaper_work.wait_until([&] {
            thread = next_dead();
            return thread != nullptr;
        });
        free_dead(*thread);
    }
}

/// Many CPUs together can end threads faster than the reaper frees them, and all of memory would wait for it: then
/// whoever makes a thread first frees more than one.
void Dispatcher::help_reaper() {
    constexpr u32 kManyDead = 128;
    constexpr u32 kAtOnce = 4;
    for (u32 i = 0; i < kAtOnce && g_kernel.scheduler->dead_count.load(Order::relaxed) > kManyDead; ++i) {
        if (Thread* thread = next_dead()) {
            free_dead(*thread);
        }
    }
}

void Dispatcher::enter_thread(void* argument) {
    finish_switch();
    Thread& self = *static_cast<Thread*>(argument);
    arch::enable_interrupts();
    preempt_if_wanted();
    self.entry_(self.argument_);
    exit();
}

void Dispatcher::exit() {
    Thread& self = current_thread();
    ASSERT(sleep_allowed());
    if (self.held_mutexes.count != 0) {
        panic("thread {} ends with {} locks held", self.name(), self.held_mutexes.count);
    }
    arch::forbid_interrupts();
    self.state_.store(ThreadState::Dead, Order::release);
    switch_threads(Reason::Voluntary);
    panic("a dead thread runs");
}

void Dispatcher::yield() {
    DEBUG_ASSERT(arch::interrupts_enabled());
    arch::forbid_interrupts();
    switch_threads(Reason::Yielded);
    arch::enable_interrupts();
    preempt_if_wanted();
}

void Dispatcher::adopt_context(PerCpu& cpu, Thread& thread) {
    thread.state_.store(ThreadState::Running, Order::relaxed);
    thread.on_cpu_.store(true, Order::relaxed);
    thread.cpu_.store(cpu.index.value, Order::relaxed);
    thread.started_running_ = arch::monotonic_now();
    thread.start_ticks(arch::tick_counter());
    cpu.current = &thread;
}

void Dispatcher::idle_loop() {
    PerCpu& cpu = arch::this_cpu();  // an idle thread never moves
    RunQueue& queue = *cpu.run_queue;
    for (;;) {
        arch::forbid_interrupts();
        queue.idle_polls.store(false, Order::relaxed);
        // Before the look: these may wake threads that are to run here.
        if (queue.dead_count.load(Order::relaxed) != 0) {
            leave_all_to_reaper(queue);
        }
        sync::ReadSide::enter_idle(cpu);
        full_fence();  // pairs with the one in request_reschedule()
        bool wanted = (arch::preempt_state() & PerCpu::kNoRescheduleBit) == 0;
        if (!wanted && !queue.reschedule_sent.load(Order::relaxed)) {
            arch::wait_for_interrupt();
            arch::forbid_interrupts();
        }
        sync::ReadSide::leave_idle(cpu);
        queue.idle_polls.store(true, Order::relaxed);
        switch_threads(Reason::Voluntary);
        arch::enable_interrupts();
    }
}

}  // namespace cairn::sched
