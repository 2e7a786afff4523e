#include "kernel/sched/run_queue.h"

#include <algorithm>

#include "kernel/sched/dispatcher.h"
#include "kernel/sched/scheduler.h"

namespace cairn::sched {

namespace {

/// Slices do not end more often than this, whatever the weights.
constexpr Nanoseconds kShortestSlice = Nanoseconds::from_microseconds(100);

/// Whatever the upcall at a watched run time does, for so many times as long as it took it is not made again.
constexpr u64 kWatchRest = 8;

}  // namespace

RunQueue::RunQueue(PerCpu& owner, Ref<Thread> idle_thread)
    : cpu(owner),
      idle(std::move(idle_thread)),
      current(&idle.get()),
      slice_timer(&slice_ended),
      watch_timer(&watch_ended),
      sample_timer(&sample) {}

void RunQueue::account(Nanoseconds now) {
    Thread& thread = *current;
    const Nanoseconds elapsed = now - thread.started_running_;
    thread.started_running_ = now;
    if (ready.account(elapsed)) {
        request_reschedule();
    }
}

void RunQueue::enqueue(Thread& thread, ReadyQueue::Arrival arrival) {
    Nanoseconds now = arch::monotonic_now();
    account(now);
    if (thread.cpu_.load(Order::relaxed) != cpu.index.value) {
        thread.cpu_.store(cpu.index.value, Order::release);
        thread.migrations_.store(thread.migrations_.load(Order::relaxed) + 1, Order::relaxed);
    }
    thread.share = thread.group_ ? &(*thread.group_)->share(cpu.index.value) : nullptr;
    ready.enqueue(thread, arrival);
    thread.queued_.store(true, Order::release);
    publish();
    if (ready.should_preempt(thread)) {
        request_reschedule();
    } else if (&cpu == &arch::this_cpu()) {
        arm_slice_timer(now);
    } else if (slice_deadline == Nanoseconds::never() && ready.remaining_slice() != Nanoseconds::never()) {
        // It ran alone, without a timer, and only its own CPU can set one.
        request_reschedule();
    }
}

void RunQueue::dequeue(Thread& thread) {
    ready.dequeue(thread);
    // After the state that made the thread leave; a waker that reads false goes on to on_cpu_.
    thread.queued_.store(false, Order::release);
    publish();
}

void RunQueue::request_reschedule() {
    if (&cpu == &arch::this_cpu()) {
        arch::set_reschedule_wanted();
        return;
    }
    if (reschedule_sent.load(Order::relaxed)) {
        return;
    }
    reschedule_sent.store(true, Order::relaxed);
    if (current == &idle.get()) {
        // Pairs with the fence in idle_loop(): either it sees the request, or we see it asleep.
        full_fence();
        if (idle_polls.load(Order::relaxed)) {
            return;
        }
    }
    arch::send_interrupt(cpu, arch::InterprocessorInterrupt::Reschedule);
}

void RunQueue::arm_for_slice(Nanoseconds now) {
    Nanoseconds remaining = ready.remaining_slice();
    if (remaining == Nanoseconds::never()) {
        return;  // a timer that is set fires once in vain, which costs less than cancelling it
    }
    Nanoseconds deadline = now + (remaining < kShortestSlice ? kShortestSlice : remaining);
    if (deadline < slice_deadline) {
        slice_deadline = deadline;
        slice_timer.arm(deadline);
    }
}

void RunQueue::arm_for_watch(Thread& thread, Nanoseconds now) {
    const Nanoseconds watched{thread.watched_run_time_.load(Order::relaxed)};
    const Nanoseconds left = watched - thread.run_time();
    const Nanoseconds deadline = std::max(now + left, next_watch);
    if (deadline < watch_deadline) {
        watch_deadline = deadline;
        watch_timer.arm(deadline);
    }
}

void RunQueue::publish_change() {
    const u32 count = ready.waiting_count();
    waiting.store(count, Order::relaxed);
    AtomicCpuSet& loaded = g_kernel.scheduler->loaded_cpus;
    if (count != 0 && !loaded.contains(cpu.index, Order::relaxed)) {
        loaded.add(cpu.index, Order::relaxed);
    }
}

void RunQueue::publish_idle() {
    AtomicCpuSet& loaded = g_kernel.scheduler->loaded_cpus;
    if (loaded.contains(cpu.index, Order::relaxed)) {
        loaded.remove(cpu.index, Order::relaxed);
    }
}

RunQueue::Times RunQueue::times() const {
    Nanoseconds idle_time;
    const SplitTime::Parts parts = split_.split([&] {
        const Nanoseconds now = arch::monotonic_now();
        idle_time = std::min(idle->run_time(), now);
        return (now - idle_time).value;
    });
    return {.user = {parts.user}, .system = {parts.system}, .idle = idle_time};
}

void RunQueue::slice_ended(time::Timer& timer) {
    RunQueue& self = *object_of_member<RunQueue, time::Timer, &RunQueue::slice_timer>(&timer);
    Nanoseconds now;
    bool competition;
    {
        SpinLockGuard guard(self.lock);
        now = arch::monotonic_now();  // not before another CPU's account()
        self.slice_deadline = Nanoseconds::never();
        self.account(now);
        self.arm_slice_timer(now);
        competition = self.ready.waiting_count() != 0;
    }
    if (competition) {
        Dispatcher::spread_load(self, now);
    }
}

void RunQueue::watch_ended(time::Timer& timer) {
    RunQueue& self = *object_of_member<RunQueue, time::Timer, &RunQueue::watch_timer>(&timer);
    const Nanoseconds begin = arch::monotonic_now();
    for (bool told = false;; told = true) {
        Thread* thread = nullptr;
        {
            SpinLockGuard guard(self.lock);
            const Nanoseconds now = arch::monotonic_now();
            self.watch_deadline = Nanoseconds::never();
            self.account(now);
            thread = self.current;
            if (told) {
                self.next_watch = now + Nanoseconds{kWatchRest * (now - begin).value};
            }
            if (told || Nanoseconds{thread->watched_run_time_.load(Order::relaxed)} > thread->run_time()) {
                self.arm_watch(*thread, now);
                return;
            }
        }
        g_kernel.scheduler->run_time_reached(*thread);
    }
}

void RunQueue::sample(time::Timer& timer) {
    RunQueue& self = *object_of_member<RunQueue, time::Timer, &RunQueue::sample_timer>(&timer);
    self.sampling = false;
    Thread& thread = *self.cpu.current;
    if (&thread == &self.idle.get()) {
        return;
    }
    const Nanoseconds now = arch::monotonic_now();
    const bool in_kernel = !self.cpu.interrupted_user_mode;
    thread.split_.sample(thread.ticks_run(), in_kernel);
    self.split_.sample((now - std::min(self.idle->run_time(), now)).value, in_kernel);
    self.begin_sampling(now);
}

}  // namespace cairn::sched
