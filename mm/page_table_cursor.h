#pragma once
/// A walk over the entries of a page table that translate the addresses [start, end): like a
/// finger on the current entry, which can go to the next one, down into the table that an entry
/// refers to, and up again. It remembers the tables on the way, so that a step does not begin at
/// the root. The caller keeps others from changing the tables (rank PageTable).

#include "kernel/base/address.h"
#include "kernel/base/assert.h"
#include "mm/table_memory.h"

namespace cairn::mm {

template <typename Format, TableMemory Memory>
class PageTableCursor {
public:
    static constexpr u32 kTopLevel = Format::kLevels - 1;
    static constexpr u32 kEntries = 1u << Format::kBitsPerLevel;

    PageTableCursor(Memory& memory, PhysicalAddress root, VirtualAddress start, VirtualAddress end)
        : memory_(memory), start_(start), end_(end), address_(start), level_(kTopLevel) {
        ASSERT(start < end && is_aligned(start.value | end.value, kPageSize));
        tables_[kTopLevel] = root;
    }

    bool done() const { return address_ >= end_; }
    /// First address in the range that the current entry translates; where a later walk resumes.
    VirtualAddress address() const { return address_; }
    u32 level() const { return level_; }
    PhysicalAddress table() const { return tables_[level_]; }
    u32 index() const { return index_of(address_, level_); }

    u64 entry_size() const { return size_of(level_); }
    VirtualAddress entry_start() const { return {align_down(address_.value, entry_size())}; }
    /// Whether the range covers all that the current entry translates.
    bool covers_entry() const { return entry_start() >= start_ && end_ - entry_start() >= entry_size(); }

    u64 load() const { return memory_.load(table(), index()); }
    void store(u64 entry) { memory_.store(table(), index(), entry); }
    u64 exchange(u64 entry) { return memory_.exchange(table(), index(), entry); }
    bool compare_exchange(u64 expected, u64 entry) {
        return memory_.compare_exchange(table(), index(), expected, entry);
    }

    /// Goes down into the table that the current entry refers to.
    void descend(u64 entry) {
        ASSERT(level_ > 0);
        tables_[--level_] = {entry & Format::kAddressMask};
    }
    /// Goes to the next entry of this table, and calls `leave(cursor)` for each table that is left
    /// because the walk is beyond it, when the cursor stands on the entry that refers to it.
    template <typename Leave>
    void next(Leave leave) {
        address_ = entry_start() + entry_size();
        const bool finished = done();
        while (level_ < kTopLevel && (finished || index_of(address_, level_) == 0)) {
            const PhysicalAddress left = table();
            const VirtualAddress beyond = address_;
            // The parent's entry is that of the last address before.
            ++level_;
            address_ = {beyond.value - 1};
            leave(*this, left);
            address_ = beyond;
        }
    }
    void next() {
        next([](PageTableCursor&, PhysicalAddress) {});
    }

    static constexpr u64 size_of(u32 level) { return kPageSize << (Format::kBitsPerLevel * level); }
    static constexpr u32 index_of(VirtualAddress address, u32 level) {
        return static_cast<u32>(address.value / size_of(level)) % kEntries;
    }

private:
    Memory& memory_;
    const VirtualAddress start_;
    const VirtualAddress end_;
    VirtualAddress address_;
    u32 level_;
    PhysicalAddress tables_[Format::kLevels];
};

}  // namespace cairn::mm
