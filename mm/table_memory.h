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
        constexpr u32 kLine = 8;
        arch::interleave();
        while (first < last) {
            if (first % kLine == 0 && first + kLine <= last) {
                u64 any = 0;
                for (u32 i = 0; i < kLine; ++i) {
                    any |= entry(table, first + i).load(std::memory_order_relaxed);
                }
                if (any == 0) {
                    first += kLine;
                    continue;
                }
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

    /// The link is in entry 0: the address of a table has a clear present bit, so a walker that
    /// still gets here through a paging-structure cache finds nothing (SDM vol. 3A, 4.10.3).
    void set_removed_link(PhysicalAddress table, PhysicalAddress next) { store(table, 0, next.value); }
    PhysicalAddress removed_link(PhysicalAddress table) const { return {load(table, 0)}; }

private:
    static std::atomic_ref<u64> entry(PhysicalAddress table, u32 index) {
        return std::atomic_ref<u64>(static_cast<u64*>(arch::direct_map(table))[index]);
    }

    EarlyMemory* early_ = nullptr;
    FrameAllocator* frames_ = nullptr;
};
static_assert(TableMemory<TableFrames>);

}  // namespace cairn::mm
