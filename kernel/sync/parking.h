#pragma once
/// How a thread sleeps: the one mechanism under wait queues, mutexes and everything else that
/// blocks. A Parking is a place on the sleeper's own stack with a flag; the thread sleeps until
/// somebody raises the flag, or until its deadline, an interruption or a kill ends the sleep.
///
/// Whoever is to raise the flag finds the Parking through a structure with a lock (the list of a
/// wait queue) and calls notify() under that lock; the sleeper takes itself out of that structure
/// before it leaves. A notify() that comes first is kept: the next sleep() returns at once.

#include "kernel/base/atomic.h"
#include "kernel/base/types.h"

namespace cairn::sched {
class Thread;
}

namespace cairn::sync {

/// What may end a sleep besides its purpose (and its deadline).
enum class SleepKind : u8 {
    Uninterruptible,  // nothing
    Killable,         // sched::kill
    Interruptible,    // sched::kill and sched::interrupt
};

/// Why a sleep ended.
enum class WakeReason : u8 { Condition, Interrupted, TimedOut };

class Parking {
public:
    /// For the calling thread.
    Parking();
    Parking(const Parking&) = delete;
    Parking& operator=(const Parking&) = delete;

    /// Sleeps until notified (Condition), until `deadline` of the monotonic clock (TimedOut), or
    /// until what `kind` admits (Interrupted). A raised flag wins over the other two and stays
    /// raised. Only the thread that made the Parking; may sleep.
    WakeReason sleep(SleepKind kind, Nanoseconds deadline);

    /// Raises the flag and wakes the sleeper. Interrupts off, any context. From the moment the
    /// flag is up the Parking may be gone.
    void notify();

    bool notified() const { return notified_.load(Order::acquire); }
    /// Lowers the flag; when nobody can be about to raise it.
    void reset() { notified_.store(false, Order::relaxed); }
    sched::Thread& thread() const { return thread_; }

private:
    sched::Thread& thread_;
    Atomic<bool> notified_{false};
};

}  // namespace cairn::sync
