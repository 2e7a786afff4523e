#pragma once
/// Thread: what the scheduler runs. A kernel thread, or the kernel's half of a user thread.
///
/// Who protects what: `lock_` (rank Thread) the parameters, and that only one waker at a time acts;
/// the run queue of cpu() the Schedulable part and `queued_`. `cpu_` changes under the lock of the
/// run queue that is left, or under `lock_` while the thread is in none. `on_cpu_` is set by the
/// CPU that switches to the thread, and cleared by that CPU once the stack is no longer used.
/// The memory of a Thread is freed after a grace period, so a pointer found inside a read-side
/// section stays good until the section ends.

#include <optional>
#include <string_view>

#include "arch/arch.h"
#include "kernel/base/ref.h"
#include "kernel/sched/address_space_hook.h"
#include "kernel/sched/fair_group.h"
#include "kernel/sched/kernel_stack.h"
#include "kernel/sched/ready_queue.h"
#include "kernel/sched/split_time.h"
#include "kernel/sync/completion.h"
#include "kernel/sync/read_side.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::task {
class Task;
}

namespace cairn::sched {

enum class VectorState : u8 { None, Own };

struct ThreadOptions {
    Policy policy = Policy::Fair;
    i32 nice = 0;               // kNiceLowest … kNiceHighest
    u32 realtime_priority = 0;  // 1 … 99 with Fifo and RoundRobin, else 0
    CpuSet affinity = CpuSet::first(kMaxCpus);
    VectorState vector_state = VectorState::None;  // Own: may use SSE/AVX registers
};

/// For threads that give back what others have done with: thousands of programs that want to run must not keep them
/// from it, or more garbage comes than goes. Their work is short, and as much as others make.
inline constexpr ThreadOptions kHousekeeping{.policy = Policy::Fifo, .realtime_priority = 1};

struct SchedulingParameters {
    Policy policy = Policy::Fair;
    i32 nice = 0;
    u32 priority = 0;  // as ThreadOptions::realtime_priority
};

/// What a thread is up to; bits, so that a waker can say whom it means.
enum class ThreadState : u32 {
    Running = 0,  // runs, or waits in a run queue for its turn
    Uninterruptible = 1,
    Killable = 2,
    Interruptible = 4,
    New = 8,
    Dead = 16,
};
using ThreadStateMask = u32;
constexpr ThreadStateMask mask_of(ThreadState state) {
    return static_cast<u32>(state);
}
/// Everybody who sleeps.
constexpr ThreadStateMask kSleeping =
    mask_of(ThreadState::Uninterruptible) | mask_of(ThreadState::Killable) | mask_of(ThreadState::Interruptible);

struct ThreadStatistics {
    Nanoseconds run_time;
    u64 voluntary_switches;    // it went to sleep
    u64 involuntary_switches;  // somebody else had its turn
    u64 migrations;
};

class Thread : public RefCounted<Thread>, public Schedulable {
public:
    /// A thread that start() will have call `entry(argument)`; when that returns, it exits. EINVAL
    /// for impossible options (also an affinity without an online CPU), ENOMEM. Thread context.
    static Result<Ref<Thread>> create(std::string_view name, void (*entry)(void*), void* argument,
                                      const ThreadOptions& options = {});

    /// Makes it runnable; once. Any context.
    void start();
    /// Sleeps until the thread has ended and its stack is free. Not by itself.
    void join();

    /// The CPUs it may run on. When this returns, it runs on none that it may not. EINVAL if no
    /// online CPU is in the set. Thread context; may sleep.
    Result<void> set_affinity(const CpuSet& affinity);
    CpuSet affinity();
    /// EINVAL outside the ranges of ThreadOptions. Any context.
    Result<void> set_policy(Policy policy, i32 nice, u32 realtime_priority);
    Result<void> set_nice(i32 nice);
    /// The threads with whom it shares the processor as one; nothing: it competes by itself. Any context; the group
    /// that it leaves is returned, to be dropped where no lock is held.
    std::optional<Ref<FairGroup>> set_group(std::optional<Ref<FairGroup>> group);
    /// What was asked for; `policy` and `realtime` are what it runs with, which may be lent.
    const SchedulingParameters& asked() const { return asked_; }
    /// How urgent it is among real-time threads as it runs now; 0 for the others.
    u32 urgency() const { return is_realtime() ? realtime.priority : 0; }
    /// Runs with this real-time priority as long as it is more urgent than what was asked for; 0: no longer. False:
    /// nothing new. Any context.
    bool lend_priority(u32 priority);

    std::string_view name() const { return {name_, name_length_}; }
    /// Unique for the life of the kernel; 0 is nobody.
    u64 id() const { return id_; }
    arch::ThreadContext& context() { return context_; }
    const KernelStack& stack() const { return stack_; }
    ThreadState state() const { return state_.load(Order::relaxed); }
    /// Where it runs, or ran last.
    CpuIndex cpu() const { return {cpu_.load(Order::acquire)}; }
    /// Whether it runs at this moment (or is being switched to or from).
    bool on_cpu() const { return on_cpu_.load(Order::acquire); }
    ThreadStatistics statistics() const;
    /// Processor time so far, up to this moment if it runs. Any context.
    Nanoseconds run_time() const { return arch::time_of_ticks(ticks_run()); }
    /// The same in two parts, of one moment.
    struct RunTimes {
        Nanoseconds user;
        Nanoseconds system;
    };
    RunTimes run_times() const;
    /// Its user time stands still for now: the last sample found it in the kernel.
    bool user_time_stands_still() const { return split_.in_kernel(); }
    /// Whether it has got a CPU, after another thread, since clear_switched(). By the thread itself.
    bool was_switched() const { return switched_.load(Order::relaxed); }
    /// As if it had: its next return to user mode looks for what is to be done.
    void set_switched() { switched_.store(true, Order::relaxed); }
    void clear_switched() { switched_.store(false, Order::relaxed); }

    /// The frame allocator had nothing for it (or for an interrupt that came while it ran); by the thread itself.
    void note_shortage_of_memory() {
        memory_shortages_.store(memory_shortages_.load(Order::relaxed) + 1, Order::relaxed);
    }
    /// How often, to compare. By the thread itself.
    u32 memory_shortages() const { return memory_shortages_.load(Order::relaxed); }
    /// It belongs to a crowd that has used up the memory: until then it leaves the allocator's reserve of frames to
    /// others, who are to get on beside the crowd. Any context.
    void restrain_until(Nanoseconds at) { restrained_until_.store(at.value, Order::relaxed); }
    Nanoseconds restrained_until() const { return {restrained_until_.load(Order::relaxed)}; }
    bool restrained() const {
        const Nanoseconds until = restrained_until();
        return until != Nanoseconds{} && arch::monotonic_now() < until;
    }
    /// Has Scheduler::run_time_reached called once the thread has run for `at` in all, soon after that moment; never():
    /// not any more. Replaces what was asked for before. Any context.
    void watch_run_time(Nanoseconds at);

    /// What ends its Interruptible and Killable sleeps; see interrupt() and kill().
    bool interrupt_pending() const { return (pending_.load(Order::acquire) & kInterruptPending) != 0; }
    bool kill_pending() const { return (pending_.load(Order::acquire) & kKillPending) != 0; }
    /// Either of the two.
    bool any_pending() const { return (pending_.load(Order::acquire) & (kInterruptPending | kKillPending)) != 0; }
    /// One of these, or its next return to user mode has something else to do. To be asked with interrupts off.
    bool wants_attention() const { return pending_.load(Order::acquire) != 0; }
    /// By the thread itself.
    void want_attention() { pending_.fetch_or(kAttention, Order::relaxed); }
    void clear_attention() {
        if ((pending_.load(Order::relaxed) & kAttention) != 0) {
            pending_.fetch_and(~kAttention, Order::relaxed);
        }
    }
    /// The interruption has been dealt with; a kill stays.
    void clear_interrupt() {
        if ((pending_.load(Order::relaxed) & kInterruptPending) != 0) {
            pending_.fetch_and(~kInterruptPending, Order::relaxed);
        }
    }

    /// The address space it runs in; null for kernel threads. Changed only by itself or before start().
    mm::AddressSpace* address_space() const { return address_space_; }
    void set_address_space(mm::AddressSpace* space) { address_space_ = space; }

    /// The user thread whose kernel half this is; null for kernel threads. Set before start(); opaque here.
    task::Task* task() const { return task_; }
    void set_task(task::Task* task) { task_ = task; }

    HeldLocks held_mutexes;  // by the thread itself

    void last_reference_dropped();

    /// Use create(); public for try_new_ref only.
    Thread(std::string_view name, const ThreadOptions& options);
    ~Thread();

private:
    friend class Dispatcher;
    friend class RunQueue;
    friend class Scheduler;

    static constexpr usize kNameLimit = 31;
    static constexpr u32 kInterruptPending = 1;
    static constexpr u32 kKillPending = 2;
    static constexpr u32 kAttention = 4;
    static constexpr u64 kNone = ~u64{0};

    /// How many ticks of arch::tick_counter() it has run for.
    u64 ticks_run() const {
        for (;;) {
            const u64 not_run = not_run_ticks_.load(Order::acquire);
            const u64 ran = not_run == kNone ? ran_ticks_.load(Order::relaxed) : arch::tick_counter() - not_run;
            if (not_run_ticks_.load(Order::acquire) == not_run) {
                return ran;  // else it has just lost or got a CPU
            }
        }
    }
    /// It loses its CPU, or gets one: when that CPU's counter is at `now`.
    void stop_ticks(u64 now) {
        ran_ticks_.store(now - not_run_ticks_.load(Order::relaxed), Order::relaxed);
        not_run_ticks_.store(kNone, Order::release);
    }
    void start_ticks(u64 now) { not_run_ticks_.store(now - ran_ticks_.load(Order::relaxed), Order::release); }

    Atomic<ThreadState> state_{ThreadState::New};
    Atomic<bool> queued_{false};  // in a run queue, waiting or running
    Atomic<bool> on_cpu_{false};
    Atomic<bool> switched_{true};
    Atomic<u32> cpu_{0};
    Atomic<u32> pending_{0};
    bool migrating_ = false;  // in no run queue: the CPU that it leaves will enqueue it elsewhere
    bool expelled_ = false;   // somebody waits until it has left its CPU; set under the run queue's lock while it runs
    SpinLock<LockRank::Thread> lock_;
    SchedulingParameters asked_;
    u32 lent_ = 0;                         // a real-time priority
    CpuSet affinity_;                      // written under lock_ and the run queue's, read under either
    std::optional<Ref<FairGroup>> group_;  // likewise
    mm::AddressSpace* address_space_ = nullptr;
    task::Task* task_ = nullptr;
    arch::ThreadContext context_;

    Nanoseconds started_running_;  // when it last got the CPU or was accounted; the run queue's lock
    // In ticks of arch::tick_counter() of the CPU that it runs on.
    Atomic<u64> not_run_ticks_{kNone};  // the counter less what it has run for; kNone: it does not run
    Atomic<u64> ran_ticks_{0};          // what it had run for when it last lost the CPU
    SplitTime split_;                   // sampled by its CPU
    Atomic<u64> watched_run_time_{Nanoseconds::never().value};
    Atomic<u32> memory_shortages_{0};
    Atomic<u64> restrained_until_{0};
    Atomic<u64> voluntary_switches_{0};
    Atomic<u64> involuntary_switches_{0};
    Atomic<u64> migrations_{0};

    void (*entry_)(void*) = nullptr;
    void* argument_ = nullptr;
    KernelStack stack_;  // empty for a thread that start-up made from a boot stack
    sync::Completion ended_;
    ListNode reaper_node_;
    sync::ReadSideHead free_head_;
    u64 id_;
    u8 name_length_;
    char name_[kNameLimit];
};

/// Sets the flag that ends Interruptible (kill: also Killable) sleeps, and wakes the thread if it
/// is in one. The flag stays until clear_interrupt(), so a sleep that begins later ends at once.
/// Any context; the caller holds a reference or is inside a read-side section.
void interrupt(Thread& thread);
void kill(Thread& thread);

/// Makes a thread runnable whose state is in `mask`; false if it is in none of these states. The
/// caller has changed what the thread waits for before, in a way that orders that change against
/// this function's look at the state (a lock that the sleeper takes as well, or a full fence).
/// Any context; the thread is kept alive as above.
bool wake(Thread& thread, ThreadStateMask mask = kSleeping);

/// True: the thread sleeps, no CPU uses its stack, and nobody wakes it until let_wake(), so that what it left behind
/// may be looked at and changed. False: it runs, is about to sleep or to go on. Interrupts off from one to the other;
/// locks of rank Thread and inner are not to be taken in between.
bool hold_asleep(Thread& thread);
void let_wake(Thread& thread);

/// The calling thread. Not in the short stretches of start-up before there is one.
inline Thread& current_thread() {
    return *arch::current_thread();
}

/// Ends the calling thread; the same as returning from its entry. Its locks are released.
[[noreturn]] void exit_current_thread();

/// Lets the others of the run queue have their turn first (sched_yield(2)).
void yield();

/// Frees what is left of threads that ended on this CPU, as far as that is not the reaper's work. Thread context.
void free_dead_threads();

/// Sleep, uninterruptibly, until the deadline or for the length of time.
void sleep_until(Nanoseconds deadline);
void sleep_for(Nanoseconds length);

/// Panics in atomic context, and while a spinlock is held; checked builds only.
inline void might_sleep() {
    DEBUG_ASSERT(sleep_allowed());
}

}  // namespace cairn::sched
