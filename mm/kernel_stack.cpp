/// The stacks that the scheduler asks for (kernel/sched/kernel_stack.h).
#include "kernel/sched/kernel_stack.h"

#include "kernel/base/kernel.h"
#include "mm/kernel_space.h"

namespace cairn::sched {

Result<KernelStack> allocate_kernel_stack() {
    return g_kernel.kernel_space->allocate_stack();
}

void free_kernel_stack(KernelStack stack) {
    g_kernel.kernel_space->free_stack(stack);
}

}  // namespace cairn::sched
