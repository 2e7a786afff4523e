#include "mm/user_table.h"

#include <algorithm>

#include "kernel/base/kernel.h"
#include "mm/system_memory.h"

namespace cairn::mm {

Result<PhysicalAddress> UserTableFrames::allocate_table() {
    FrameNumber number = TRY(g_kernel.memory->allocate_frame(FrameFlags::Zeroed));
    count_.fetch_add(1, Order::relaxed);
    g_kernel.memory->page_tables.add(1);
    return number.address();
}

void UserTableFrames::free_table(PhysicalAddress table) {
    count_.fetch_sub(1, Order::relaxed);
    g_kernel.memory->page_tables.add(-1);
    TableFrames::free_table(table);
}

PhysicalAddress UserTable::find_leaf(VirtualAddress address) const {
    PhysicalAddress table = root_;
    for (u32 level = kTopLevel; level > 0; --level) {
        const u64 entry = memory_.load(table, index_of(address, level));
        if (!is_table(entry)) {
            return {};
        }
        table = table_of(entry);
    }
    return table;
}

std::optional<UserTable::Part> UserTable::next_part(VirtualAddress start, VirtualAddress end) const {
    while (start < end) {
        PhysicalAddress table = root_;
        u32 level = kTopLevel;
        u64 entry = memory_.load(table, index_of(start, level));
        while (is_table(entry)) {
            table = table_of(entry);
            if (--level == 0) {
                const u32 first = index_of(start);
                const u64 pages = std::min<u64>(kEntries - first, (end - start) >> kPageShift);
                return Part{table, first, first + static_cast<u32>(pages), start, start + (pages << kPageShift)};
            }
            entry = memory_.load(table, index_of(start, level));
        }
        // Nothing below this entry: on to the next one of its table that is used.
        const u32 index = index_of(start, level);
        const VirtualAddress base = align_down_to(start, level);
        const u64 wanted = ((end - base - 1) >> shift_of(level)) + 1;
        const u32 last = index + static_cast<u32>(std::min<u64>(kEntries - index, wanted));
        start = base + (u64{memory_.next_used(table, index + 1, last) - index} << shift_of(level));
    }
    return std::nullopt;
}

Result<PhysicalAddress> UserTable::ensure_leaf(VirtualAddress address, Lock& lock) {
    PhysicalAddress table = root_;
    for (u32 level = kTopLevel; level > 0; --level) {
        const u32 index = index_of(address, level);
        u64 entry = memory_.load(table, index);
        if (!is_table(entry)) [[unlikely]] {
            const PhysicalAddress fresh = TRY(memory_.allocate_table());
            bool used = false;
            {
                SpinLockGuard guard(lock);
                entry = memory_.load(table, index);
                if (!is_table(entry)) {
                    // Tables permit everything; the last level decides (SDM vol. 3A, 4.6.1).
                    entry = fresh.value | Format::kPresent | Format::kWritable | Format::kUser;
                    memory_.store(table, index, entry);
                    used = true;
                }
            }
            if (!used) {
                memory_.free_table(fresh);
            }
        }
        table = table_of(entry);
    }
    return table;
}

void UserTable::retire_tables(VirtualAddress start, VirtualAddress end, VirtualAddress floor, VirtualAddress ceiling,
                              TlbFlush& flush OPEN_OBLIGATION) {
    retire_in(root_, kTopLevel, start, end, {floor.value, ceiling.value}, flush);
}

void UserTable::retire_in(PhysicalAddress table, u32 level, VirtualAddress start, VirtualAddress end,
                          const Bounds& bounds, TlbFlush& flush OPEN_OBLIGATION) {
    const u64 span = span_of(level);
    while (start < end) {
        const u64 first = align_down(start.value, span);
        const VirtualAddress stop{std::min(end.value, first + span)};
        const u64 entry = memory_.load(table, index_of(start, level));
        if (is_table(entry)) {
            const PhysicalAddress child = table_of(entry);
            if (level > 1) {
                retire_in(child, level - 1, start, stop, bounds, flush);
            }
            if (first >= bounds.floor && first + span <= bounds.ceiling) {
                memory_.store(table, index_of(start, level), 0);
                // A walk that began before may still be in the table, also where no page was removed.
                flush.note({first}, kPageSize, 0);
                memory_.set_removed_link(child, flush.retire_table(child));
            }
        }
        start = stop;
    }
}

void UserTable::free_tables(VirtualAddress start, VirtualAddress end, VirtualAddress next) {
    // Most mappings share their only last-level table with the next one.
    if (align_down_to(start, 1) + kLeafSpan > next) {
        return;
    }
    free_in(root_, kTopLevel, start, end, next);
}

void UserTable::free_in(PhysicalAddress table, u32 level, VirtualAddress start, VirtualAddress end,
                        VirtualAddress next) {
    const u32 first = index_of(start, level);
    const u32 last = first + static_cast<u32>((end - align_down_to(start, level) - 1) >> shift_of(level)) + 1;
    for (u32 i = first; (i = memory_.next_used(table, i, last)) < last; ++i) {
        const VirtualAddress from = align_down_to(start, level) + (i - first) * span_of(level);
        const VirtualAddress to = from + span_of(level);
        const PhysicalAddress below = table_of(memory_.load(table, i));
        if (level > 1) {
            free_in(below, level - 1, std::max(start, from), std::min(end, to), next);
        }
        if (to <= next) {
            memory_.free_table(below);
            memory_.store(table, i, 0);
        }
    }
}

}  // namespace cairn::mm
