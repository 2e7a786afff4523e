/// Makes the calling CPU ready to run the kernel: descriptor tables, control registers, the GS base,
/// system call entry.

#include <cstring>
#include <memory>

#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/cpu/errata.h"
#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/memory/image.h"
#include "kernel/base/heap.h"
#include "kernel/sched/kernel_stack.h"

namespace cairn::arch {

extern "C" void system_call_entry();

namespace {

// Control register bits (SDM vol. 3A, 2.5).
constexpr u64 kCr0MonitorCoprocessor = 1 << 1;
constexpr u64 kCr0Emulation = 1 << 2;
constexpr u64 kCr0TaskSwitched = 1 << 3;
constexpr u64 kCr0NumericError = 1 << 5;
constexpr u64 kCr0WriteProtect = 1 << 16;
constexpr u64 kCr4MachineCheck = 1 << 6;
constexpr u64 kCr4GlobalPages = 1 << 7;
constexpr u64 kCr4Fxsave = 1 << 9;
constexpr u64 kCr4SimdExceptions = 1 << 10;
constexpr u64 kCr4Umip = 1 << 11;
constexpr u64 kCr4FsGsBase = 1 << 16;
constexpr u64 kCr4Pcid = 1 << 17;
constexpr u64 kCr4Xsave = 1 << 18;
constexpr u64 kCr4Smep = 1 << 20;
constexpr u64 kCr4Smap = 1 << 21;

// Model-specific registers (SDM vol. 4).
constexpr u32 kMsrSysenterCs = 0x174;
constexpr u32 kMsrPat = 0x277;
constexpr u32 kMsrStar = 0xc000'0081;
constexpr u32 kMsrLstar = 0xc000'0082;
constexpr u32 kMsrSyscallMask = 0xc000'0084;
constexpr u32 kMsrTscAux = 0xc000'0103;  // what RDTSCP and RDPID show: the CPU's number, as in Linux

constexpr u64 kEferSystemCalls = 1 << 0;
constexpr u64 kEferNoExecute = 1 << 11;

/// The boot CPU's block. Like every CPU's, only that CPU touches it.
constinit CpuState boot_cpu_state;

/// Memory types by the bits PAT, PCD and PWT of a page-table entry (SDM vol. 3A, 12.12): as after a reset, but PWT
/// alone, which nobody wants as write-through, means write-combining. A CPU without the table is left as it is: then
/// such pages are uncached wherever the firmware says so of a device.
void set_memory_types(const CpuFeatures& features) {
    constexpr u64 kWriteBack = 6, kWriteCombining = 1, kUncachedUnlessRanged = 7, kUncached = 0, kWriteThrough = 4;
    constexpr u64 kUpper = kWriteBack | kWriteThrough << 8 | kUncachedUnlessRanged << 16 | kUncached << 24;
    constexpr u64 kLower = kWriteBack | kWriteCombining << 8 | kUncachedUnlessRanged << 16 | kUncached << 24;
    if (features.page_attributes) {
        write_msr(kMsrPat, kUpper << 32 | kLower);
    }
}

void set_control_registers(const CpuFeatures& features) {
    u64 cr0 = read_cr0() & ~(kCr0Emulation | kCr0TaskSwitched);
    write_cr0(cr0 | kCr0MonitorCoprocessor | kCr0NumericError | kCr0WriteProtect);
    write_msr(kMsrEfer, read_msr(kMsrEfer) | kEferSystemCalls | kEferNoExecute);

    u64 cr4 = read_cr4() | kCr4Fxsave | kCr4SimdExceptions;
    cr4 |= features.global_pages ? kCr4GlobalPages : 0;
    cr4 |= features.machine_check ? kCr4MachineCheck : 0;
    cr4 |= features.umip ? kCr4Umip : 0;
    cr4 |= features.smep ? kCr4Smep : 0;
    cr4 |= features.smap ? kCr4Smap : 0;
    cr4 |= features.fsgsbase ? kCr4FsGsBase : 0;
    cr4 |= features.xsave ? kCr4Xsave : 0;
    // Legal since the page table's root was loaded with tag 0 (SDM vol. 3A, 4.10.1).
    cr4 |= features.pcid ? kCr4Pcid : 0;
    write_cr4(cr4);
    if (features.xsave) {
        write_xcr0(features.vector_mask);
    }
}

/// SDM vol. 1, 11.6.6; the unit must be on.
u32 read_mxcsr_mask() {
    alignas(16) u8 area[512] = {};
    // SAFETY: writes these 512 bytes.
    asm volatile("fxsave64 %0" : "=m"(area));
    u32 mask;
    std::memcpy(&mask, area + 28, sizeof mask);
    constexpr u32 kDefaultMask = 0xffbf;
    return mask != 0 ? mask : kDefaultMask;
}

/// SYSCALL and SYSRET (SDM vol. 3A, 5.8.8). SYSENTER stays without a code segment: it faults.
void set_system_call_entry() {
    // SYSRET to 64-bit code loads SS from the given selector + 8 and CS from + 16.
    constexpr u64 kUserBase = kUserCodeSelector - 16;
    static_assert(kUserBase + 8 == kUserDataSelector);
    static_assert(kKernelDataSelector == kKernelCodeSelector + 8);
    write_msr(kMsrStar, kUserBase << 48 | u64{kKernelCodeSelector} << 32);
    write_msr(kMsrLstar, reinterpret_cast<u64>(&system_call_entry));
    write_msr(kMsrSyscallMask, kFlagTrap | kFlagInterrupt | kFlagDirection | kFlagNestedTask | kFlagAlignmentCheck);
    write_msr(kMsrSysenterCs, 0);
}

/// Leaves the block's address at the top of each interrupt stack, where the entry code looks for it.
void mark_interrupt_stacks(const CpuState& state, PerCpu& cpu) {
    for (u64 top : state.interrupt_stack_tops) {
        // SAFETY: `top` is the end of a stack of this CPU that is not in use yet.
        *reinterpret_cast<PerCpu**>(top - 16) = &cpu;
    }
}

void prepare_boot_cpu(PerCpu& cpu) {
    cpu.machine = &boot_cpu_state;
    cpu.kernel_stack_top = boot_stack_top();
    for (u32 i = 0; i < kInterruptStackCount; ++i) {
        boot_cpu_state.interrupt_stack_tops[i] = boot_interrupt_stack_top(i);
    }
}

}  // namespace

void initialize_cpu(PerCpu& cpu) {
    bool is_boot_cpu = cpu.machine == nullptr;
    if (is_boot_cpu) {
        prepare_boot_cpu(cpu);
    }
    CpuState& state = *cpu.machine;
    cpu.self = &cpu;
    mark_interrupt_stacks(state, cpu);
    load_descriptor_tables(state, cpu.index.value);
    write_msr(kMsrFsBase, 0);
    write_msr(kMsrGsBase, reinterpret_cast<u64>(&cpu));
    write_msr(kMsrKernelGsBase, 0);  // the user's, until there is one

    state.features = detect_features();
    cpu.guards_user_memory = state.features.smap ? 1 : 0;
    state.task_state.rsp[0] = cpu.kernel_stack_top;
    set_control_registers(state.features);
    set_memory_types(state.features);
    state.features.mxcsr_mask = read_mxcsr_mask();
    set_system_call_entry();
    if (state.features.tsc_aux) {
        write_msr(kMsrTscAux, cpu.index.value);
    }
    if (is_boot_cpu) {
        cpu.hardware_id = state.features.initial_apic_id;
        log_features(state.features);
    }
    handle_errata(is_boot_cpu);
}

Result<void> allocate_cpu_state(PerCpu& cpu) {
    void* memory = heap_allocate(sizeof(CpuState), alignof(CpuState));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    CpuState* state = std::construct_at(static_cast<CpuState*>(memory));
    sched::KernelStack stacks[kInterruptStackCount];
    for (u32 i = 0; i < kInterruptStackCount; ++i) {
        Result<sched::KernelStack> stack = sched::allocate_kernel_stack();
        if (!stack.ok()) {
            while (i > 0) {
                sched::free_kernel_stack(stacks[--i]);
            }
            heap_free(memory, sizeof(CpuState), alignof(CpuState));
            return stack.failure();
        }
        stacks[i] = stack.value();
        state->interrupt_stack_tops[i] = reinterpret_cast<u64>(stacks[i].top());
    }
    cpu.machine = state;
    return {};
}

}  // namespace cairn::arch
