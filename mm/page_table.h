#pragma once
/// PageTable<Format, Memory>: the page table of an address space. Pages of 4 KiB, 2 MiB and 1 GiB;
/// map, unmap, protect on ranges; query. `Format` says what the bits mean
/// (arch/long_mode_format.h), `Memory` where tables live (mm/table_memory.h).
///
/// What can fail is done first and changes no translation: prepare() allocates the tables that a
/// mapping needs, split() the ones for cutting a large page. What follows cannot fail.
/// Each single store leaves a table that the hardware may walk at that moment: a translation is
/// the old one, the new one, or (when removed) none.
///
/// Long ranges: unmap() and protect() stop after a given number of entries and say where, so that
/// the caller can let others run. The caller holds a lock that keeps other edits out and settles the
/// TlbFlush afterwards.

#include <algorithm>
#include <optional>
#include <utility>

#include "mm/page_table_cursor.h"
#include "mm/protection.h"
#include "mm/tlb_flush.h"

namespace cairn::mm {

/// Whether unmap() frees tables that became empty. The kernel's own are kept, for the next stack.
enum class EmptyTables : u8 { Free, Keep };

template <typename Format, TableMemory Memory>
class PageTable {
public:
    using Cursor = PageTableCursor<Format, Memory>;

    struct Translation {
        PhysicalAddress address;  // of the byte asked for
        Protection protection;
        u32 level;  // 0: a 4 KiB page
        bool accessed;
        bool dirty;
    };

    /// Tables made ahead for one mapping; those not used go back.
    class Prepared {
    public:
        explicit Prepared(Memory& memory) : memory_(memory) {}
        Prepared(const Prepared&) = delete;
        Prepared& operator=(const Prepared&) = delete;
        ~Prepared() {
            while (first_.value != 0) {
                memory_.free_table(take());
            }
        }

    private:
        friend class PageTable;
        Result<void> add() {
            PhysicalAddress table = TRY(memory_.allocate_table());
            memory_.set_removed_link(table, first_);
            first_ = table;
            return {};
        }
        PhysicalAddress take() {
            ASSERT(first_.value != 0);
            PhysicalAddress table = first_;
            first_ = memory_.removed_link(table);
            memory_.store(table, 0, 0);
            return table;
        }
        Memory& memory_;
        PhysicalAddress first_;
    };

    /// `root` is a table that the caller owns.
    PageTable(Memory& memory, PhysicalAddress root) : memory_(memory), root_(root) {}
    PageTable(const PageTable&) = delete;
    PageTable& operator=(const PageTable&) = delete;

    PhysicalAddress root() const { return root_; }

    /// What `address` leads to.
    std::optional<Translation> translate(VirtualAddress address) const {
        VirtualAddress page{align_down(address.value, kPageSize)};
        Cursor cursor(memory_, root_, page, page + kPageSize);
        for (;;) {
            const u64 entry = cursor.load();
            if ((entry & Format::kPresent) == 0) {
                return std::nullopt;
            }
            if (is_leaf(entry, cursor.level())) {
                const PhysicalAddress start = leaf_address(entry, cursor.level());
                return Translation{start + (address - cursor.entry_start()), decode(entry), cursor.level(),
                                   (entry & Format::kAccessed) != 0, (entry & Format::kDirty) != 0};
            }
            cursor.descend(entry);
        }
    }

    /// Adds to `prepared` the tables for mapping `size` bytes at `start` to memory from `physical`
    /// on, with pages up to `largest_level`. EEXIST if something is mapped there, ENOMEM. For
    /// scattered 4 KiB frames `largest_level` is 0 and `physical` any frame. A long range may be
    /// prepared in parts; where two parts share a table there is one too many.
    Result<void> prepare(Prepared& prepared, VirtualAddress start, u64 size, PhysicalAddress physical,
                         u32 largest_level) {
        ASSERT(size != 0 && is_aligned(start.value | size | physical.value, kPageSize));
        return prepare_in(prepared, root_, Cursor::kTopLevel, {start, start + size, physical, largest_level});
    }

    /// Maps what prepare() was asked for, or a part of it, with the largest pages that alignment
    /// and `largest_level` allow.
    void map(Prepared& prepared, VirtualAddress start, u64 size, PhysicalAddress physical, Protection protection,
             u32 largest_level) {
        Cursor cursor(memory_, root_, start, start + size);
        while (!cursor.done()) {
            const PhysicalAddress target = physical + (cursor.address() - start);
            const u64 entry = cursor.load();
            if (leaf_fits(cursor, target, largest_level) && (entry & Format::kPresent) == 0) {
                cursor.store(encode(target, protection, cursor.level()));
                cursor.next();
            } else if ((entry & Format::kPresent) != 0) {
                ASSERT(!is_leaf(entry, cursor.level()));
                cursor.descend(entry);
            } else {
                const u64 link = link_to(prepared.take(), protection.user);
                cursor.store(link);
                cursor.descend(link);
            }
        }
    }

    /// prepare() and map() in one.
    Result<void> map(VirtualAddress start, u64 size, PhysicalAddress physical, Protection protection,
                     u32 largest_level) {
        Prepared prepared(memory_);
        TRY(prepare(prepared, start, size, physical, largest_level));
        map(prepared, start, size, physical, protection, largest_level);
        return {};
    }

    /// Makes `address` the boundary between two pages, cutting a large page if it lies inside one.
    /// Translations stay what they are. ENOMEM, with nothing changed but perhaps a larger cut.
    Result<void> split(VirtualAddress address) {
        Cursor cursor(memory_, root_, address, address + kPageSize);
        for (;;) {
            const u64 entry = cursor.load();
            if ((entry & Format::kPresent) == 0 || cursor.entry_start() == address) {
                return {};
            }
            if (is_leaf(entry, cursor.level())) {
                if (cursor.level() == 0) {
                    return {};
                }
                TRY(split_leaf(cursor));
                continue;
            }
            cursor.descend(entry);
        }
    }

    /// Removes translations in [start, end), whose ends are no inside of a large page (split), and
    /// calls `removed(PhysicalAddress, level)` for each page; `removed` may retire its frame in
    /// `flush`. Stops after `budget` entries
    /// (going down into a table is none, so each call gets on) or when `flush` has no room; returns where.
    template <typename Removed>
    VirtualAddress unmap(VirtualAddress start, VirtualAddress end, TlbFlush& flush OPEN_OBLIGATION, u32 budget,
                         EmptyTables empty, Removed removed) {
        Cursor cursor(memory_, root_, start, end);
        while (!cursor.done() && budget != 0) {
            const u64 entry = cursor.load();
            if ((entry & Format::kPresent) != 0) {
                if (!is_leaf(entry, cursor.level())) {
                    cursor.descend(entry);
                    continue;
                }
                ASSERT(cursor.covers_entry());
                if (!flush.has_room()) {
                    break;
                }
                cursor.exchange(0);
                flush.note(cursor.entry_start(), cursor.entry_size(), cursor.level());
                removed(leaf_address(entry, cursor.level()), cursor.level());
            }
            --budget;
            cursor.next([&](Cursor& parent, PhysicalAddress table) {
                if (empty == EmptyTables::Free && is_empty(table)) {
                    remove_table(parent, table, flush);
                }
            });
        }
        return cursor.address();
    }

    /// Changes what is permitted in [start, end), as unmap(): writable, executable and user;
    /// caching and global stay. Addresses without a translation are passed over.
    VirtualAddress protect(VirtualAddress start, VirtualAddress end, Protection protection,
                           TlbFlush& flush OPEN_OBLIGATION, u32 budget) {
        const u64 wanted = encode({}, protection, 0) & kProtectionMask;
        Cursor cursor(memory_, root_, start, end);
        while (!cursor.done() && budget != 0) {
            const u64 entry = cursor.load();
            const bool present = (entry & Format::kPresent) != 0;
            if (present && !is_leaf(entry, cursor.level())) {
                cursor.descend(entry);
                continue;
            }
            if (present) {
                ASSERT(cursor.covers_entry());
                change_bits(cursor, entry, wanted);
                flush.note(cursor.entry_start(), cursor.entry_size(), cursor.level());
            }
            --budget;
            cursor.next();
        }
        return cursor.address();
    }

    /// Makes sure that the root's entries for [start, end) refer to tables. The kernel's half is
    /// copied from root to root, so these entries must be there before the first copy. ENOMEM.
    Result<void> populate_root(VirtualAddress start, VirtualAddress end) {
        const u32 last = Cursor::index_of({end.value - 1}, Cursor::kTopLevel);
        for (u32 i = Cursor::index_of(start, Cursor::kTopLevel); i <= last; ++i) {
            if ((memory_.load(root_, i) & Format::kPresent) == 0) {
                PhysicalAddress table = TRY(memory_.allocate_table());
                memory_.store(root_, i, link_to(table, false));
            }
        }
        return {};
    }

private:
    /// What protect() changes. User pages need the bit in every table entry on the way too, which
    /// map() has set for them, so a kernel page never becomes a user page by mistake.
    static constexpr u64 kProtectionMask = Format::kWritable | Format::kUser | Format::kNoExecute;

    struct Request {
        VirtualAddress start;
        VirtualAddress end;
        PhysicalAddress physical;  // of start
        u32 largest_level;
    };

    static bool is_leaf(u64 entry, u32 level) { return level == 0 || (entry & Format::kLargePage) != 0; }
    /// The bits below a large page's alignment hold attributes (PAT), not address.
    static PhysicalAddress leaf_address(u64 entry, u32 level) {
        return {align_down(entry & Format::kAddressMask, Cursor::size_of(level))};
    }
    static bool leaf_fits(const Cursor& cursor, PhysicalAddress target, u32 largest_level) {
        return cursor.level() <= std::min(largest_level, Format::kLargestLeafLevel) && cursor.covers_entry() &&
               is_aligned(target.value, cursor.entry_size());
    }
    /// Tables permit everything; the leaf decides (SDM vol. 3A, 4.6.1).
    static u64 link_to(PhysicalAddress table, bool user) {
        return table.value | Format::kPresent | Format::kWritable | (user ? Format::kUser : 0);
    }
    /// The machine's attribute table has write-combining where write-through was.
    static u64 caching_bits(Caching caching) {
        return caching == Caching::Uncached         ? Format::kUncached | Format::kWriteThrough
               : caching == Caching::WriteCombining ? Format::kWriteThrough
                                                    : 0;
    }
    static u64 encode(PhysicalAddress target, Protection protection, u32 level) {
        u64 entry = target.value | Format::kPresent;
        entry |= protection.writable ? Format::kWritable : 0;
        entry |= protection.user ? Format::kUser : 0;
        entry |= protection.executable ? 0 : Format::kNoExecute;
        entry |= protection.global ? Format::kGlobal : 0;
        entry |= caching_bits(protection.caching);
        entry |= level > 0 ? Format::kLargePage : 0;
        return entry;
    }
    static Protection decode(u64 entry) {
        Protection protection;
        protection.writable = (entry & Format::kWritable) != 0;
        protection.executable = (entry & Format::kNoExecute) == 0;
        protection.user = (entry & Format::kUser) != 0;
        protection.global = (entry & Format::kGlobal) != 0;
        protection.caching = (entry & Format::kUncached) != 0       ? Caching::Uncached
                             : (entry & Format::kWriteThrough) != 0 ? Caching::WriteCombining
                                                                    : Caching::WriteBack;
        return protection;
    }

    /// The part of prepare() below one table; `table` is zero where there is none yet.
    Result<void> prepare_in(Prepared& prepared, PhysicalAddress table, u32 level, Request request) {
        const u64 size = Cursor::size_of(level);
        while (request.start < request.end) {
            const VirtualAddress next{std::min(request.end.value - 1, request.start.value | (size - 1)) + 1};
            const u64 entry = table.value == 0 ? 0 : memory_.load(table, Cursor::index_of(request.start, level));
            const bool present = (entry & Format::kPresent) != 0;
            if (present && is_leaf(entry, level)) {
                return fail(Errno::eexist);
            }
            const bool leaf = !present && next - request.start == size &&
                              level <= std::min(request.largest_level, Format::kLargestLeafLevel) &&
                              is_aligned(request.physical.value, size);
            if (!leaf) {
                if (!present) {
                    TRY(prepared.add());
                }
                const bool more = present || level - 1 > 0;
                if (more) {
                    Request part{request.start, next, request.physical, request.largest_level};
                    TRY(prepare_in(prepared, {entry & Format::kAddressMask}, level - 1, part));
                }
            }
            request.physical = request.physical + (next - request.start);
            request.start = next;
        }
        return {};
    }

    /// Replaces a large page by a table of smaller ones that translate alike. The CPU may set the
    /// large entry's dirty bit until the moment of the replacement, so smaller pages that may be
    /// written count as dirty from the start.
    Result<void> split_leaf(Cursor& cursor) {
        PhysicalAddress table = TRY(memory_.allocate_table());
        const u64 entry = cursor.load();
        const u32 level = cursor.level() - 1;
        const u64 touched = (entry & Format::kWritable) != 0 ? Format::kAccessed | Format::kDirty : 0;
        u64 bits = (entry & ~Format::kAddressMask) | touched;
        if (level == 0) {
            bits &= ~Format::kLargePage;
        }
        const PhysicalAddress start = leaf_address(entry, cursor.level());
        for (u32 i = 0; i < Cursor::kEntries; ++i) {
            memory_.store(table, i, (start + i * Cursor::size_of(level)).value | bits);
        }
        cursor.store(link_to(table, (entry & Format::kUser) != 0));
        return {};
    }

    /// Keeps the accessed and dirty bits that the CPU may be setting meanwhile.
    static void change_bits(Cursor& cursor, u64 entry, u64 wanted) {
        while (!cursor.compare_exchange(entry, (entry & ~kProtectionMask) | wanted)) {
            entry = cursor.load();
        }
    }

    bool is_empty(PhysicalAddress table) const {
        for (u32 i = 0; i < Cursor::kEntries; ++i) {
            if (memory_.load(table, i) != 0) {
                return false;
            }
        }
        return true;
    }

    void remove_table(Cursor& parent, PhysicalAddress table, TlbFlush& flush OPEN_OBLIGATION) {
        parent.store(0);
        // A walk that began before may still be in the table: the flush covers it even when no
        // page of it was removed just now.
        flush.note(parent.entry_start(), kPageSize, 0);
        memory_.set_removed_link(table, flush.retire_table(table));
    }

    Memory& memory_;
    const PhysicalAddress root_;
};

}  // namespace cairn::mm
