#pragma once
/// EntryWindow: what a fault offers an object for pages that are there already: the places of their entries, which lie
/// one behind the other in one last-level table.

#include "mm/user_table.h"

namespace cairn::mm {

/// Whoever has one holds the lock of the table's entries.
class EntryWindow {
public:
    /// `size` entries of `leaf` from `first` on. Each entry that is put there is `pattern`, which is present and has
    /// the address 0, with its page's address.
    EntryWindow(PhysicalAddress leaf, u32 first, u32 size, PageEntry pattern)
        : entries_(leaf), first_(first), size_(size), pattern_(pattern.bits()) {}

    u32 size() const { return size_; }
    bool is_empty(u32 index) const { return entries_.load(first_ + index) == 0; }
    void put(u32 index, PhysicalAddress page) { entries_.store(first_ + index, pattern_ | page.value); }

private:
    TableEntries entries_;
    const u32 first_;
    const u32 size_;
    const u64 pattern_;
};

}  // namespace cairn::mm
