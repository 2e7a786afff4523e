#pragma once
/// One-shot timers in nanoseconds of the monotonic clock. Each CPU keeps its timers in a tree by
/// deadline and programs its hardware for the earliest one only; there is no periodic tick.
///
/// A timer belongs to its owner, who may arm and cancel it from any CPU and any context, and must
/// not free it while it is armed or its callback may run (cancel_and_wait). It fires on the CPU
/// that armed it last. The callback runs in the timer interrupt, with no lock held; it may arm the
/// timer again, and it may free it.

#include "arch/arch.h"
#include "kernel/base/atomic.h"
#include "kernel/base/rb_tree.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::time {

class CpuTimers;

class Timer {
public:
    using Callback = void (*)(Timer& timer);
    explicit Timer(Callback callback) : callback_(callback) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Has the callback run at or shortly after `deadline`, once; replaces an earlier request.
    /// A deadline in the past fires at once (but never before arm() returns); never() is cancel().
    void arm(Nanoseconds deadline);
    /// Takes the request back. True: it had not fired and will not. False: there was none, or
    /// the callback has run or is running. Any context.
    bool cancel();
    /// cancel(), and waits while the callback runs on another CPU. Not from the callback itself,
    /// and not while holding a lock that the callback takes.
    bool cancel_and_wait();
    /// Its callback runs just now. For who holds a lock under which alone the timer is armed, the callback included.
    bool is_expiring() const;

private:
    friend class CpuTimers;
    CpuTimers* lock_home(arch::InterruptState& state);

    const Callback callback_;
    Atomic<CpuTimers*> home_{nullptr};  // whose lock protects this timer; null: never armed
    Nanoseconds deadline_{};            // under home_'s lock
    RbNode node_;                       // under home_'s lock; linked while armed
};

/// One CPU's timers (PerCpu::timers).
class CpuTimers {
public:
    /// Runs what is due and programs the hardware for the next. On its own CPU, interrupts off.
    void run_expired();

private:
    friend class Timer;
    struct ByDeadline {
        static bool less(const Timer& a, const Timer& b) { return a.deadline_ < b.deadline_; }
    };
    void insert(Timer& timer, Nanoseconds deadline) REQUIRES(lock_);

    SpinLock<LockRank::Timer> lock_;
    RbTree<Timer, &Timer::node_, ByDeadline> timers_ GUARDED_BY(lock_);
    Nanoseconds programmed_ GUARDED_BY(lock_) = Nanoseconds::never();  // what the hardware was told
    Atomic<Timer*> running_{nullptr};                                  // whose callback runs; changes under lock_
    bool expiring_ GUARDED_BY(lock_) = false;  // run_expired() is at work and will program the hardware
};

/// The upcall for InterruptKind::Timer. Interrupts off.
void handle_timer_interrupt();

}  // namespace cairn::time
