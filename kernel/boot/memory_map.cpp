#include "kernel/boot/memory_map.h"

#include "kernel/base/log.h"

namespace cairn::boot {

namespace {

using Kind = MemoryRegion::Kind;

bool becomes_ours(Kind kind) {
    return kind <= Kind::AcpiReclaimable;
}

PhysicalRange hull(const PhysicalRange& a, const PhysicalRange& b) {
    return {a.start < b.start ? a.start : b.start, a.end < b.end ? b.end : a.end};
}

}  // namespace

void MemoryMap::add(PhysicalAddress start, u64 size, Kind kind) {
    if (start >= kAddressLimit) {
        return;
    }
    u64 room = kAddressLimit - start;
    PhysicalAddress end = size < room ? start + size : kAddressLimit;
    bool aligned = is_aligned(start.value, kPageSize) && is_aligned(end.value, kPageSize);
    if (kind == Kind::AcpiReclaimable && !aligned) {
        kind = Kind::AcpiNvs;
    }
    // No overflow: everything is at most kAddressLimit, which is page-aligned.
    PhysicalRange range = becomes_ours(kind)
                              ? PhysicalRange{{align_up(start.value, kPageSize)}, {align_down(end.value, kPageSize)}}
                              : PhysicalRange{{align_down(start.value, kPageSize)}, {align_up(end.value, kPageSize)}};
    if (size == 0 || range.size() == 0) {
        return;
    }
    if (entry_count_ != 0) {
        MemoryRegion& last = entries_[entry_count_ - 1];
        if (last.kind == kind && last.range.end == range.start) {
            last.range.end = range.end;
            return;
        }
    }
    if (entry_count_ < kMaxEntries) {
        entries_[entry_count_++] = {range, kind};
    } else {
        add_to_full_map({range, kind});
    }
}

void MemoryMap::add_to_full_map(const MemoryRegion& entry) {
    ++overflow_count_;
    MemoryRegion* smallest = nullptr;
    for (MemoryRegion& candidate : entries_) {
        bool smaller = smallest == nullptr || candidate.range.size() < smallest->range.size();
        if (candidate.kind == Kind::Usable && smaller) {
            smallest = &candidate;
        }
    }
    if (entry.kind == Kind::Usable) {
        if (smallest != nullptr && smallest->range.size() < entry.range.size()) {
            *smallest = entry;
        }
        return;
    }
    if (smallest != nullptr) {
        *smallest = entry;
        return;
    }
    // Five hundred entries without usable memory: no sane machine. Keep every byte unusable.
    MemoryRegion& last = entries_[kMaxEntries - 1];
    last.range = hull(last.range, entry.range);
    last.kind = last.kind < entry.kind ? entry.kind : last.kind;
}

void MemoryMap::append_region(const MemoryRegion& region) {
    if (region_count_ != 0) {
        MemoryRegion& last = regions_[region_count_ - 1];
        if (last.kind == region.kind && last.range.end == region.range.start) {
            last.range.end = region.range.end;
            return;
        }
    }
    regions_[region_count_++] = region;
}

void MemoryMap::finish() {
    region_count_ = 0;
    // Between two neighbouring end points the covering entries are the same: walk from one end
    // point to the next and let the most restrictive entry decide.
    PhysicalAddress at{0};
    while (at < kAddressLimit) {
        PhysicalAddress next = kAddressLimit;
        bool covered = false;
        Kind kind = Kind::Usable;
        for (usize i = 0; i < entry_count_; ++i) {
            const MemoryRegion& entry = entries_[i];
            if (entry.range.contains(at)) {
                covered = true;
                kind = kind < entry.kind ? entry.kind : kind;
            }
            for (PhysicalAddress point : {entry.range.start, entry.range.end}) {
                if (at < point && point < next) {
                    next = point;
                }
            }
        }
        if (covered) {
            append_region({{at, next}, kind});
        }
        at = next;
    }
    if (overflow_count_ != 0) {
        log_warning("boot", "memory map: {} of {} entries did not fit, memory is lost", overflow_count_,
                    kMaxEntries + overflow_count_);
    }
}

void MemoryMap::clear() {
    entry_count_ = region_count_ = overflow_count_ = 0;
}

u64 MemoryMap::total(Kind kind) const {
    u64 bytes = 0;
    for (const MemoryRegion& region : regions()) {
        bytes += region.kind == kind ? region.range.size() : 0;
    }
    return bytes;
}

}  // namespace cairn::boot
