#pragma once
/// PerCpu: what belongs to one CPU. Reached through the GS base on x86-64 and through a plain
/// pointer on the simulated machine (arch::this_cpu). Each subsystem keeps its own part in a
/// block of its own type and hangs it in here when the CPU is set up, so that this file knows
/// no subsystem and a hot path needs one load.
///
/// Unless a field says otherwise only its own CPU touches it, with preemption or interrupts off.

#include "kernel/base/atomic.h"
#include "kernel/base/cpu_set.h"
#include "kernel/base/types.h"

namespace cairn {

namespace arch {
struct CpuState;
}
namespace mm {
class CpuFrameCache;
class CpuSlabCache;
struct CpuTlb;
}  // namespace mm
namespace sched {
class Thread;
class RunQueue;
class CpuCallQueue;
}  // namespace sched
namespace sync {
struct CpuReadSide;
}
namespace time {
class CpuTimers;
}

enum class LockRank : u8;

/// A lock that is held, for the rank check and for the panic screen.
struct HeldLock {
    const void* lock;
    LockRank rank;
};

/// The locks that a CPU (spinlocks) or a thread (sleeping locks) holds, in order of acquisition.
/// The ranks strictly increase, so their number bounds the depth.
struct HeldLocks {
    static constexpr u32 kDepth = 16;
    u32 count = 0;
    HeldLock entries[kDepth] = {};
};

struct alignas(kCacheLine) PerCpu {
    // The first fields are read by assembly and by the inline functions of machine.h; their
    // offsets are asserted in arch/x86_64.
    PerCpu* self = nullptr;                // 0: this block's own address
    sched::Thread* current = nullptr;      // 8: the running thread; constant for that thread
    u32 preempt_state = kNoRescheduleBit;  // 16: see kernel/sync/preemption.h
    u32 interrupt_depth = 0;               // 20: interrupt handlers nested on this CPU
    CpuIndex index{};                      // 24: never changes
    u32 hardware_id = 0;                   // 28: local APIC id; never changes
    u64 kernel_stack_top = 0;              // 32: where SYSCALL entry puts the stack pointer
    u64 user_stack_scratch = 0;            // 40: SYSCALL entry only
    u32 guards_user_memory = 0;            // 48: the machine's; never changes

    bool interrupted_user_mode = false;  // what the interrupt that is handled now has found; set by the machine
    bool housekeeping_wanted = false;    // at the next return to user mode; own CPU, interrupts off

    HeldLocks held_spin_locks;
    /// Interrupts so far, by arch::InterruptKind; written by this CPU, read by all.
    Atomic<u64> interrupts[4];

    arch::CpuState* machine = nullptr;
    sched::RunQueue* run_queue = nullptr;       // locked by itself; other CPUs read the pointer
    sched::CpuCallQueue* call_queue = nullptr;  // lock-free; other CPUs push
    time::CpuTimers* timers = nullptr;          // locked by itself
    sync::CpuReadSide* read_side = nullptr;
    mm::CpuFrameCache* frame_cache = nullptr;
    mm::CpuSlabCache* slab_cache = nullptr;
    mm::CpuTlb* tlb = nullptr;

    /// Set in preempt_state while no reschedule is asked for (inverted, so that "nothing holds
    /// preemption off and a reschedule is wanted" is one comparison with zero).
    static constexpr u32 kNoRescheduleBit = u32{1} << 31;
};

}  // namespace cairn
