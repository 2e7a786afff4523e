#pragma once
/// CpuState: what a PC keeps for each CPU (PerCpu::machine): its descriptor tables and what it can do.
/// Only its own CPU touches it after start-up. The boot CPU's is static, since it is needed before
/// there is memory to allocate; the others get theirs from allocate_cpu_state.

#include "arch/arch.h"
#include "arch/x86_64/cpu/descriptor_tables.h"
#include "arch/x86_64/cpu/features.h"

namespace cairn::arch {

/// Stacks that the CPU switches to by itself (SDM vol. 3A, 6.14.5), because the exception may come
/// when the stack pointer is unusable. The value is the IST number of the gate.
enum class InterruptStack : u8 { NonMaskable = 1, DoubleFault = 2, MachineCheck = 3, Debug = 4 };
constexpr u32 kInterruptStackCount = 4;

struct CpuState {
    alignas(kCacheLine) SegmentDescriptor gdt[kGdtEntries] = {};
    TaskState task_state = {};
    CpuFeatures features;
    /// Highest address of each interrupt stack, by IST number minus one. The topmost 16 bytes hold
    /// the CPU's PerCpu pointer, by which the entry code finds GS (traps/entry.asm).
    u64 interrupt_stack_tops[kInterruptStackCount] = {};
    InterruptGate idt[kVectorCount] = {};
    ThreadContext* context = nullptr;  // of the running thread, since the first switch
};

/// Gives a CPU that has not started a CpuState with stacks. Called by start_cpu before the CPU runs;
/// the state stays for ever. ENOMEM leaves nothing behind.
Result<void> allocate_cpu_state(PerCpu& cpu);

/// Of the calling CPU, after initialize_cpu; the same on all, so no need to stay on it.
inline const CpuFeatures& cpu_features() {
    return this_cpu().machine->features;
}

}  // namespace cairn::arch
