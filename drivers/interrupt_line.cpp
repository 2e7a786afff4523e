#include "drivers/interrupt_line.h"

#include "kernel/sync/spin_lock.h"

namespace cairn::drivers {

namespace {

constinit SpinLock<LockRank::InterruptLines> lines_lock;

using HandlerList = List<InterruptHandler, &InterruptHandler::node>;

HandlerList& handlers() {
    static HandlerList list;
    return list;
}

}  // namespace

Result<void> add_interrupt_handler(InterruptHandler& handler, arch::InterruptLine line) {
    handler.gsi = line.gsi;
    {
        SpinLockGuard guard(lines_lock);
        handlers().push_back(handler);
    }
    Result<void> routed = arch::route_interrupt(line.gsi, {0}, line.trigger);
    if (!routed.ok()) {
        SpinLockGuard guard(lines_lock);
        handler.node.unlink();
    }
    return routed;
}

bool handle_interrupt_line(u32 gsi) {
    constexpr u32 kMostRounds = 16;  // a device that never falls silent must not hold the CPU
    SpinLockGuard guard(lines_lock);
    bool any = false;
    bool more = true;
    for (u32 round = 0; more && round < kMostRounds; ++round) {
        more = false;
        for (InterruptHandler& handler : handlers()) {
            if (handler.gsi == gsi) {
                any = true;
                more = handler.handle(handler) || more;
            }
        }
    }
    return any;
}

}  // namespace cairn::drivers
