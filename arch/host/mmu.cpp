#include "arch/host/mmu.h"

#include "arch/arch.h"
#include "arch/host/simulator.h"

namespace cairn::arch::host {

namespace {

using Format = LongModeFormat;

constexpr u32 kErrorPresent = 1u << 0;  // SDM vol. 3A, 4.7
constexpr u32 kErrorWrite = 1u << 1;
constexpr u32 kErrorReserved = 1u << 3;

constexpr u32 page_shift(u32 level) {
    return static_cast<u32>(kPageShift) + Format::kBitsPerLevel * level;
}
constexpr u64 page_number(VirtualAddress address, u32 level) {
    return address.value >> page_shift(level);
}

/// The entry of the table at `table` that translates `address`.
u64& table_entry(u64 table, VirtualAddress address, u32 level) {
    if (table >= g_current.memory_size) {
        fail_run("page walk through a table outside memory");
    }
    if (frame_is_freed(FrameNumber::containing({table}))) {
        fail_run("page walk through a freed page table (stale root, entry or paging-structure cache)");
    }
    u64 index = page_number(address, level) % (u64{1} << Format::kBitsPerLevel);
    return static_cast<u64*>(direct_map({table}))[index];
}

}  // namespace

/// Where a walk stands.
struct Mmu::Walk {
    bool ok = false;
    u32 error_code = 0;
    u32 level = Format::kLevels - 1;  // of the table, then of the leaf
    u64 table = 0;
    bool writable = true;  // so far, over all levels
    bool user = true;
    u64 leaf = 0;
};

void Mmu::reset() {
    *this = Mmu{};
}

void Mmu::load_root(PhysicalAddress root, u16 tag, bool flush_tag) {
    root_ = root;
    tag_ = tag;
    if (flush_tag) {
        flush_address_space();
    }
}

void Mmu::flush_page(VirtualAddress address) {
    forget_faulting(address);
    drop_structure_entries(tag_, false);  // INVLPG drops all of the tag (SDM 4.10.4.1)
}

void Mmu::flush_address_space() {
    for (Entry& entry : entries_) {
        if (entry.tag == tag_ && !entry.global) {
            entry.valid = false;
        }
    }
    drop_structure_entries(tag_, false);
}

void Mmu::flush_all() {
    for (Entry& entry : entries_) {
        entry.valid = false;
    }
    drop_structure_entries(0, true);
}

void Mmu::drop_structure_entries(u16 tag, bool all_tags) {
    for (StructureEntry& entry : structure_) {
        if (all_tags || entry.tag == tag) {
            entry.valid = false;
        }
    }
}

void Mmu::forget_faulting(VirtualAddress address) {
    while (Entry* entry = find(address)) {
        entry->valid = false;
    }
    for (StructureEntry& entry : structure_) {
        if (entry.tag == tag_ && entry.region == page_number(address, entry.level + 1u)) {
            entry.valid = false;
        }
    }
}

Mmu::Entry* Mmu::find(VirtualAddress address) {
    for (Entry& entry : entries_) {
        if (entry.valid && (entry.global || entry.tag == tag_) && entry.page == page_number(address, entry.level)) {
            return &entry;
        }
    }
    return nullptr;
}

Mmu::Outcome Mmu::use(const Entry& entry, VirtualAddress address) const {
    u64 offset = address.value & ((u64{1} << page_shift(entry.level)) - 1);
    PhysicalAddress target{entry.frame_address + offset};
    if (target.value >= g_current.memory_size) {
        fail_run("user access to physical memory that is not there");
    }
    if (frame_is_freed(FrameNumber::containing(target))) {
        fail_run("stale TLB entry: user access to a freed frame");
    }
    return {.ok = true, .address = target, .error_code = 0};
}

Mmu::Outcome Mmu::translate(VirtualAddress address, Access access) {
    if (Entry* hit = find(address)) {
        bool needs_walk = access == Access::Store && hit->writable && !hit->dirty;
        if (access == Access::Store && !hit->writable) {
            return {.ok = false, .address = {}, .error_code = kErrorPresent | kErrorWrite};
        }
        if (!needs_walk) {
            return use(*hit, address);
        }
        hit->valid = false;  // the dirty flag must be set in memory first (SDM 4.8)
    }
    Walk result = walk(address, access);
    if (!result.ok) {
        return {.ok = false, .address = {}, .error_code = result.error_code};
    }
    cache(result, address);
    return use(*find(address), address);
}

Mmu::Walk Mmu::walk(VirtualAddress address, Access access) {
    Walk walk;
    walk.table = root_.value;
    start_from_cache(address, walk);
    u32 write_error = access == Access::Store ? kErrorWrite : 0;
    for (;; --walk.level) {
        interleave();  // another CPU may change the tables between any two reads
        u64& entry = table_entry(walk.table, address, walk.level);
        if ((entry & Format::kPresent) == 0) {
            walk.error_code = write_error;
            return walk;
        }
        bool leaf = walk.level == 0 || (entry & Format::kLargePage) != 0;
        if (leaf && walk.level > Format::kLargestLeafLevel) {
            walk.error_code = kErrorPresent | kErrorReserved | write_error;
            return walk;
        }
        walk.writable = walk.writable && (entry & Format::kWritable) != 0;
        walk.user = walk.user && (entry & Format::kUser) != 0;
        if (leaf && (!walk.user || (access == Access::Store && !walk.writable))) {
            walk.error_code = kErrorPresent | write_error;
            return walk;
        }
        // One locked operation with the read above: no scheduling point lies between.
        entry |= Format::kAccessed | (leaf && access == Access::Store ? Format::kDirty : 0);
        if (leaf) {
            walk.leaf = entry;
            walk.ok = true;
            return walk;
        }
        walk.table = entry & Format::kAddressMask;
        cache_table(walk, address);
    }
}

/// The deepest cached table for the address, if any; a real walk may start there.
bool Mmu::start_from_cache(VirtualAddress address, Walk& walk) {
    const StructureEntry* best = nullptr;
    for (const StructureEntry& entry : structure_) {
        if (entry.valid && entry.tag == tag_ && entry.region == page_number(address, entry.level + 1u) &&
            (best == nullptr || entry.level < best->level)) {
            best = &entry;
        }
    }
    if (best == nullptr) {
        return false;
    }
    walk.table = best->table_address;
    walk.level = best->level;
    walk.writable = best->writable;
    walk.user = best->user;
    return true;
}

void Mmu::cache(const Walk& walk, VirtualAddress address) {
    u64 offset_mask = (u64{1} << page_shift(walk.level)) - 1;
    entries_[g_simulator.machine_random.below(kEntries)] = {
        .valid = true,
        .global = (walk.leaf & Format::kGlobal) != 0,
        .writable = walk.writable,
        .dirty = (walk.leaf & Format::kDirty) != 0,
        .level = static_cast<u8>(walk.level),
        .tag = tag_,
        .page = page_number(address, walk.level),
        .frame_address = walk.leaf & Format::kAddressMask & ~offset_mask,
    };
}

void Mmu::cache_table(const Walk& walk, VirtualAddress address) {
    u32 table_level = walk.level - 1;
    structure_[g_simulator.machine_random.below(kStructureEntries)] = {
        .valid = true,
        .writable = walk.writable,
        .user = walk.user,
        .level = static_cast<u8>(table_level),
        .tag = tag_,
        .region = page_number(address, walk.level),
        .table_address = walk.table,
    };
}

void Mmu::speculate(VirtualAddress address) {
    if (find(address) != nullptr) {
        return;
    }
    Walk result = walk(address, Access::Load);
    if (result.ok) {
        cache(result, address);
    }
}

u32 Mmu::entries_for(FrameNumber frame) const {
    u32 count = 0;
    for (const Entry& entry : entries_) {
        u64 size = u64{1} << page_shift(entry.level);
        PhysicalRange range{{entry.frame_address}, {entry.frame_address + size}};
        count += entry.valid && range.contains(frame.address()) ? 1 : 0;
    }
    for (const StructureEntry& entry : structure_) {
        count += entry.valid && FrameNumber::containing({entry.table_address}) == frame ? 1 : 0;
    }
    return count;
}

}  // namespace cairn::arch::host
