#include "arch/x86_64/cpu/descriptor_tables.h"

#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/vdso/data.h"

namespace cairn::arch {

/// The entry points of traps/entry.asm, one for each vector.
extern "C" const u64 trap_entry_points[kVectorCount];

namespace {

// Access and flag bits of SDM figure 3-8, accessed bit set so that the CPU never writes the table.
constexpr SegmentDescriptor kKernelCode = 0x00af'9b00'0000'ffff;
constexpr SegmentDescriptor kKernelData = 0x00cf'9300'0000'ffff;
constexpr SegmentDescriptor kUserData = 0x00cf'f300'0000'ffff;
constexpr SegmentDescriptor kUserCode = 0x00af'fb00'0000'ffff;
constexpr u64 kAvailableTaskState = 0x89;
/// Readable data of user mode whose limit counts bytes; nothing is ever addressed through it.
constexpr SegmentDescriptor kCpuNumber = 0x0040'f100'0000'0000;
static_assert(kCpuNumberSelector / 8 < kGdtEntries);

constexpr u8 kInterruptGateType = 0x8e;  // present, clears IF
constexpr u8 kUserMayCall = 0x60;        // privilege level 3

struct [[gnu::packed]] TablePointer {
    u16 limit;
    u64 base;
};

void fill_gdt(CpuState& state, u32 cpu) {
    u64 task = reinterpret_cast<u64>(&state.task_state);
    state.gdt[kKernelCodeSelector / 8] = kKernelCode;
    state.gdt[kKernelDataSelector / 8] = kKernelData;
    state.gdt[kUserDataSelector / 8] = kUserData;
    state.gdt[kUserCodeSelector / 8] = kUserCode;
    state.gdt[kTaskStateSelector / 8] =
        (sizeof(TaskState) - 1) | (task & 0xff'ffff) << 16 | kAvailableTaskState << 40 | (task >> 24 & 0xff) << 56;
    state.gdt[kTaskStateSelector / 8 + 1] = task >> 32;
    static_assert(kMaxCpus <= 1 << kCpuNumberBits);
    state.gdt[kCpuNumberSelector / 8] = kCpuNumber | cpu;  // node 0: bits 12 to 19 stay zero
}

void fill_task_state(CpuState& state) {
    for (u32 i = 0; i < kInterruptStackCount; ++i) {
        state.task_state.interrupt_stacks[i] = state.interrupt_stack_tops[i] - 16;
    }
    state.task_state.io_map_base = sizeof(TaskState);  // beyond the limit: no port is allowed
}

u8 interrupt_stack_of(u32 vector) {
    switch (vector) {
        case kDebugException:
            return static_cast<u8>(InterruptStack::Debug);
        case kNonMaskableInterrupt:
            return static_cast<u8>(InterruptStack::NonMaskable);
        case kDoubleFault:
            return static_cast<u8>(InterruptStack::DoubleFault);
        case kMachineCheck:
            return static_cast<u8>(InterruptStack::MachineCheck);
        default:
            return 0;
    }
}

void fill_idt(CpuState& state) {
    for (u32 vector = 0; vector < kVectorCount; ++vector) {
        u64 entry = trap_entry_points[vector];
        bool from_user = vector == kBreakpoint || vector == kOverflow;
        state.idt[vector] = {
            .offset_low = static_cast<u16>(entry),
            .selector = kKernelCodeSelector,
            .interrupt_stack = interrupt_stack_of(vector),
            .type_and_privilege = from_user ? u8{kInterruptGateType | kUserMayCall} : kInterruptGateType,
            .offset_middle = static_cast<u16>(entry >> 16),
            .offset_high = static_cast<u32>(entry >> 32),
            .reserved = 0};
    }
}

}  // namespace

void load_descriptor_tables(CpuState& state, u32 cpu) {
    fill_gdt(state, cpu);
    fill_task_state(state);
    fill_idt(state);
    TablePointer gdt{sizeof(state.gdt) - 1, reinterpret_cast<u64>(state.gdt)};
    TablePointer idt{sizeof(state.idt) - 1, reinterpret_cast<u64>(state.idt)};
    // SAFETY: the tables live as long as the CPU. The far return loads CS with the same kind of segment
    // from the new table; the data segments' bases are ignored in 64-bit mode except GS's, which the
    // caller sets next.
    asm volatile(
        "lgdt %0\n\t"
        "pushq %2\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1:\n\t"
        "movl %3, %%ds\n\t"
        "movl %3, %%es\n\t"
        "movl %3, %%ss\n\t"
        "movl %4, %%fs\n\t"
        "movl %4, %%gs\n\t"
        "ltr %w5\n\t"
        "lidt %1"
        :
        : "m"(gdt), "m"(idt), "i"(kKernelCodeSelector), "r"(u32{kKernelDataSelector}), "r"(0),
          "r"(u32{kTaskStateSelector})
        : "rax", "memory");
}

}  // namespace cairn::arch
