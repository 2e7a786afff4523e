#include "mm/initialize.h"

#include <new>

#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "mm/kernel_space.h"
#include "mm/slab_allocator.h"
#include "mm/system_memory.h"

namespace cairn::mm {

namespace {

using Kind = boot::MemoryRegion::Kind;

constexpr PhysicalRange kFirstMebibyte{{0}, {kMiB}};

/// Builds a T in early memory, for good.
template <typename T, typename... Arguments>
Result<T*> create_in(EarlyMemory& early, Arguments&... arguments) {
    PhysicalAddress storage = TRY(early.allocate(sizeof(T), kPageSize, MemoryPurpose::Early));
    return new (arch::direct_map(storage)) T(arguments...);
}

/// What the direct map covers: RAM, and firmware's tables.
bool in_direct_map(Kind kind) {
    return kind == Kind::Usable || kind == Kind::BootReclaimable || kind == Kind::AcpiReclaimable ||
           kind == Kind::AcpiNvs;
}

}  // namespace

void collect_memory(const boot::Information& information, EarlyMemory& early) {
    for (const boot::MemoryRegion& region : information.memory_map.regions()) {
        if (region.kind == Kind::Usable) {
            early.add(region.range, MemoryPurpose::Free);
        } else if (region.kind == Kind::BootReclaimable || region.kind == Kind::AcpiReclaimable) {
            early.add(region.range, MemoryPurpose::Boot);
        }
    }
    early.reserve(kFirstMebibyte, MemoryPurpose::Firmware);
    early.reserve(arch::kernel_image_range(), MemoryPurpose::KernelImage);
    for (const PhysicalRange& range : information.reserved()) {
        early.reserve(range, MemoryPurpose::Boot);
    }
    early.set_limit(arch::boot_mapped_limit());
}

Result<void> create_kernel_space(const boot::Information& information, EarlyMemory& early) {
    KernelSpace* space = TRY(create_in<KernelSpace>(early, early));
    const std::span<const boot::MemoryRegion> regions = information.memory_map.regions();
    PhysicalAddress storage =
        TRY(early.allocate((regions.size() + 1) * sizeof(PhysicalRange), kPageSize, MemoryPurpose::Boot));
    PhysicalRange* ram = static_cast<PhysicalRange*>(arch::direct_map(storage));
    usize count = 0;
    for (const boot::MemoryRegion& region : regions) {
        if (in_direct_map(region.kind)) {
            new (ram + count++) PhysicalRange(region.range);
        }
    }
    TRY(space->create({ram, count}, KernelSpace::layout_of_machine()));
    arch::load_address_space(space->root(), 0, arch::TagContents::Flush);
    early.set_limit({~u64{0}});
    g_kernel.kernel_space = space;
    return {};
}

Result<void> create_allocators(EarlyMemory& early) {
    FrameAllocator* frames = TRY(create_in<FrameAllocator>(early, early));
    PhysicalAddress slab_storage = TRY(early.allocate(sizeof(SlabAllocator), kPageSize, MemoryPurpose::Early));
    TRY(frames->initialize());
    g_kernel.frames = frames;
    g_kernel.slab = new (arch::direct_map(slab_storage)) SlabAllocator(*frames);
    g_kernel.kernel_space->use(*frames);
    return {};
}

Result<void> create_tlb_directory(TlbDirectory::CallOnCpus call_on_cpus) {
    Own<TlbDirectory> directory =
        TRY(try_new<TlbDirectory>(call_on_cpus, arch::address_space_tag_count(), g_kernel.kernel_space->root()));
    g_kernel.tlb = directory.release();
    return {};
}

Result<void> prepare_cpu(PerCpu& cpu) {
    Result<void> result = g_kernel.frames->prepare_cpu(cpu);
    if (result.ok()) {
        result = g_kernel.slab->prepare_cpu(cpu);
    }
    if (result.ok()) {
        result = TlbDirectory::prepare_cpu(cpu);
    }
    if (!result.ok()) {
        release_cpu(cpu);
    }
    return result;
}

void release_cpu(PerCpu& cpu) {
    TlbDirectory::release_cpu(cpu);
    g_kernel.slab->release_cpu(cpu);
    g_kernel.frames->release_cpu(cpu);
}

Result<void> create_system_memory() {
    return SystemMemory::initialize();
}

void drain_cpu_caches() {
    g_kernel.slab->drain_this_cpu();
    g_kernel.frames->drain_this_cpu();
}

void reclaim_boot_memory() {
    const u64 bytes = g_kernel.frames->reclaim_boot_memory();
    log_info("mm", "{} KiB of boot loader and ACPI memory reclaimed", bytes / kKiB);
}

void log_memory() {
    const FrameStatistics memory = g_kernel.frames->statistics();
    log_info("mm", "{} MiB: {} MiB free, {} KiB in use, image {} KiB, metadata {} KiB, boot {} KiB",
             memory.total / kMiB, (memory.free + memory.cached) / kMiB, (memory.allocated + memory.early) / kKiB,
             memory.kernel_image / kKiB, memory.metadata / kKiB, memory.boot / kKiB);
}

}  // namespace cairn::mm
