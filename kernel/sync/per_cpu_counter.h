#pragma once
/// PerCpuCounter: a number that all CPUs change often and somebody reads now and then. Each CPU
/// adds to a cell of its own; a cell that has grown to a batch is folded into the common total.

#include "kernel/base/atomic.h"
#include "kernel/base/cpu_set.h"
#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::sync {

class PerCpuCounter {
public:
    /// A counter that stands at zero, with a cell for each CPU of this machine (g_kernel.cpu_count;
    /// CPUs that come later share cells). ENOMEM.
    static Result<PerCpuCounter> create();
    PerCpuCounter(PerCpuCounter&& other) noexcept;
    PerCpuCounter& operator=(PerCpuCounter&&) = delete;
    ~PerCpuCounter();

    /// Any context.
    void add(i64 amount);

    /// One load: off by less than kBatch for each CPU.
    i64 approximate() const { return total_.load(Order::relaxed); }
    /// Visits every cell: exact with respect to the adds that have returned. Any context.
    i64 sum();

    static constexpr i64 kBatch = 64;

private:
    struct alignas(kCacheLine) Cell {
        Atomic<i64> value;
    };
    PerCpuCounter(Cell* cells, u32 count) : cells_(cells), count_(count) {}
    void fold(Cell& cell);

    Cell* cells_;
    u32 count_;
    SpinLock<LockRank::Counter> lock_;  // held while an amount moves from a cell to the total
    Atomic<i64> total_{0};
};

}  // namespace cairn::sync
