#pragma once
/// Restartable sequences (rseq(2)): a program tells the kernel where it keeps "which CPU am I on" and which stretch of
/// code must not be interrupted unnoticed; the kernel updates the former and restarts the latter.

#include "kernel/task/task.h"

namespace cairn::task {

/// EINVAL, EBUSY, EPERM (another signature), EFAULT.
Result<void> register_rseq(Task& self, u64 area, u32 size, i32 flags, u32 signature);

/// Whether the thread has been switched since its area was brought up to date. Interrupts off.
inline bool rseq_is_stale(const Task& task) {
    return task.rseq_area != 0 &&
           (task.thread().switches() != task.rseq_switches || arch::this_cpu().index.value != task.rseq_cpu);
}
/// Brings the area up to date, and makes an interrupted sequence go on at its abort address; before the return to user
/// mode, and before a signal's frame is made. A bad area is SIGSEGV. Interrupts on; may sleep.
void update_rseq(Task& self, arch::TrapFrame& frame);

}  // namespace cairn::task
