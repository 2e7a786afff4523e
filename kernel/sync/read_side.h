#pragma once
/// The read side: read-mostly structures are read without a lock and without a shared write, and
/// what a writer has unlinked is freed only when every reader that might still see it is done
/// (McKenney & Slingwine, "Read-Copy Update", 1998).
///
///     reader:  ReadGuard guard;  Entry* entry = table.find(key);  …use it inside the scope…
///     writer:  unlink(entry);  call_after_grace_period(entry->head, &free_entry);
///
/// A reader is a stretch with preemption off (spinlocks and interrupt handlers are readers too).
/// A CPU that switches threads, idles, or takes an interrupt while preemption is on has no reader:
/// it is quiescent. A grace period is over when each CPU has been quiescent once. See
/// docs/locking.md.

#include "kernel/base/atomic.h"
#include "kernel/base/kernel.h"
#include "kernel/sync/parking.h"
#include "kernel/sync/preemption.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::sync {

/// A reader for a scope. Nests; nothing in it may sleep.
class SCOPED_CAPABILITY ReadGuard {
public:
    ReadGuard() ACQUIRE(preempt_off) { disable_preemption(); }
    ~ReadGuard() RELEASE() { enable_preemption(); }
    ReadGuard(const ReadGuard&) = delete;
    ReadGuard& operator=(const ReadGuard&) = delete;
};

/// Lives in the object that is to be freed.
struct ReadSideHead {
    using Callback = void (*)(ReadSideHead&);
    ReadSideHead* next = nullptr;
    Callback callback = nullptr;
};

/// Has `callback(head)` called after all readers that run now are done: on this CPU if it is busy then, so that it
/// frees what it has used, and by a kernel thread otherwise. The callback runs in thread context, of whatever thread,
/// and may take sleeping locks, but should be short, since others wait behind it. Allocates nothing. Any context that
/// holds no lock of rank WaitQueue or inner.
void call_after_grace_period(ReadSideHead& head, ReadSideHead::Callback callback);

/// Calls what is due on this CPU: for long loops that give it much of that, else it grows until they return to user
/// mode. Thread context; nothing held that callbacks take.
void call_due_callbacks();

/// Sleeps until all readers that run now are done. Thread context.
void wait_for_readers();

/// Somebody waits for what call_after_grace_period() has been given: no more is gathered first. Any context, as there.
void hurry_grace_period();

/// One CPU's part (PerCpu::read_side).
struct alignas(kCacheLine) CpuReadSide {
    Atomic<bool> asked{false};  // a grace period waits for this CPU; whoever clears it counts it down
    Atomic<bool> idle{true};    // sleeps, or has not started: quiescent until it says otherwise

    SpinLock<LockRank::ReadSide> lock;  // of the four below
    ReadSideHead* first GUARDED_BY(lock) = nullptr;
    ReadSideHead** last GUARDED_BY(lock) = &first;
    u32 count GUARDED_BY(lock) = 0;
    Atomic<ReadSideHead*> due{nullptr};  // this CPU's callbacks whose grace period is over; read without the lock

    ReadSideHead* waiting = nullptr;  // taken over from `first` for the grace period under way; ReadSide's thread only
};

/// g_kernel.read_side: drives grace periods, one at a time, from a thread of its own.
class ReadSide {
public:
    /// Makes g_kernel.read_side; callbacks may be queued from then on. Boot CPU, once. ENOMEM.
    static Result<void> initialize();
    /// Starts its thread. Boot CPU, once, when threads can be made. ENOMEM.
    static Result<void> start();

    /// This CPU has no reader now. Interrupts off, no lock held. Called at each switch of threads.
    static void note_quiescent(PerCpu& cpu) {
        if (cpu.read_side->asked.load(Order::relaxed)) [[unlikely]] {
            pass(*cpu.read_side);
        }
    }
    /// This CPU is about to sleep and has no reader until leave_idle(). May wake a thread, here too: look afterwards
    /// whether there is something to run. Interrupts off.
    static void enter_idle(PerCpu& cpu);
    /// First thing after a sleep, also in the interrupt handler that ends it. Interrupts off.
    static void leave_idle(PerCpu& cpu) {
        if (cpu.read_side->idle.load(Order::relaxed)) {
            cpu.read_side->idle.store(false, Order::relaxed);
            full_fence();  // pairs with the one in begin_grace_period()
        }
    }
    /// An interrupt has arrived on this CPU: call first in its handler. Interrupts off.
    static void note_interrupt(PerCpu& cpu) {
        leave_idle(cpu);
        if (cpu.read_side->asked.load(Order::relaxed)) [[unlikely]] {
            pass_in_interrupt(cpu);
        }
        if (cpu.read_side->due.load(Order::relaxed) != nullptr) [[unlikely]] {
            want_housekeeping(cpu);
        }
    }

    /// Calls the callbacks of a CPU whose grace period is over. On that CPU, or soon after it has been left; thread
    /// context.
    static void call_due(PerCpu& cpu);

private:
    friend void call_after_grace_period(ReadSideHead& head, ReadSideHead::Callback callback);
    friend void hurry_grace_period();

    static void pass(CpuReadSide& cpu);
    static void pass_in_interrupt(PerCpu& cpu);
    static void want_housekeeping(PerCpu& cpu);
    [[noreturn]] void run();
    void collect();
    void begin_grace_period();
    static bool hand_out(bool awaited);
    static bool leave_to(PerCpu& cpu, ReadSideHead* list);
    void press_laggards();

    Atomic<u32> unfinished_{0};    // CPUs that the grace period still waits for
    Atomic<bool> wanted_{false};   // somebody has queued a callback since the last collect()
    Atomic<bool> urgent_{false};   // and does not want to wait for more to come
    Atomic<bool> awaited_{false};  // and sleeps until its callback has been called
    WaitQueue work_;               // the thread waits for wanted_, then for urgent_
    WaitQueue finished_;           // the thread waits for unfinished_ == 0
};

}  // namespace cairn::sync
