#include "mm/user_table.h"

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
    free_in(root_, kTopLevel, start, end, next);
}

void UserTable::free_in(PhysicalAddress table, u32 level, VirtualAddress start, VirtualAddress end,
                        VirtualAddress next) {
    const u32 first = index_of(start, level);
    const u32 last = first + static_cast<u32>((end - align_down_to(start, level) - 1) / span_of(level)) + 1;
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
