#include "tests/support/kernel_machine.h"

#include <memory>

#include "arch/host/run.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/boot/information.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/scheduler.h"
#include "kernel/sync/lock_rank.h"
#include "mm/address_space.h"
#include "mm/initialize.h"
#include "mm/kernel_space.h"

namespace cairn::sim {

namespace {

constexpr u32 kMostCpus = 64;

/// The kernel's start-up objects. A failed run leaves them in any state, so they are built in raw
/// storage and never destroyed; all that they own lies in simulated memory.
struct Storage {
    alignas(mm::EarlyMemory) u8 early[sizeof(mm::EarlyMemory)];
    alignas(boot::Information) u8 information[sizeof(boot::Information)];
    alignas(PerCpu) u8 cpus[kMostCpus][sizeof(PerCpu)];
};
constinit Storage storage = {};

template <typename T, typename... Arguments>
T& build(void* memory, Arguments&&... arguments) {
    return *new (memory) T(std::forward<Arguments>(arguments)...);
}

PerCpu& make_cpu(u32 index) {
    PerCpu& cpu = build<PerCpu>(storage.cpus[index]);
    cpu.self = &cpu;
    cpu.index = {index};
    cpu.hardware_id = index;
    g_kernel.cpus[index] = &cpu;
    return cpu;
}

/// Memory that the kernel took before there was an allocator is not announced by memory_unpoison.
void note_early_memory(const mm::EarlyMemory& early) {
    for (const mm::EarlyMemory::Piece& piece : early.pieces()) {
        if (piece.purpose != mm::MemoryPurpose::Free && piece.purpose != mm::MemoryPurpose::Firmware) {
            arch::host::note_memory_used(piece.range);
        }
    }
}

void build_memory(PerCpu& boot_cpu, usize memory) {
    auto& information = build<boot::Information>(storage.information);
    information.memory_map.add({0}, kMiB + memory, boot::MemoryRegion::Kind::Usable);
    information.memory_map.finish();
    auto& early = build<mm::EarlyMemory>(storage.early);
    mm::collect_memory(information, early);
    must(mm::create_kernel_space(information, early), "kernel space");
    arch::initialize_cpu(boot_cpu);
    must(mm::create_allocators(early), "allocators");
    note_early_memory(early);
    must(mm::create_tlb_directory(&sched::call_on_cpus), "tlb directory");
    must(mm::prepare_cpu(boot_cpu), "memory of the boot cpu");
}

void start_other_cpus(u32 cpus) {
    for (u32 i = 1; i < cpus; ++i) {
        PerCpu& cpu = *g_kernel.cpus[i];
        must(mm::prepare_cpu(cpu), "memory of a CPU");
        must(sched::prepare_cpu(cpu), "cpu");
        must(arch::start_cpu(cpu, sched::startup_stack_top(cpu), g_kernel.kernel_space->root(),
                             [](PerCpu& self) {
                                 arch::initialize_cpu(self);
                                 sched::run_secondary_cpu();
                             }),
             "start of a CPU");
    }
    for (u32 i = 1; i < cpus; ++i) {
        while (!g_kernel.online.contains({i}, Order::acquire)) {
            arch::cpu_relax();
        }
    }
}

}  // namespace

void boot_kernel(u32 cpus, usize memory) {
    for (u32 i = 0; i < cpus; ++i) {
        make_cpu(i);
    }
    g_kernel.cpu_count = cpus;
    build_memory(*g_kernel.cpus[0], memory);
    arch::initialize_clock({}, nullptr);
    must(sched::initialize_boot_cpu(), "scheduler");
    g_kernel.scheduler->address_space_switch = &mm::switch_address_space;
    start_other_cpus(cpus);
    must(mm::create_system_memory(), "counters of memory");
}

void reset_kernel() {
    // Kernel cannot be assigned, since it holds atomics; nothing in it has a destructor that acts.
    new (&g_kernel) Kernel();
    reset_panic();
    reset_log();
}

void describe_kernel(std::string& report) {
    for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
        const PerCpu& cpu = *g_kernel.cpus[i];
        report += "cpu " + std::to_string(i) + " runs ";
        report += cpu.current == nullptr ? std::string_view("nothing") : cpu.current->name();
        for (u32 k = 0; k < cpu.held_spin_locks.count; ++k) {
            report += ", holds ";
            report += lock_rank_name(cpu.held_spin_locks.entries[k].rank);
        }
        report += "\n";
    }
}

}  // namespace cairn::sim
