/// The input is a list of memory map entries; each may repeat at a stride, so that short inputs
/// overflow the map. The result is compared with the rule itself: the most restrictive entry wins.

#include "kernel/boot/memory_map.h"

#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using Kind = boot::MemoryRegion::Kind;

/// A little more than fit.
constexpr usize kMostEntries = boot::MemoryMap::kMaxEntries + 40;

struct Entry {
    u32 start_page;
    u16 offset;  // into that page
    u32 size;
    u8 scale;  // size is shifted left by its low 6 bits
    u8 kind;
    u8 repeat;
    u8 stride;  // pages
} __attribute__((packed));

bool takes_whole_pages_only(Kind kind) {
    return kind <= Kind::AcpiReclaimable;
}

/// What the page at `address` must be at least, by what was added; -1 for nothing.
int strictest(const std::vector<boot::MemoryRegion>& added, PhysicalAddress address) {
    int kind = -1;
    for (const boot::MemoryRegion& entry : added) {
        PhysicalRange page{address, address + kPageSize};
        bool whole = entry.range.start <= page.start && page.end <= entry.range.end;
        bool counts = takes_whole_pages_only(entry.kind) ? whole : entry.range.overlaps(page);
        if (counts && static_cast<int>(entry.kind) > kind) {
            kind = static_cast<int>(entry.kind);
        }
    }
    return kind;
}

int found_kind(const boot::MemoryMap& map, PhysicalAddress address) {
    for (const boot::MemoryRegion& region : map.regions()) {
        if (region.range.contains(address)) {
            return static_cast<int>(region.kind);
        }
    }
    return -1;
}

void check_page(const boot::MemoryMap& map, const std::vector<boot::MemoryRegion>& added, PhysicalAddress address) {
    if (address >= boot::MemoryMap::kAddressLimit) {
        return;
    }
    PhysicalAddress page{align_down(address.value, kPageSize)};
    int expected = strictest(added, page);
    int found = found_kind(map, page);
    if (map.overflow_count() == 0) {
        // Unaligned ACPI tables count as AcpiNvs, so the found kind may be stricter by that.
        bool as_nvs = found == static_cast<int>(Kind::AcpiNvs) && expected < found;
        fuzz::require(found == expected || as_nvs);
    } else {
        fuzz::require(found != static_cast<int>(Kind::Usable) || expected == found);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static boot::MemoryMap map;
    set_console_level(0);
    map.clear();
    std::vector<boot::MemoryRegion> added;
    std::span<const std::byte> input = fuzz::as_bytes(data, size);
    for (u64 offset = 0; auto entry = load_at<Entry>(input, offset); offset += sizeof(Entry)) {
        Kind kind = static_cast<Kind>(entry->kind % boot::MemoryRegion::kKinds);
        u64 length = u64{entry->size} << (entry->scale % 32);
        for (u32 i = 0; i <= entry->repeat % 32 && added.size() < kMostEntries; ++i) {
            u64 start = (u64{entry->start_page} + u64{i} * entry->stride) * kPageSize + entry->offset;
            map.add({start}, length, kind);
            if (length != 0) {
                added.push_back({{{start}, {start + length}}, kind});
            }
        }
    }
    map.finish();
    fuzz::require_sound(map);
    usize step = added.size() / 6 + 1;  // checking a page looks at every entry: check some of them
    for (usize i = 0; i < added.size(); i += step) {
        check_page(map, added, added[i].range.start);
        check_page(map, added, added[i].range.end);
        check_page(map, added, {added[i].range.start.value - kPageSize});
    }
    return 0;
}
