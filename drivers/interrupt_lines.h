#pragma once
/// Who handles the interrupts of devices. Several devices may share a line; the list of handlers only grows, so that it
/// is walked without a lock in the interrupt.
///
/// Lock: InterruptLines for adding.

#include "arch/platform.h"
#include "kernel/base/atomic.h"
#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::drivers {

/// Derived from by a driver's device; lives for ever once added.
class InterruptHandler {
public:
    /// The line is up: does what the device wants. False: it was not this device. Interrupts off.
    virtual bool handle_interrupt() = 0;

protected:
    ~InterruptHandler() = default;

private:
    friend class InterruptLines;
    u32 gsi_ = 0;
    Atomic<u64> claimed_{0};  // interrupts that were this device's
    InterruptHandler* next_ = nullptr;
};

class InterruptLines {
public:
    constexpr InterruptLines() = default;
    /// Routes the line to the boot CPU and has its interrupts handled. ENODEV, ENOSPC (route_interrupt). Any context.
    Result<void> add(InterruptHandler& handler, arch::InterruptLine line);
    /// Has the interrupts of a line of messages handled (arch::allocate_message_interrupt). Any context.
    void add_message(InterruptHandler& handler, u32 line);
    /// The upcall for InterruptKind::Device: asks every device of the line, again until none has anything, since an
    /// edge-triggered line raises no new edge while one of its devices still holds it. False: none had anything, or
    /// the line does not come to rest; it is masked then. Interrupts off.
    bool handle(u32 gsi);
    /// Calls `visit(gsi, interrupts)` for each device; for /proc/interrupts.
    template <typename Visit>
    void for_each_device(Visit visit) const {
        for (InterruptHandler* handler = first_.load(Order::acquire); handler != nullptr; handler = handler->next_) {
            visit(handler->gsi_, handler->claimed_.load(Order::relaxed));
        }
    }
    /// For tests and a new simulated run.
    void forget_all() { first_.store(nullptr, Order::relaxed); }

private:
    SpinLock<LockRank::InterruptLines> lock_;
    Atomic<InterruptHandler*> first_{nullptr};
    Atomic<u32> unclaimed_{0};  // interrupts in a row that nobody wanted
};

inline constinit InterruptLines interrupt_lines;

inline bool handle_interrupt_line(u32 gsi) {
    return interrupt_lines.handle(gsi);
}

}  // namespace cairn::drivers
