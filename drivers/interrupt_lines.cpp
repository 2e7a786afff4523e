#include "drivers/interrupt_lines.h"

#include "arch/arch.h"
#include "kernel/base/log.h"

namespace cairn::drivers {

namespace {

/// Rounds over the devices of one line in one interrupt; more means that a device is stuck.
constexpr u32 kRoundLimit = 10'000;
/// So many interrupts in a row without an owner, and the line is a broken one (Linux: note_interrupt).
constexpr u32 kUnclaimedLimit = 100'000;

}  // namespace

Result<void> InterruptLines::add(InterruptHandler& handler, arch::InterruptLine line) {
    add_message(handler, line.gsi);
    // Harmless if it fails: the handler is never called.
    return arch::route_interrupt(line.gsi, CpuIndex{0}, line.trigger);
}

void InterruptLines::add_message(InterruptHandler& handler, u32 line) {
    SpinLockGuard guard(lock_);
    handler.gsi_ = line;
    handler.next_ = first_.load(Order::relaxed);
    first_.store(&handler, Order::release);
}

bool InterruptLines::handle(u32 gsi) {
    bool claimed = false;
    u32 rounds = 0;
    for (bool again = true; again && rounds < kRoundLimit; ++rounds) {
        again = false;
        for (InterruptHandler* handler = first_.load(Order::acquire); handler != nullptr; handler = handler->next_) {
            if (handler->gsi_ == gsi && handler->handle_interrupt()) {
                again = claimed = true;
                handler->claimed_.fetch_add(1, Order::relaxed);
            }
        }
    }
    if (claimed) {
        unclaimed_.store(0, Order::relaxed);
    }
    if (rounds < kRoundLimit && (claimed || unclaimed_.fetch_add(1, Order::relaxed) < kUnclaimedLimit)) {
        return claimed;
    }
    arch::mask_interrupt(gsi);
    log_error("irq", "line {} {} and is masked", gsi, claimed ? "does not come to rest" : "belongs to no device");
    return false;
}

}  // namespace cairn::drivers
