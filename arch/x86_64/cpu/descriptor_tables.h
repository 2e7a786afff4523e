#pragma once
/// The layouts of segment descriptors, the task state segment and interrupt gates in 64-bit mode
/// (SDM vol. 3A, 3.4.5, 6.14.1, 7.7), and their loading.

#include "arch/x86_64/cpu/assembly_constants.h"
#include "arch/x86_64/cpu/vectors.h"

namespace cairn::arch {

struct CpuState;

using SegmentDescriptor = u64;
/// Null, unused, kernel code, kernel data, unused (32-bit user code in Linux), user data, user code,
/// unused, the task state's two, five unused ones, and the one whose limit is the CPU's number.
constexpr u32 kGdtEntries = 16;

/// Hardware reads rsp0 (stack of interrupts from user mode) and the interrupt stacks.
struct [[gnu::packed]] TaskState {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 interrupt_stacks[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_map_base;
};
static_assert(sizeof(TaskState) == 104);

struct InterruptGate {
    u16 offset_low;
    u16 selector;
    u8 interrupt_stack;
    u8 type_and_privilege;
    u16 offset_middle;
    u32 offset_high;
    u32 reserved;
};
static_assert(sizeof(InterruptGate) == 16);

/// Fills in the tables of `state` (its interrupt stacks are set) and loads them on the calling CPU,
/// whose number is `cpu`. Clears the GS base.
void load_descriptor_tables(CpuState& state, u32 cpu);

}  // namespace cairn::arch
