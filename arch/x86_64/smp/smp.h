#pragma once
/// What the parts of arch/x86_64/smp know of each other. The contract's functions (start_cpu,
/// stop_other_cpus) are in arch/arch.h, handle_stop_nmi in cpu/vectors.h.

#include "arch/arch.h"

namespace cairn::arch {

/// `cpu` runs kernel code from now on: a panic must stop it. The calling CPU's own, or one that
/// start_cpu has just heard from.
void note_cpu_running(const PerCpu& cpu);

}  // namespace cairn::arch
