#pragma once
/// Where the tables of a page table are kept and how their entries are accessed: the `Memory` of
/// PageTable. Entries are read and written by other CPUs and by the hardware's walker at any
/// time, so every access is atomic.

#include <atomic>
#include <concepts>

#include "arch/arch.h"
#include "mm/early_memory.h"
#include "mm/frame_allocator.h"

namespace cairn::mm {

template <typename T>
concept TableMemory = requires(T& memory, PhysicalAddress table, u32 index, u64 entry) {
    { memory.allocate_table() } -> std::same_as<Result<PhysicalAddress>>;  // cleared
    memory.free_table(table);
    { memory.load(table, index) } -> std::same_as<u64>;
    memory.store(table, index, entry);
    { memory.exchange(table, index, entry) } -> std::same_as<u64>;
    { memory.compare_exchange(table, index, entry, entry) } -> std::same_as<bool>;
    /// A removed, empty table may refer to another one until both are freed.
    memory.set_removed_link(table, table);
    { memory.removed_link(table) } -> std::same_as<PhysicalAddress>;
};

/// The entries of one table, for loops over many of them.
class TableEntries {
public:
    explicit TableEntries(PhysicalAddress table) : entries_(static_cast<u64*>(arch::direct_map(table))) {}

    u64 load(u64 index) const {
        arch::interleave();
        return std::atomic_ref(entries_[index]).load(std::memory_order_acquire);
    }
    void store(u64 index, u64 value) {
        arch::interleave();
        std::atomic_ref(entries_[index]).store(value, std::memory_order_release);
    }

private:
    u64* entries_;
};

/// Tables in frames of physical memory, seen through the direct map: from EarlyMemory until the
/// frame allocator exists.
class TableFrames {
public:
    constexpr explicit TableFrames(EarlyMemory& early) : early_(&early) {}
    constexpr explicit TableFrames(FrameAllocator& frames) : frames_(&frames) {}

    /// From now on tables come from `frames`. Those from before are never freed.
    void use(FrameAllocator& frames) {
        early_ = nullptr;
        frames_ = &frames;
    }

    Result<PhysicalAddress> allocate_table();
    void free_table(PhysicalAddress table);

    u64 load(PhysicalAddress table, u32 index) const {
        arch::interleave();
        return entry(table, index).load(std::memory_order_acquire);
    }
    /// The first of the entries [first, last) that is not zero; `last` if there is none. Most tables are nearly empty,
    /// so they are looked at a cache line at a time.
    u32 next_used(PhysicalAddress table, u32 first, u32 last) const {
        arch::interleave();
        while (first < last) {
            if (first % kLine == 0 && first + kLine <= last && line_is_empty(table, first)) {
                first += kLine;
                continue;
            }
            if (entry(table, first).load(std::memory_order_acquire) != 0) {
                return first;
            }
            ++first;
        }
        return last;
    }
    /// Release: a walker that sees the entry sees what the table behind it holds.
    void store(PhysicalAddress table, u32 index, u64 value) {
        arch::interleave();
        entry(table, index).store(value, std::memory_order_release);
    }
    u64 exchange(PhysicalAddress table, u32 index, u64 value) {
        arch::interleave();
        return entry(table, index).exchange(value, std::memory_order_acq_rel);
    }
    bool compare_exchange(PhysicalAddress table, u32 index, u64 expected, u64 value) {
        arch::interleave();
        return entry(table, index).compare_exchange_strong(expected, value, std::memory_order_acq_rel);
    }

    /// Entries [first, last) of a table that nobody else knows yet become those of `from`, which do not change.
    void copy_entries(PhysicalAddress table, PhysicalAddress from, u32 first, u32 last) {
        arch::interleave();
        __builtin_memcpy(static_cast<u64*>(arch::direct_map(table)) + first,
                         static_cast<const u64*>(arch::direct_map(from)) + first, (last - first) * sizeof(u64));
    }

    /// The link is in entry 0: the address of a table has a clear present bit, so a walker that
    /// still gets here through a paging-structure cache finds nothing (SDM vol. 3A, 4.10.3).
    void set_removed_link(PhysicalAddress table, PhysicalAddress next) { store(table, 0, next.value); }
    PhysicalAddress removed_link(PhysicalAddress table) const { return {load(table, 0)}; }

private:
    static constexpr u32 kLine = 8;

    /// Written out, since each turn of a loop would cost more than what it does.
    static bool line_is_empty(PhysicalAddress table, u32 first) {
        const auto value = [&](u32 i) { return entry(table, first + i).load(std::memory_order_relaxed); };
        return (value(0) | value(1) | value(2) | value(3) | value(4) | value(5) | value(6) | value(7)) == 0;
    }
    static std::atomic_ref<u64> entry(PhysicalAddress table, u32 index) {
        return std::atomic_ref<u64>(static_cast<u64*>(arch::direct_map(table))[index]);
    }

    EarlyMemory* early_ = nullptr;
    FrameAllocator* frames_ = nullptr;
};
static_assert(TableMemory<TableFrames>);

}  // namespace cairn::mm
