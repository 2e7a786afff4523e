#pragma once
/// Fibers: stacks between which one host thread moves. A simulated CPU that waits for its turn is
/// one, and so is a kernel thread that does not run.

#include "machine/machine.h"

namespace cairn::arch::host {

/// Lets the first switch to `fiber` call `entry(argument)` on the `stack_size` bytes below
/// `stack_top`. `entry` never returns.
void fiber_prepare(Fiber& fiber, void* stack_top, usize stack_size, void (*entry)(void*), void* argument);

/// Saves the running stack in `from` and continues `to`. Returns when something switches back.
void fiber_switch(Fiber& from, const Fiber& to);

/// As fiber_switch, but the running stack is given up.
[[noreturn]] void fiber_leave(const Fiber& to);

/// Makes memory that held abandoned stacks usable again: their frames left red zones behind.
/// Nothing without AddressSanitizer.
void forget_stack_contents(void* memory, usize size);

}  // namespace cairn::arch::host
