#pragma once
/// Which driver handles which interrupt line: what kernel_interrupt(Device) looks into. Handlers may share a line; they
/// are registered for good.

#include "arch/arch.h"
#include "kernel/base/list.h"

namespace cairn::drivers {

/// A handler of one line; lives for ever. `handle` runs with interrupts off, takes only spinlocks inner to
/// InterruptLines, and says whether its device had asked.
struct InterruptHandler {
    bool (*handle)(InterruptHandler& self) = nullptr;
    u32 gsi = 0;
    ListNode node;
};

/// Adds the handler and routes the line to a CPU. Errors are arch::route_interrupt's. Thread context or start-up.
Result<void> add_interrupt_handler(InterruptHandler& handler, arch::InterruptLine line);
/// Calls the line's handlers, again while any of them had something to do (edge-triggered lines that are shared would
/// otherwise fall silent). False: the line has none. Interrupts off.
bool handle_interrupt_line(u32 gsi);

}  // namespace cairn::drivers
