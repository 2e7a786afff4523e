#pragma once
/// One CPU's memory management unit: it walks the kernel's page tables in simulated memory and
/// caches what it finds as a real one may (SDM vol. 3A, 4.10): translations and paging-structure
/// entries, tagged by PCID, evicted at random, filled ahead of use, and never updated when the
/// tables change. Only the four flushes and a load with TagContents::Flush remove entries on
/// demand. Using an entry or a table whose frame is free ends the run.

#include "arch/host/random.h"
#include "kernel/base/address.h"
#include "kernel/base/types.h"

namespace cairn::arch::host {

enum class Access : u8 { Load, Store };

class Mmu {
public:
    void reset();

    // The operations of arch.h.
    void load_root(PhysicalAddress root, u16 tag, bool flush_tag);
    void flush_page(VirtualAddress address);
    void flush_address_space();
    void flush_all();

    /// The physical address behind a user address, or the error code of a page fault
    /// (SDM vol. 3A, 4.7) without the user bit. Passes scheduling points during a walk.
    struct Outcome {
        bool ok;
        PhysicalAddress address;
        u32 error_code;
    };
    Outcome translate(VirtualAddress address, Access access);
    /// A page fault drops what was cached for the address (SDM 4.10.4.1).
    void forget_faulting(VirtualAddress address);
    /// A speculative fill near `address`: the CPU may do this at any time (SDM 4.10.2.3).
    void speculate(VirtualAddress address);

    u32 entries_for(FrameNumber frame) const;
    PhysicalAddress root() const { return root_; }
    u16 tag() const { return tag_; }

private:
    struct Entry {
        bool valid = false;
        bool global = false;
        bool writable = false;  // and user: only user pages are cached
        bool dirty = false;
        u8 level = 0;  // of the leaf: 0 4 KiB, 1 2 MiB, 2 1 GiB
        u16 tag = 0;
        u64 page = 0;  // virtual address >> (12 + 9 * level)
        u64 frame_address = 0;
    };
    /// An entry that refers to a table of `level` 0 … 2.
    struct StructureEntry {
        bool valid = false;
        bool writable = false;
        bool user = false;
        u8 level = 0;
        u16 tag = 0;
        u64 region = 0;  // virtual address >> (21 + 9 * level)
        u64 table_address = 0;
    };
    struct Walk;

    Entry* find(VirtualAddress address);
    Outcome use(const Entry& entry, VirtualAddress address) const;
    Walk walk(VirtualAddress address, Access access);
    bool start_from_cache(VirtualAddress address, Walk& walk);
    void cache(const Walk& walk, VirtualAddress address);
    void cache_table(const Walk& walk, VirtualAddress address);
    void drop_structure_entries(u16 tag, bool all_tags);

    static constexpr u32 kEntries = 16;
    static constexpr u32 kStructureEntries = 4;
    Entry entries_[kEntries];
    StructureEntry structure_[kStructureEntries];
    PhysicalAddress root_;
    u16 tag_ = 0;
};

}  // namespace cairn::arch::host
