/// Waking threads and choosing CPUs for them. docs/scheduling.md has the ordering argument.

#include "kernel/sched/dispatcher.h"

namespace cairn::sched {

namespace {

/// Takes back the announcement of a sleep that is in `mask`. The thread may itself have gone on
/// since the caller's last look, and even have ended, and that must not be overwritten.
bool try_end_sleep(Atomic<ThreadState>& state, ThreadStateMask mask) {
    ThreadState seen = state.load(Order::acquire);
    while ((mask_of(seen) & mask) != 0) {
        if (state.compare_exchange(seen, ThreadState::Running, Order::acq_rel, Order::acquire)) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool Dispatcher::wake_interrupts_off(Thread& thread, ThreadStateMask mask) NO_THREAD_SAFETY_ANALYSIS {
    if (&thread == arch::current_thread()) {
        // An interrupt between announcing the sleep and schedule(): there is nothing to enqueue.
        if ((mask_of(thread.state_.load(Order::relaxed)) & mask) == 0) {
            return false;
        }
        thread.state_.store(ThreadState::Running, Order::relaxed);
        return true;
    }
    thread.lock_.lock_interrupts_off();
    const bool woken = wake_locked(thread, mask);
    thread.lock_.unlock_keep_interrupts_off();
    return woken;
}

bool Dispatcher::wake_locked(Thread& thread, ThreadStateMask mask) NO_THREAD_SAFETY_ANALYSIS {
    if ((mask_of(thread.state_.load(Order::acquire)) & mask) == 0) {
        return false;
    }
    if (thread.queued_.load(Order::acquire)) {
        // On its way to sleep. Its CPU decides under the run queue's lock whether it still does.
        RunQueue& queue = lock_run_queue_of(thread);
        bool still_queued = thread.queued_.load(Order::relaxed);
        bool ended = still_queued && try_end_sleep(thread.state_, mask);
        queue.lock.unlock_keep_interrupts_off();
        if (still_queued) {
            return ended;
        }
    }
    // It has left its run queue but may still be on its stack: the CPU that it leaves is in the
    // middle of a switch, interrupts off, and waits for nothing that we hold.
    while (thread.on_cpu_.load(Order::acquire)) {
        arch::cpu_relax();
    }
    // Only who holds its lock changes the state now.
    if ((mask_of(thread.state_.load(Order::relaxed)) & mask) == 0) {
        return false;
    }
    thread.state_.store(ThreadState::Running, Order::relaxed);
    if (!thread.migrating_) {
        place_and_enqueue(thread, ReadyQueue::Arrival::Woken);
    }
    return true;
}

/// A sleeper is enqueued by a waker, who needs its lock, or by the CPU that it leaves for a change of affinity.
bool Dispatcher::hold_asleep(Thread& thread) NO_THREAD_SAFETY_ANALYSIS {
    thread.lock_.lock_interrupts_off();
    // In the order in which a thread goes to sleep: see wake().
    const bool asleep = (mask_of(thread.state_.load(Order::acquire)) & kSleeping) != 0 &&
                        !thread.queued_.load(Order::acquire) && !thread.on_cpu_.load(Order::acquire) &&
                        !thread.migrating_;
    if (!asleep) {
        thread.lock_.unlock_keep_interrupts_off();
    }
    return asleep;
}

void Dispatcher::let_wake(Thread& thread) NO_THREAD_SAFETY_ANALYSIS {
    thread.lock_.unlock_keep_interrupts_off();
}

void Dispatcher::start(Thread& thread) {
    thread.acquire_reference();  // for the time that it lives; the reaper drops it
    SpinLockGuard guard(thread.lock_);
    ASSERT(thread.state_.load(Order::relaxed) == ThreadState::New);
    thread.state_.store(ThreadState::Running, Order::relaxed);
    place_and_enqueue(thread, ReadyQueue::Arrival::Fresh);
}

/// `thread.lock_` is held and the thread is in no queue, so its CPU is ours to choose.
void Dispatcher::place_and_enqueue(Thread& thread, ReadyQueue::Arrival arrival) NO_THREAD_SAFETY_ANALYSIS {
    CpuIndex target = place(thread);
    RunQueue& queue = run_queue_of(target.value);
    queue.lock.lock_interrupts_off();
    queue.enqueue(thread, arrival);
    queue.lock.unlock_keep_interrupts_off();
    // One wake-up takes one idle CPU, so that the next one looks for another.
    AtomicCpuSet& idle_cpus = g_kernel.scheduler->idle_cpus;
    if (idle_cpus.contains(target, Order::relaxed)) {
        idle_cpus.remove(target, Order::relaxed);
    }
}

/// The CPU where the thread ran last if it is idle (its cache is warm), else any idle one, else
/// the one with the least to do; for a real-time thread, the one with the least urgent work.
CpuIndex Dispatcher::place(const Thread& thread) {
    CpuIndex last = thread.cpu();
    if (g_kernel.cpu_count == 1) {
        return last;
    }
    CpuSet allowed = thread.affinity_ & g_kernel.online.snapshot(Order::relaxed);
    CpuSet idle = allowed & g_kernel.scheduler->idle_cpus.snapshot(Order::relaxed);
    if (idle.contains(last)) {
        return last;
    }
    if (!idle.empty()) {
        CpuIndex found = last;
        bool any = false;
        idle.for_each([&](CpuIndex cpu) {
            found = any ? found : cpu;
            any = true;
        });
        return found;
    }
    CpuIndex best = last;
    u64 best_cost = ~u64{0};
    allowed.for_each([&](CpuIndex cpu) {
        const RunQueue& queue = run_queue_of(cpu.value);
        u64 urgency = queue.urgency.load(Order::relaxed);
        u64 load = queue.waiting.load(Order::relaxed) + (urgency != 0 ? 1 : 0);
        u64 cost = thread.is_realtime() ? (urgency << 32) + load : load;
        if (cost < best_cost || (cost == best_cost && cpu == last)) {
            best = cpu;
            best_cost = cost;
        }
    });
    return best;
}

/// Locks the run queue that the thread is in, or was in last. `thread.lock_` is held.
RunQueue& Dispatcher::lock_run_queue_of(Thread& thread) NO_THREAD_SAFETY_ANALYSIS {
    for (;;) {
        u32 cpu = thread.cpu_.load(Order::acquire);
        RunQueue& queue = run_queue_of(cpu);
        queue.lock.lock_interrupts_off();
        if (thread.cpu_.load(Order::relaxed) == cpu) {
            return queue;
        }
        queue.lock.unlock_keep_interrupts_off();  // another CPU has just pulled it over
    }
}

void Dispatcher::announce_sleep(Thread& thread, ThreadState state) {
    thread.state_.store(state, Order::release);
    full_fence();
}

void Dispatcher::cancel_sleep(Thread& thread) {
    thread.state_.store(ThreadState::Running, Order::relaxed);
}

bool Dispatcher::must_end_sleep(const Thread& thread, ThreadState state) {
    u32 ends = 0;
    if (state == ThreadState::Interruptible) {
        ends = Thread::kInterruptPending | Thread::kKillPending;
    } else if (state == ThreadState::Killable) {
        ends = Thread::kKillPending;
    }
    return (thread.pending_.load(Order::relaxed) & ends) != 0;
}

void Dispatcher::interrupt(Thread& thread) {
    set_pending(thread, Thread::kInterruptPending, mask_of(ThreadState::Interruptible));
}

void Dispatcher::kill(Thread& thread) {
    set_pending(thread, Thread::kKillPending, mask_of(ThreadState::Killable) | mask_of(ThreadState::Interruptible));
}

void Dispatcher::watch_run_time(Thread& thread, Nanoseconds at) NO_THREAD_SAFETY_ANALYSIS {
    SpinLockGuard guard(thread.lock_);
    const u64 before = thread.watched_run_time_.load(Order::relaxed);
    thread.watched_run_time_.store(at.value, Order::relaxed);
    if (at.value >= before) {
        return;  // a timer that is set fires once in vain
    }
    // Whoever switches to the thread from here on sees the new value; a CPU that runs it already has to look again.
    RunQueue& queue = lock_run_queue_of(thread);
    if (queue.current == &thread) {
        queue.request_reschedule();
    }
    queue.lock.unlock_keep_interrupts_off();
}

void Dispatcher::set_pending(Thread& thread, u32 bits, ThreadStateMask wakes) {
    thread.pending_.fetch_or(bits, Order::seq_cst);
    full_fence();  // pairs with the one in announce_sleep()
    // A thread that runs a program learns of it when it next enters the kernel: now, by an interrupt.
    if (!wake(thread, wakes) && thread.task() != nullptr) {
        InterruptGuard interrupts;
        const CpuIndex cpu = thread.cpu();
        if (thread.on_cpu() && cpu.value != arch::this_cpu().index.value) {
            arch::send_interrupt(*g_kernel.cpus[cpu.value], arch::InterprocessorInterrupt::Reschedule);
        }
    }
}

}  // namespace cairn::sched
