#pragma once
/// The memory map: what firmware and boot loader say about physical memory, made consistent.
/// Entries are added in any order and may overlap; finish() turns them into regions that are
/// page-aligned, sorted, disjoint and merged. Memory that no region names is not RAM.

#include <span>

#include "kernel/base/address.h"
#include "kernel/base/types.h"

namespace cairn::boot {

struct MemoryRegion {
    /// Least restrictive first: where entries overlap, the later enumerator wins.
    enum class Kind : u8 {
        Usable,           // free from the start
        BootReclaimable,  // boot loader data, EFI boot services: free once start-up is over
        AcpiReclaimable,  // ACPI tables: free once they have been read
        AcpiNvs,          // belongs to the firmware (ACPI 6.5, table 15.1)
        Reserved,         // devices, firmware; never RAM for us
        Bad,              // defective RAM; not to be touched at all
    };
    static constexpr u32 kKinds = 6;
    PhysicalRange range;
    Kind kind = {};  // zero, so that a static map takes no room in the image
    constexpr bool operator==(const MemoryRegion&) const = default;
};

class MemoryMap {
public:
    using Kind = MemoryRegion::Kind;

    /// Entries kept. Large servers report some 200 (EFI); neighbours of one kind count as one.
    /// When there are more, the smallest usable ones are forgotten (that memory is lost, with a
    /// log line) and, without usable ones, the unusable ones are widened. So an overflow loses
    /// memory but never makes unusable memory usable.
    static constexpr usize kMaxEntries = 512;
    /// Each of the 2n end points of n entries starts at most one region, and the last starts none.
    static constexpr usize kMaxRegions = 2 * kMaxEntries - 1;
    /// Physical addresses of x86-64 have at most 52 bits (SDM vol. 3A, 4.1.4); the rest is cut.
    static constexpr PhysicalAddress kAddressLimit{u64{1} << 52};

    /// Notes `size` bytes at `start`. Usable and reclaimable memory shrinks to whole pages,
    /// anything else grows to whole pages, so that no page is two things. ACPI tables that share
    /// a page with something else are kept for ever (AcpiNvs).
    void add(PhysicalAddress start, u64 size, Kind kind);
    /// Resolves what was added so far. O(n log n) for n entries, no scratch memory.
    void finish();
    /// Forgets everything.
    void clear();

    /// The result of the last finish().
    std::span<const MemoryRegion> regions() const { return {regions_, region_count_}; }
    /// Bytes of one kind.
    u64 total(Kind kind) const;
    /// Bytes that are RAM and will be ours sooner or later.
    u64 total_ram() const { return total(Kind::Usable) + total(Kind::BootReclaimable) + total(Kind::AcpiReclaimable); }
    /// Whether all of `range` is RAM, whoever has it now; of nothing, too.
    bool is_ram(PhysicalRange range) const;
    /// Whether any of `range` is.
    bool has_ram(PhysicalRange range) const;
    /// Entries that did not fit; logged by finish().
    usize overflow_count() const { return overflow_count_; }

private:
    void add_to_full_map(const MemoryRegion& entry);
    void append_region(const MemoryRegion& region);

    MemoryRegion entries_[kMaxEntries];  // page-aligned, non-empty, in any order
    usize entry_count_ = 0;
    MemoryRegion regions_[kMaxRegions];
    usize region_count_ = 0;
    usize overflow_count_ = 0;
};

}  // namespace cairn::boot
