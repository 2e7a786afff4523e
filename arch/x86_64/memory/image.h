#pragma once
/// Addresses in the image that the linker script or assembly define.

#include "kernel/base/types.h"

namespace cairn::arch {

/// Highest address of the stack on which the boot CPU starts.
u64 boot_stack_top();
/// Highest address of one of the boot CPU's interrupt stacks, by IST number minus one.
u64 boot_interrupt_stack_top(u32 index);

/// Whether the address lies in the kernel's code.
bool is_kernel_text(u64 address);
/// Whether it can be on a kernel stack: the image's own or one in the area of dynamic mappings.
bool may_be_kernel_stack(u64 address);

}  // namespace cairn::arch
