/// Building the kernel's page table. What is mapped into it later is in kernel_mappings.cpp.
#include "mm/kernel_space.h"

#include <algorithm>

namespace cairn::mm {

namespace {

constexpr PhysicalRange kFirstMebibyte{{0}, {kMiB}};

/// Where the direct map must be read-only, because the image is: the first such part of `range`.
/// Empty at the end of `range` if there is none.
PhysicalRange first_read_only(const PhysicalRange& range, std::span<const arch::ImageSegment> image) {
    PhysicalRange first{range.end, range.end};
    for (const arch::ImageSegment& segment : image) {
        const PhysicalRange part{std::max(segment.physical, range.start),
                                 std::min(segment.physical + segment.size, range.end)};
        if (!segment.writable && part.size() != 0 && part.start < first.start) {
            first = part;
        }
    }
    return first;
}

}  // namespace

KernelSpace::Layout KernelSpace::layout_of_machine() {
    Layout layout{};
    layout.mappings_work = arch::kKernelMappingsWork;
    layout.image = arch::kernel_image();
    layout.largest_level = arch::has_gigabyte_pages() ? 2 : 1;
    if (arch::kKernelMappingsWork) {
        layout.direct_map = {reinterpret_cast<uptr>(arch::direct_map({0}))};
        layout.mapping_area = arch::kernel_mapping_area();
    }
    return layout;
}

Result<void> KernelSpace::create(std::span<const PhysicalRange> ram, const Layout& layout) {
    root_ = TRY(tables_.allocate_table());
    mappings_work_ = layout.mappings_work;
    if (!mappings_work_) {
        return {};
    }
    // Regions that touch are one, so that large pages may span them.
    PhysicalRange current = kFirstMebibyte;
    for (const PhysicalRange& range : ram) {
        if (range.start <= current.end) {
            current.end = std::max(current.end, range.end);
            continue;
        }
        TRY(map_direct(current, layout));
        current = range;
    }
    TRY(map_direct(current, layout));
    TRY(map_image(layout.image));
    KernelPageTable table(tables_, root_);
    TRY(table.populate_root(layout.mapping_area.start, layout.mapping_area.end));
    SpinLockGuard guard(area_lock_);
    area_.initialize(layout.mapping_area.start, layout.mapping_area.end);
    return {};
}

/// The parts that are read-only in the image are so here: W^X holds for frames, not only for
/// addresses.
Result<void> KernelSpace::map_direct(PhysicalRange range, const Layout& layout) {
    KernelPageTable table(tables_, root_);
    while (range.size() != 0) {
        const PhysicalRange read_only = first_read_only(range, layout.image);
        if (range.start < read_only.start) {
            TRY(table.map(layout.direct_map + range.start.value, read_only.start - range.start, range.start,
                          kKernelData, layout.largest_level));
        }
        if (read_only.size() != 0) {
            TRY(table.map(layout.direct_map + read_only.start.value, read_only.size(), read_only.start,
                          Protection{.global = true}, layout.largest_level));
        }
        range.start = read_only.end;
    }
    return {};
}

Result<void> KernelSpace::map_image(std::span<const arch::ImageSegment> image) {
    KernelPageTable table(tables_, root_);
    for (const arch::ImageSegment& segment : image) {
        ASSERT(!segment.writable || !segment.executable);
        const Protection protection{.writable = segment.writable, .executable = segment.executable, .global = true};
        TRY(table.map(segment.start, align_up(segment.size, kPageSize), segment.physical, protection, 1));
    }
    return {};
}

void KernelSpace::use(FrameAllocator& frames) {
    frames_ = &frames;
    tables_.use(frames);
}

std::optional<KernelPageTable::Translation> KernelSpace::translate(VirtualAddress address) {
    SpinLockGuard guard(table_lock_);
    return KernelPageTable(tables_, root_).translate(address);
}

}  // namespace cairn::mm
