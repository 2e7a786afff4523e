/// Moving threads between CPUs: idle CPUs pull, busy ones even out now and then, and a change of
/// affinity expels a thread from where it may not be.

#include "kernel/sched/dispatcher.h"

namespace cairn::sched {

namespace {

/// How often a busy CPU compares itself with the others.
constexpr Nanoseconds kBalancePeriod = Nanoseconds::from_milliseconds(10);

/// The two run queues, in the order of their CPUs; `held` is held already and stays so, though not
/// throughout.
void lock_second(RunQueue& held, RunQueue& other) NO_THREAD_SAFETY_ANALYSIS {
    if (held.cpu.index < other.cpu.index) {
        other.lock.lock_interrupts_off(RankUse::SecondOfPair);
        return;
    }
    held.lock.unlock_keep_interrupts_off();
    other.lock.lock_interrupts_off();
    held.lock.lock_interrupts_off(RankUse::SecondOfPair);
}

}  // namespace

/// Takes a waiting thread from another CPU. `queue.lock` is held, and is let go in between.
bool Dispatcher::pull_work(RunQueue& queue, Surplus surplus) NO_THREAD_SAFETY_ANALYSIS {
    CpuSet loaded = g_kernel.scheduler->loaded_cpus.snapshot(Order::relaxed);
    loaded.remove(queue.cpu.index);
    bool done = false;
    loaded.for_each([&](CpuIndex index) NO_THREAD_SAFETY_ANALYSIS {
        RunQueue& other = run_queue_of(index.value);
        u32 needed = surplus == Surplus::AnyWaiting ? 1 : queue.ready.waiting_count() + 2;
        if (done || other.waiting.load(Order::relaxed) < needed) {
            return;
        }
        lock_second(queue, other);
        bool own_work = surplus == Surplus::AnyWaiting && queue.ready.waiting_count() != 0;
        done = own_work || take_one(other, queue);
        other.lock.unlock_keep_interrupts_off();
    });
    return done;
}

/// Both locks are held. A thread that is still on its old CPU's stack cannot be taken.
bool Dispatcher::take_one(RunQueue& from, RunQueue& to) NO_THREAD_SAFETY_ANALYSIS {
    Thread* chosen = nullptr;
    from.ready.find_movable([&](Schedulable& candidate) {
        Thread& thread = static_cast<Thread&>(candidate);
        if (!may_use(thread, to.cpu.index) || thread.on_cpu_.load(Order::acquire)) {
            return false;
        }
        chosen = &thread;
        return true;
    });
    if (chosen == nullptr) {
        return false;
    }
    from.account(arch::monotonic_now());
    // `queued_` stays true: a waker that read false in between would enqueue the thread itself, if it
    // was preempted while it announced a sleep.
    from.ready.dequeue(*chosen);
    from.publish();
    to.enqueue(*chosen, ReadyQueue::Arrival::Moved);
    return true;
}

void Dispatcher::spread_load(RunQueue& queue, Nanoseconds now) NO_THREAD_SAFETY_ANALYSIS {
    // An idle CPU that got nothing when it looked, since the thread was being switched out or not
    // allowed there then.
    CpuSet idle = g_kernel.scheduler->idle_cpus.snapshot(Order::relaxed);
    bool asked = false;
    idle.for_each([&](CpuIndex cpu) NO_THREAD_SAFETY_ANALYSIS {
        if (!asked && cpu != queue.cpu.index) {
            RunQueue& other = run_queue_of(cpu.value);
            SpinLockGuard guard(other.lock);
            other.request_reschedule();
            asked = true;
        }
    });
    if (asked || now < queue.next_balance) {
        return;
    }
    queue.next_balance = now + kBalancePeriod;
    SpinLockGuard guard(queue.lock);
    pull_work(queue, Surplus::Imbalance);
}

Result<void> Dispatcher::set_affinity(Thread& thread, const CpuSet& affinity) NO_THREAD_SAFETY_ANALYSIS {
    if ((affinity & g_kernel.online.snapshot(Order::relaxed)).empty()) {
        return fail(Errno::einval);
    }
    might_sleep();
    {
        SpinLockGuard guard(thread.lock_);
        RunQueue& queue = lock_run_queue_of(thread);
        thread.affinity_ = affinity;
        queue.lock.unlock_keep_interrupts_off();
    }
    // Who waits for it to leave a CPU that it may use again now waits no longer.
    g_kernel.scheduler->migrations.wake_all();
    while (!expel(thread)) {
        arch::cpu_relax();  // it is being switched out, interrupts off
    }
    if (&thread == &current_thread()) {
        schedule();
    }
    g_kernel.scheduler->migrations.wait_until([&] { return off_forbidden_cpu(thread); });
    return {};
}

/// Starts the thread's way off a CPU that it may not use any more. False: ask again.
bool Dispatcher::expel(Thread& thread) NO_THREAD_SAFETY_ANALYSIS {
    SpinLockGuard guard(thread.lock_);
    RunQueue& queue = lock_run_queue_of(thread);
    bool settled = true;
    bool moves = false;
    if (!may_use(thread, queue.cpu.index)) {
        if (queue.current == &thread) {
            thread.expelled_ = true;
            queue.request_reschedule();  // put_aside() sees that it may not stay, if it has not put it aside just now
        } else if (!thread.queued_.load(Order::relaxed)) {
            // It sleeps, or is on its way.
        } else if (thread.on_cpu_.load(Order::acquire)) {
            settled = false;
        } else {
            queue.account(arch::monotonic_now());
            queue.dequeue(thread);
            moves = true;
        }
    }
    queue.lock.unlock_keep_interrupts_off();
    if (moves) {
        place_and_enqueue(thread, ReadyQueue::Arrival::Moved);
    }
    return settled;
}

bool Dispatcher::off_forbidden_cpu(Thread& thread) NO_THREAD_SAFETY_ANALYSIS {
    SpinLockGuard guard(thread.lock_);
    RunQueue& queue = lock_run_queue_of(thread);
    bool runs = queue.current == &thread;
    const bool must_leave = runs && !may_use(thread, queue.cpu.index);
    if (must_leave) {
        // Another change may have come since expel(), whose maker need not wait for the switch.
        thread.expelled_ = true;
    }
    bool result = !thread.migrating_ && !must_leave;
    queue.lock.unlock_keep_interrupts_off();
    return result;
}

Result<void> Dispatcher::set_policy(Thread& thread, Policy policy, i32 nice, u32 realtime_priority) {
    bool priority_fits = is_realtime(policy) ? realtime_priority >= 1 && realtime_priority < kRealtimePriorities
                                             : realtime_priority == 0;
    if (nice < kNiceLowest || nice > kNiceHighest || !priority_fits) {
        return fail(Errno::einval);
    }
    SpinLockGuard guard(thread.lock_);
    thread.asked_ = {policy, nice, realtime_priority};
    apply_parameters(thread);
    return {};
}

std::optional<Ref<FairGroup>> Dispatcher::set_group(Thread& thread,
                                                    std::optional<Ref<FairGroup>> group) NO_THREAD_SAFETY_ANALYSIS {
    SpinLockGuard guard(thread.lock_);
    RunQueue& queue = lock_run_queue_of(thread);
    std::swap(thread.group_, group);
    if (thread.queued_.load(Order::relaxed)) {
        queue.account(arch::monotonic_now());
        queue.ready.change_share(thread, thread.group_ ? &(*thread.group_)->share(queue.cpu.index.value) : nullptr);
        queue.request_reschedule();  // other turns, and perhaps a slice that is to end now
    }
    queue.lock.unlock_keep_interrupts_off();
    return group;
}

bool Dispatcher::lend_priority(Thread& thread, u32 priority) {
    SpinLockGuard guard(thread.lock_);
    if (thread.lent_ == priority) {
        return false;
    }
    thread.lent_ = priority;
    apply_parameters(thread);
    return true;
}

/// What was asked for, or what is lent if that is more urgent. The thread's lock is held.
void Dispatcher::apply_parameters(Thread& thread) NO_THREAD_SAFETY_ANALYSIS {
    SchedulingParameters wanted = thread.asked_;
    if (thread.lent_ > wanted.priority) {
        wanted.policy = Policy::Fifo;
        wanted.priority = thread.lent_;
    }
    RunQueue& queue = lock_run_queue_of(thread);
    if (thread.queued_.load(Order::relaxed)) {
        queue.account(arch::monotonic_now());
        queue.ready.change_parameters(thread, wanted.policy, wanted.nice, wanted.priority);
        if (queue.current == &thread) {
            queue.urgency.store(RunQueue::urgency_of(thread), Order::relaxed);
        }
        queue.request_reschedule();
    } else {
        thread.set_parameters(wanted.policy, wanted.nice, wanted.priority);
    }
    queue.lock.unlock_keep_interrupts_off();
}

}  // namespace cairn::sched
