#pragma once
/// The inline part of arch/arch.h on a PC. Every asm block reads or writes only what its
/// operands name; offsets into PerCpu are asserted in arch/x86_64/cpu/layout_check.cpp.

#include "arch/long_mode/frame.h"
#include "arch/long_mode_format.h"
#include "kernel/base/address.h"
#include "kernel/base/per_cpu_forward.h"
#include "kernel/base/types.h"

namespace cairn::arch {

constexpr bool kKernelMappingsWork = true;

/// Where all of physical memory is mapped (no-execute), and where the kernel's image is linked.
constexpr u64 kDirectMapBase = 0xffff'8000'0000'0000;
constexpr u64 kImageBase = 0xffff'ffff'8000'0000;

// --- Per-CPU block: %gs:offset ------------------------------------------------------------------
constexpr usize kPerCpuSelf = 0;
constexpr usize kPerCpuCurrent = 8;
constexpr usize kPerCpuPreemptState = 16;
constexpr usize kPerCpuGuardsUserMemory = 48;

inline PerCpu& this_cpu() {
    PerCpu* cpu;
    // SAFETY: reads this CPU's own pointer to itself; volatile, since the thread may migrate.
    asm volatile("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(kPerCpuSelf));
    return *cpu;
}
inline sched::Thread* current_thread() {
    sched::Thread* thread;
    // SAFETY: one load, and the value is the same on whichever CPU the thread runs.
    asm("movq %%gs:%c1, %0" : "=r"(thread) : "i"(kPerCpuCurrent));
    return thread;
}
inline u32 preempt_state() {
    u32 state;
    // SAFETY: one load from this CPU's block.
    asm volatile("movl %%gs:%c1, %0" : "=r"(state) : "i"(kPerCpuPreemptState) : "memory");
    return state;
}
inline void preempt_depth_increment() {
    // SAFETY: one instruction, so an interrupt sees it done or not done.
    asm volatile("incl %%gs:%c0" : : "i"(kPerCpuPreemptState) : "memory", "cc");
}
inline bool preempt_state_is_zero() {
    bool zero;
    // SAFETY: as for preempt_state, without a register for it.
    asm volatile("cmpl $0, %%gs:%c1" : "=@ccz"(zero) : "i"(kPerCpuPreemptState) : "memory");
    return zero;
}
inline bool preempt_depth_decrement() {
    bool zero;
    // SAFETY: as above. An interrupt that comes behind the instruction and wants a reschedule makes it itself.
    asm volatile("decl %%gs:%c1" : "=@ccz"(zero) : "i"(kPerCpuPreemptState) : "memory");
    return zero;
}
inline void set_reschedule_wanted() {
    // SAFETY: one instruction on this CPU's block.
    asm volatile("andl $0x7fffffff, %%gs:%c0" : : "i"(kPerCpuPreemptState) : "memory", "cc");
}
inline void clear_reschedule_wanted() {
    // SAFETY: one instruction on this CPU's block.
    asm volatile("orl $0x80000000, %%gs:%c0" : : "i"(kPerCpuPreemptState) : "memory", "cc");
}

// --- Interrupt flag -----------------------------------------------------------------------------
struct InterruptState {
    bool enabled;
};
inline bool interrupts_enabled() {
    u64 flags;
    // SAFETY: reads RFLAGS through the stack; the kernel is built without a red zone.
    asm volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return (flags & 0x200) != 0;
}
inline void enable_interrupts() {
    asm volatile("sti" : : : "memory");
}
inline void forbid_interrupts() {
    // SAFETY: as for sti.
    asm volatile("cli" : : : "memory");
}
inline InterruptState disable_interrupts() {
    InterruptState state{interrupts_enabled()};
    forbid_interrupts();
    return state;
}
inline void restore_interrupts(InterruptState state) {
    if (state.enabled) {
        enable_interrupts();
    }
}

// SAFETY: a hint without any effect on registers or memory.
inline void cpu_relax() {
    asm volatile("pause" : : : "memory");
}
inline void interleave() {}
inline void memory_poison(void*, usize) {}
inline void memory_unpoison(void*, usize) {}

// --- Memory -------------------------------------------------------------------------------------
inline void* direct_map(PhysicalAddress address) {
    return reinterpret_cast<void*>(kDirectMapBase + address.value);
}
/// Of an address inside the direct map.
inline PhysicalAddress physical_address(const void* pointer) {
    return {reinterpret_cast<u64>(pointer) - kDirectMapBase};
}

using PageTableFormat = LongModeFormat;
bool has_gigabyte_pages();

// --- Time ---------------------------------------------------------------------------------------
/// See arch/x86_64/time. Set once by initialize_clock; before that, the counter runs at an
/// assumed 1 GHz so that log times at least order events.
Nanoseconds monotonic_now();
/// The time-stamp counter, without waiting for what is under way (SDM vol. 2B, RDTSC).
inline u64 tick_counter() {
    u64 low;  // the upper half of both registers is cleared
    u64 high;
    // SAFETY: reads a counter, and changes nothing.
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}
Nanoseconds time_of_ticks(u64 ticks);
struct Moment {
    Nanoseconds now;  // as monotonic_now()
    u64 ticks;        // as tick_counter()
};
Moment moment();

// --- Threads ------------------------------------------------------------------------------------
/// What a thread that does not run has left behind. The callee-saved registers are on its stack.
struct ThreadContext {
    u64 stack_pointer = 0;
    u64 stack_top = 0;             // where system calls and interrupts from user mode begin
    void* vector_state = nullptr;  // XSAVE area, or null for a thread that owns no user registers
    UserState user;                // valid like vector_state
    DebugState debug;
};

inline u64 speculation_safe_index(u64 index, u64 limit) {
    u64 mask;
    // SAFETY: arithmetic: all ones if index is below limit. The processor does not guess its outcome.
    asm("cmpq %2, %1\n\tsbbq %0, %0" : "=r"(mask) : "r"(index), "re"(limit) : "cc");
    return index & mask;
}

}  // namespace cairn::arch
