#pragma once
/// Restartable sequences (rseq(2)): a program tells the kernel where it keeps "which CPU am I on" and which stretch of
/// code must not be interrupted unnoticed; the kernel updates the former and restarts the latter.

#include "kernel/task/task.h"

namespace cairn::task {

/// EINVAL, EBUSY, EPERM (another signature), EFAULT.
Result<void> register_rseq(Task& self, u64 area, u32 size, i32 flags, u32 signature);

/// Whether the thread has been switched since its area was brought up to date; it is not asked again about a switch if
/// it has no area. Interrupts off.
inline bool rseq_is_stale(Task& task) {
    if (task.rseq_area == 0) {
        task.thread().clear_switched();
    }
    return task.thread().was_switched();
}
/// Brings the area up to date, and makes an interrupted sequence go on at its abort address; before the return to user
/// mode, and before a signal's frame is made. A bad area is SIGSEGV. Interrupts on; may sleep.
void update_rseq(Task& self, arch::TrapFrame& frame);

}  // namespace cairn::task
