#include "kernel/boot/memory_map.h"

#include <algorithm>

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
    std::sort(entries_, entries_ + entry_count_,
              [](const MemoryRegion& a, const MemoryRegion& b) { return a.range.start < b.range.start; });
    region_count_ = 0;
    // Walk upwards from one point where an entry starts or a kind ends to the next. Of the entries
    // of one kind that started already, only the one that reaches furthest matters.
    PhysicalAddress reaches_to[MemoryRegion::kKinds] = {};
    usize next_entry = 0;
    PhysicalAddress at{0};
    while (true) {
        for (; next_entry < entry_count_ && entries_[next_entry].range.start <= at; ++next_entry) {
            PhysicalAddress& end = reaches_to[static_cast<usize>(entries_[next_entry].kind)];
            end = end < entries_[next_entry].range.end ? entries_[next_entry].range.end : end;
        }
        PhysicalAddress next = next_entry < entry_count_ ? entries_[next_entry].range.start : kAddressLimit;
        bool covered = false;
        Kind kind = {};
        for (usize i = 0; i < MemoryRegion::kKinds; ++i) {
            if (at < reaches_to[i]) {
                covered = true;
                kind = static_cast<Kind>(i);
                next = reaches_to[i] < next ? reaches_to[i] : next;
            }
        }
        if (covered) {
            append_region({{at, next}, kind});
        } else if (next_entry == entry_count_) {
            break;
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

bool MemoryMap::is_ram(PhysicalRange range) const {
    for (const MemoryRegion& region : regions()) {
        if (region.range.end > range.start && range.start < range.end) {
            if (region.range.start > range.start || !becomes_ours(region.kind)) {
                return false;
            }
            range.start = region.range.end;
        }
    }
    return range.start >= range.end;
}

bool MemoryMap::has_ram(PhysicalRange range) const {
    return std::ranges::any_of(regions(), [range](const MemoryRegion& region) {
        return becomes_ours(region.kind) && region.range.start < range.end && range.start < region.range.end;
    });
}

u64 MemoryMap::total(Kind kind) const {
    u64 bytes = 0;
    for (const MemoryRegion& region : regions()) {
        bytes += region.kind == kind ? region.range.size() : 0;
    }
    return bytes;
}

}  // namespace cairn::boot
