#pragma once
/// Where kernel threads get their stacks. The interface belongs to the scheduler; mm implements it
/// (mm/kernel_stack.cpp), with a guard page below each stack where the machine can map one.

#include "kernel/base/result.h"

namespace cairn::sched {

/// A stack: `size` bytes from `base`, growing down from top(). A plain value; whoever holds it
/// owes it to free_kernel_stack().
struct KernelStack {
    void* base = nullptr;
    usize size = 0;
    void* top() const { return static_cast<std::byte*>(base) + size; }
};

/// ENOMEM. Thread context; may sleep.
Result<KernelStack> allocate_kernel_stack();

/// Gives a stack back that nobody runs on any more. Thread context; may sleep (its unmapping may
/// wait for other CPUs).
void free_kernel_stack(KernelStack stack);

}  // namespace cairn::sched
