#pragma once
/// Restartable sequences (rseq(2)): a program tells the kernel where it keeps "which CPU am I on" and which stretch of
/// code must not be interrupted unnoticed; the kernel updates the former and restarts the latter.

#include "arch/user_words.h"
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

namespace rseq {

// struct rseq (linux/rseq.h), of which the first version has 32 bytes.
constexpr u32 kAreaSize = 32;
constexpr u64 kCriticalSection = 8;

// What seldom happens. False: the area, or what it refers to, is bad.
/// The area names the sequence that is described at `where`.
bool abort_sequence(Task& self, arch::TrapFrame& frame, u64 where);
/// The number of the CPU is another one.
bool write_cpu(Task& self, u32 cpu);

}  // namespace rseq

/// Brings the area up to date, and makes an interrupted sequence go on at its abort address; before the return to user
/// mode, and before a signal's frame is made. False: the area is bad, and forgotten; the caller sends SIGSEGV.
/// Interrupts on; may sleep.
[[gnu::always_inline]] inline bool try_update_rseq(Task& self, arch::TrapFrame& frame) {
    // First: if the thread moves meanwhile, it is switched again and this is done again.
    self.thread().clear_switched();
    if (self.rseq_area == 0) {
        return true;
    }
    u64 sequence = 0;
    u32 failed = 0;
    {
        const arch::UserWords area({self.rseq_area}, rseq::kAreaSize);  // user space, as register_rseq() has found
        sequence = area.load<u64>(rseq::kCriticalSection, failed);
    }
    const u32 cpu = arch::this_cpu().index.value;  // the area has the number already that was written last
    if (failed != 0 || (sequence != 0 && !rseq::abort_sequence(self, frame, sequence)) ||
        (cpu != self.rseq_cpu && !rseq::write_cpu(self, cpu))) [[unlikely]] {
        self.rseq_area = 0;
        return false;
    }
    return true;
}
/// The same with the signal.
void update_rseq(Task& self, arch::TrapFrame& frame);

}  // namespace cairn::task
