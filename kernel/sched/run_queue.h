#pragma once
/// RunQueue: a CPU's ReadyQueue with its lock, its clock, its idle thread and the timer that ends
/// slices. PerCpu::run_queue; internal to kernel/sched.
///
/// Lock order: Thread::lock_, then one run queue, or two in the order of their CPUs.

#include "kernel/sched/thread.h"
#include "kernel/time/timer.h"

namespace cairn::sched {

class RunQueue {
public:
    RunQueue(PerCpu& owner, Ref<Thread> idle_thread);

    // --- Under `lock` --------------------------------------------------------------------------
    /// Charges the running thread up to `now`, and asks for another one if its turn is over.
    void account(Nanoseconds now) REQUIRES(lock);
    /// Puts a thread that is in no queue into this one, and preempts the running one for it if it
    /// is better. `thread.lock_` is held, or the thread cannot be woken.
    void enqueue(Thread& thread, ReadyQueue::Arrival arrival) REQUIRES(lock);
    /// Takes a thread out, waiting or running.
    void dequeue(Thread& thread) REQUIRES(lock);
    /// Has the CPU call schedule() soon.
    void request_reschedule() REQUIRES(lock);
    /// Sets the timer if the running thread's slice is to end before the timer fires. Own CPU.
    void arm_slice_timer(Nanoseconds now) REQUIRES(lock) {
        if (ready.waiting_count() != 0) {
            arm_for_slice(now);
        }
    }
    /// Sets the timer for what Thread::watch_run_time() asked for; `thread` runs next and is accounted up to `now`. Own
    /// CPU.
    void arm_watch(Thread& thread, Nanoseconds now) REQUIRES(lock) {
        if (thread.watched_run_time_.load(Order::relaxed) != Nanoseconds::never().value) [[unlikely]] {
            arm_for_watch(thread, now);
        }
    }
    /// The CPU is no longer idle: looks from time to time whether it is in user mode. Own CPU, interrupts off.
    void begin_sampling(Nanoseconds now) {
        if (!sampling) {
            sampling = true;
            sample_timer.arm(now + kSampling);
        }
    }
    /// Tells other CPUs how much waits here.
    void publish() REQUIRES(lock) {
        if (ready.waiting_count() != waiting.load(Order::relaxed)) {
            publish_change();
        }
    }
    /// Nothing waits and nothing runs: others need not look here.
    void publish_idle() REQUIRES(lock);

    static constexpr Nanoseconds kSampling = Nanoseconds::from_milliseconds(4);

    PerCpu& cpu;
    const Ref<Thread> idle;

    SpinLock<LockRank::RunQueue> lock;
    ReadyQueue ready GUARDED_BY(lock);
    Thread* current GUARDED_BY(lock);                                    // runs, or is being switched to
    Nanoseconds slice_deadline GUARDED_BY(lock) = Nanoseconds::never();  // when slice_timer fires
    Nanoseconds watch_deadline GUARDED_BY(lock) = Nanoseconds::never();  // when watch_timer fires
    Nanoseconds next_watch GUARDED_BY(lock){};                           // and not earlier than this

    // --- Own CPU, interrupts off ---------------------------------------------------------------
    Thread* previous = nullptr;  // whom the switch under way leaves
    /// Threads that ended here and are freed by whoever returns to user mode next.
    List<Thread, &Thread::reaper_node_> dead;
    Atomic<u32> dead_count{0};  // read by all
    time::Timer slice_timer;
    time::Timer watch_timer;
    time::Timer sample_timer;
    bool sampling = false;  // sample_timer is armed
    Nanoseconds next_balance{};

    // --- Hints for other CPUs, exact only under `lock` ------------------------------------------
    Atomic<u32> waiting{0};  // threads that wait here
    Atomic<u32> urgency{0};  // of what runs: see urgency_of()

    // --- Figures for /proc/stat -----------------------------------------------------------------
    /// What the CPU did since it came up. Any context.
    struct Times {
        Nanoseconds user;
        Nanoseconds system;
        Nanoseconds idle;
    };
    Times times() const;
    Atomic<u64> switches{0};  // written under `lock`

    // --- Between request_reschedule(), under `lock`, and the idle thread ------------------------
    Atomic<bool> reschedule_sent{false};  // by another CPU, since the last switch_threads()
    Atomic<bool> idle_polls{true};        // the idle thread looks at the above before it sleeps

    /// 0: idle, 1: fair, 2 + priority: real-time.
    static u32 urgency_of(const Schedulable& thread) { return thread.is_realtime() ? 2 + thread.realtime.priority : 1; }

private:
    void publish_change() REQUIRES(lock);
    void arm_for_slice(Nanoseconds now) REQUIRES(lock);
    void arm_for_watch(Thread& thread, Nanoseconds now) REQUIRES(lock);
    SplitTime split_;  // of all the time that the CPU was not idle, in nanoseconds
    static void slice_ended(time::Timer& timer);
    static void watch_ended(time::Timer& timer);
    static void sample(time::Timer& timer);
};

}  // namespace cairn::sched
