#pragma once
/// The start-up of a kernel on the simulated machine, in the order of kernel/main.cpp, and what is
/// to be known about it after a failure.

#include <string>

#include "kernel/base/types.h"

namespace cairn::sim {

/// On the boot CPU of a run: builds the kernel in the first MiB + `memory` bytes of physical
/// memory, starts `cpus` CPUs and waits until they are online. The caller is the thread "boot".
void boot_kernel(u32 cpus, usize memory);

/// Outside a run: a kernel that was never started. What a run left behind is forgotten.
void reset_kernel();

/// Threads and held locks, for the report of a failed run.
void describe_kernel(std::string& report);

}  // namespace cairn::sim
