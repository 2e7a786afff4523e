#pragma once
/// UserTable: the lower half of an address space's page table, made of 4 KiB pages that come and go one by one.
/// Entries:
///
///     zero       nothing yet; a fault asks the mapping
///     present    a frame; writable only if the page may be written without a fault
///     parked     a frame that the protection (PROT_NONE) hides: not present, with the frame's address inverted, so
///                that no CPU speculates with it (L1TF; SDM vol. 3A, 4.6)
///
/// kNoReference (a bit that the CPU ignores) marks what owns no reference: the page of zeros, and device memory.
///
/// Locks: see AddressSpace. Walks down to a last-level table need none, loads and stores of its entries do.

#include <optional>

#include "mm/mapping.h"
#include "mm/table_memory.h"
#include "mm/tlb_flush.h"

namespace cairn::mm {

/// One entry of a last-level table.
class PageEntry {
public:
    using Format = arch::PageTableFormat;
    static constexpr u64 kNoReference = 1u << 9;  // ignored by the CPU (SDM vol. 3A, table 4-20)
    static constexpr u64 kParked = 1u << 8;       // with a clear present bit

    constexpr PageEntry() = default;
    constexpr explicit PageEntry(u64 bits) : bits_(bits) {}
    /// A frame as `access` (kAccess…) permits. Writable only when `may_write`; then it counts as dirty.
    static PageEntry make(FrameNumber frame, u32 access, bool may_write, Caching caching = Caching::WriteBack) {
        u64 bits = frame.address().value | Format::kUser | Format::kAccessed;
        bits |= caching == Caching::Uncached ? Format::kUncached | Format::kWriteThrough : 0;
        return PageEntry(bits | Format::kPresent).with_access(access, may_write);
    }
    static PageEntry make_without_reference(FrameNumber frame, u32 access, bool may_write, Caching caching) {
        return PageEntry(make(frame, access, may_write, caching).bits_ | kNoReference);
    }

    constexpr u64 bits() const { return bits_; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr bool present() const { return (bits_ & Format::kPresent) != 0; }
    constexpr bool writable() const { return (bits_ & Format::kWritable) != 0; }
    constexpr bool executable() const { return present() && (bits_ & Format::kNoExecute) == 0; }
    constexpr bool accessed() const { return (bits_ & Format::kAccessed) != 0; }
    constexpr bool dirty() const { return (bits_ & Format::kDirty) != 0; }
    /// Present, and with a reference: what most entries in use are.
    constexpr bool is_counted_page() const { return (bits_ & (Format::kPresent | kNoReference)) == Format::kPresent; }
    constexpr bool owns_reference() const { return (bits_ & kNoReference) == 0; }
    constexpr PhysicalAddress address() const { return {(present() ? bits_ : ~bits_) & Format::kAddressMask}; }
    /// The same of a page that is present, without a look at that.
    constexpr PhysicalAddress present_address() const { return {bits_ & Format::kAddressMask}; }
    constexpr FrameNumber frame() const { return FrameNumber::containing(address()); }
    constexpr bool operator==(const PageEntry&) const = default;

    /// The same frame with another protection.
    PageEntry with_access(u32 access, bool may_write) const {
        u64 bits =
            bits_ & ~(Format::kWritable | Format::kNoExecute | Format::kPresent | kParked | Format::kAddressMask);
        const u64 address = frame().address().value;
        if (access == 0) {
            return PageEntry(bits | kParked | (~address & Format::kAddressMask));
        }
        bits |= Format::kPresent | address;
        bits |= (access & kAccessExecute) != 0 ? 0 : Format::kNoExecute;
        bits |= may_write ? Format::kWritable | Format::kDirty : 0;
        return PageEntry(bits);
    }
    PageEntry read_only() const { return PageEntry(bits_ & ~Format::kWritable); }
    PageEntry not_accessed() const { return PageEntry(bits_ & ~Format::kAccessed); }
    PageEntry accessed_now() const { return PageEntry(bits_ | Format::kAccessed); }

private:
    u64 bits_ = 0;
};

/// Tables that are counted, for the space and for all.
class UserTableFrames : public TableFrames {
public:
    explicit UserTableFrames(FrameAllocator& frames) : TableFrames(frames) {}
    /// May sleep.
    Result<PhysicalAddress> allocate_table();
    void free_table(PhysicalAddress table);
    u64 count() const { return count_.load(Order::relaxed); }

private:
    Atomic<u64> count_{0};
};

class UserTable {
public:
    using Format = arch::PageTableFormat;
    using Lock = SpinLock<LockRank::PageTable>;
    static constexpr u32 kEntries = 1u << Format::kBitsPerLevel;
    static constexpr u64 kLeafSpan = kPageSize * kEntries;  // 2 MiB
    static constexpr u32 kTopLevel = Format::kLevels - 1;

    UserTable(UserTableFrames& memory, PhysicalAddress root) : memory_(memory), root_(root) {}

    PhysicalAddress root() const { return root_; }

    /// The last-level table for `address`; zero if there is none.
    PhysicalAddress find_leaf(VirtualAddress address) const;
    /// The same, made if need be. `lock` is taken for the moment in which a table is added. ENOMEM; may sleep.
    Result<PhysicalAddress> ensure_leaf(VirtualAddress address, Lock& lock);

    PageEntry load(PhysicalAddress leaf, u32 index) const { return PageEntry(memory_.load(leaf, index)); }
    /// The first of a last-level table's entries [first, last) that is not empty; `last` if all are.
    u32 next_used(PhysicalAddress leaf, u32 first, u32 last) const { return memory_.next_used(leaf, first, last); }
    /// For loops over entries that are mostly in use: the last of the empty ones that begin with `index`.
    u32 last_unused(PhysicalAddress leaf, u32 index, u32 last) const { return next_used(leaf, index + 1, last) - 1; }
    void store(PhysicalAddress leaf, u32 index, PageEntry entry) { memory_.store(leaf, index, entry.bits()); }

    /// The entries of one last-level table for addresses that follow each other: [first, last), `start` is the first's
    /// address, `end` the end of the last one's.
    struct Part {
        PhysicalAddress leaf{};
        u32 first = 0;
        u32 last = 0;
        VirtualAddress start{};
        VirtualAddress end{};
        VirtualAddress address_of(u32 index) const { return start + (index - first) * kPageSize; }
    };
    /// The first part of [start, end) that has a table; none if no part has.
    std::optional<Part> next_part(VirtualAddress start, VirtualAddress end) const;
    /// All of them, in order: `for (Parts parts(table, start, end); parts.next();)`, then `*parts`.
    class Parts {
    public:
        Parts(const UserTable& table, VirtualAddress start, VirtualAddress end) : table_(table), end_(end) {
            part_.end = start;
        }
        bool next() {
            std::optional<Part> part = table_.next_part(part_.end, end_);
            if (part) {
                part_ = *part;
            }
            return part.has_value();
        }
        const Part& operator*() const { return part_; }

    private:
        const UserTable& table_;
        const VirtualAddress end_;
        Part part_;
    };

    /// Takes out the tables of [start, end) all of whose addresses are within [floor, ceiling), where nothing is mapped
    /// any more. No fault can be going on.
    void retire_tables(VirtualAddress start, VirtualAddress end, VirtualAddress floor, VirtualAddress ceiling,
                       TlbFlush& flush OPEN_OBLIGATION);
    /// For the end of a space, mapping by mapping in order of address, when no CPU uses the tables: frees those of
    /// [start, end) that nothing at or above `next`, where the next mapping begins, needs. All entries of the range are
    /// empty. With the last one all but the root are free: a table is there only where a mapping is (retire_tables).
    void free_tables(VirtualAddress start, VirtualAddress end, VirtualAddress next);

    static constexpr u32 shift_of(u32 level) { return kPageShift + Format::kBitsPerLevel * level; }
    static constexpr u64 span_of(u32 level) { return u64{1} << shift_of(level); }
    static constexpr u32 index_of(VirtualAddress address, u32 level = 0) {
        return static_cast<u32>(address.value >> shift_of(level)) % kEntries;
    }

private:
    static VirtualAddress align_down_to(VirtualAddress address, u32 level) {
        return {align_down(address.value, span_of(level))};
    }
    static bool is_table(u64 entry) { return (entry & Format::kPresent) != 0; }
    static PhysicalAddress table_of(u64 entry) { return {entry & Format::kAddressMask}; }

    struct Bounds {
        u64 floor;
        u64 ceiling;
    };
    void retire_in(PhysicalAddress table, u32 level, VirtualAddress start, VirtualAddress end, const Bounds& bounds,
                   TlbFlush& flush OPEN_OBLIGATION);
    void free_in(PhysicalAddress table, u32 level, VirtualAddress start, VirtualAddress end, VirtualAddress next);

    UserTableFrames& memory_;
    const PhysicalAddress root_;
};

}  // namespace cairn::mm
