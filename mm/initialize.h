#pragma once
/// Start-up of memory management, in the order in which kernel/main.cpp calls it:
///
///     collect_memory(information, early);          boot CPU, no PerCpu needed
///     must(create_kernel_space(information, early), "...");    loads the kernel's page table
///     arch::initialize_cpu(boot_cpu);
///     must(create_allocators(early), "...");       the heap works from here on
///     must(create_tlb_directory(&sched::call_on_cpus), "...");
///     must(prepare_cpu(boot_cpu), "...");          and for each further CPU before it starts
///     scheduler.set_address_space_switch(&switch_address_space);
///     must(create_system_memory(), "...");          when all CPUs are known
///     ... each further CPU, once it is in g_kernel.online: arch::flush_all()
///     reclaim_boot_memory();                       when nobody needs modules and ACPI tables
///
/// All parts live in memory taken from `early`, which itself must stay for ever.

#include "kernel/base/per_cpu.h"
#include "kernel/base/result.h"
#include "kernel/boot/information.h"
#include "mm/early_memory.h"
#include "mm/tlb.h"

namespace cairn::mm {

/// Enters usable and reclaimable memory, and takes out the first MiB, the kernel's image and what
/// the boot loader left. Limits allocation to what is mapped during boot.
void collect_memory(const boot::Information& information, EarlyMemory& early);

/// Builds the kernel's space (g_kernel.kernel_space) and loads it on this CPU; lifts the limit.
/// ENOMEM.
Result<void> create_kernel_space(const boot::Information& information, EarlyMemory& early);

/// The frame allocator and the slab allocator (g_kernel.frames, g_kernel.slab). ENOMEM.
Result<void> create_allocators(EarlyMemory& early);

/// g_kernel.tlb. After arch::initialize_cpu, which decides whether there are tags. ENOMEM.
Result<void> create_tlb_directory(TlbDirectory::CallOnCpus call_on_cpus);

/// Caches and TLB state of a CPU that does not run yet (or of the boot CPU). ENOMEM, with nothing
/// left behind.
Result<void> prepare_cpu(PerCpu& cpu);
/// The counterpart, for a CPU that never started.
void release_cpu(PerCpu& cpu);

/// g_kernel.memory: what address spaces have in common. When all CPUs have their blocks. ENOMEM.
Result<void> create_system_memory();

/// Gives back what this CPU's caches hold: for accounting of leaks. Any context.
void drain_cpu_caches();

/// Frees boot loader and ACPI memory and logs how much. Once.
void reclaim_boot_memory();

/// Logs where memory is, in MiB.
void log_memory();

}  // namespace cairn::mm
