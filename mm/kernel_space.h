#pragma once
/// The kernel's half of every address space: the direct map of physical memory, the image with
/// each segment as writable or executable but not both, and an area in which stacks and device
/// registers are mapped while the kernel runs. g_kernel.kernel_space.
///
/// All root entries that the half will ever use exist before the first address space copies them,
/// so a later mapping is in all spaces at once and nothing has to be kept in step.
///
/// Where the machine cannot dereference kernel mappings (the simulated one), stacks and devices
/// are used through the direct map and only the page table's root is real.

#include <span>

#include "arch/arch.h"
#include "kernel/sched/kernel_stack.h"
#include "kernel/sync/spin_lock.h"
#include "mm/address_range_allocator.h"
#include "mm/page_table.h"
#include "mm/tlb.h"

namespace cairn::mm {

using KernelPageTable = PageTable<arch::PageTableFormat, TableFrames>;

class KernelSpace {
public:
    /// A stack of a mapped machine: 16 KiB and a guard page below. Where stacks lie in the direct
    /// map they are 64 KiB, because AddressSanitizer's frames are large.
    static constexpr u64 kStackFrames = 4;
    static constexpr u32 kDirectStackOrder = 4;

    /// What the half consists of; arch's answers, or a test's.
    struct Layout {
        VirtualAddress direct_map;
        std::span<const arch::ImageSegment> image;
        arch::VirtualRange mapping_area;
        u32 largest_level;   // of pages in the direct map: 1 is 2 MiB, 2 is 1 GiB
        bool mappings_work;  // arch::kKernelMappingsWork
    };
    static Layout layout_of_machine();

    /// Builds the page table with tables from the early memory, in place. `ram` is what the direct map
    /// covers, sorted and disjoint: usable memory, reclaimable, ACPI's. The first MiB is always
    /// covered: firmware tables are there, and the start-up code of further CPUs. Boot CPU, once;
    /// then arch::load_address_space(root(), 0, Flush) makes it valid. ENOMEM.
    Result<void> create(std::span<const PhysicalRange> ram, const Layout& layout);

    explicit KernelSpace(EarlyMemory& memory) : tables_(memory) {}
    ~KernelSpace();
    KernelSpace(const KernelSpace&) = delete;
    KernelSpace& operator=(const KernelSpace&) = delete;

    /// The allocator exists now: tables and stacks come from it, mappings may be made.
    void use(FrameAllocator& frames);

    PhysicalAddress root() const { return root_; }
    std::optional<KernelPageTable::Translation> translate(VirtualAddress address);

    /// Maps device registers uncached, or a framebuffer (kKernelFramebuffer) so that writes are collected; returns the
    /// address of `range.start`, which need not be page-aligned. ENOMEM. Thread context or start-up, no spinlock.
    Result<void*> map_device(PhysicalRange range, Protection protection = kKernelDevice);
    /// Takes back what map_device() returned. Interrupts on once other CPUs run.
    void unmap_device(void* registers);

    /// A stack with an unmapped page below it. ENOMEM. Thread context or start-up.
    Result<sched::KernelStack> allocate_stack();
    /// The stack stays mapped for the next thread, unless there are enough of such stacks. Thread context, no spinlock.
    void free_stack(sched::KernelStack stack);
    /// Unmaps cached stacks beyond `keep`; returns how many frames that gave back. Thread context, no spinlock.
    u64 trim_stacks(u32 keep);

    /// Bytes of the mapping area in use.
    u64 mapped_bytes();
    u32 cached_stacks();
    /// Bytes of stacks in use.
    u64 stack_bytes() const { return used_stack_bytes_.load(Order::relaxed); }

private:
    /// A range of the mapping area; a stack's begins with its guard page.
    struct Mapping : AddressRange {
        Mapping* next_cached = nullptr;
    };
    /// Whether the frames behind a mapping go with it.
    enum class Frames : u8 { Owned, Foreign };
    /// When more free stacks than these are kept, half of them are unmapped, with few flushes. 4 MiB.
    static constexpr u32 kMaxCachedStacks = 256;

    Result<void> map_direct(PhysicalRange range, const Layout& layout);
    Result<void> map_image(std::span<const arch::ImageSegment> image);
    Result<Mapping*> create_mapping(u64 size);
    void destroy_mapping(Mapping& mapping);
    Result<void> map_pages(VirtualAddress start, u64 size, PhysicalAddress physical, Protection protection);
    void unmap(Mapping& mapping, TlbFlush& flush OPEN_OBLIGATION, Frames frames);
    void unmap_and_destroy(Mapping& mapping, Frames frames);
    Result<Mapping*> create_stack();
    Mapping* pop_cached_stack(u32 keep);

    TableFrames tables_;
    FrameAllocator* frames_ = nullptr;
    PhysicalAddress root_;
    bool mappings_work_ = false;
    SpinLock<LockRank::PageTable> table_lock_;  // the entries below root_
    SpinLock<LockRank::KernelArea> area_lock_;
    AddressRangeAllocator area_ GUARDED_BY(area_lock_);
    Mapping* stacks_ GUARDED_BY(area_lock_) = nullptr;
    u32 stack_count_ GUARDED_BY(area_lock_) = 0;
    Atomic<u64> used_stack_bytes_{0};
};

}  // namespace cairn::mm
