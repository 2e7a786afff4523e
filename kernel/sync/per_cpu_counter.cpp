#include "kernel/sync/per_cpu_counter.h"

#include <memory>
#include <utility>

#include "kernel/base/heap.h"
#include "kernel/base/kernel.h"

namespace cairn::sync {

Result<PerCpuCounter> PerCpuCounter::create() {
    u32 count = g_kernel.cpu_count == 0 ? 1 : g_kernel.cpu_count;
    void* memory = heap_allocate(count * sizeof(Cell), alignof(Cell));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    Cell* cells = static_cast<Cell*>(memory);
    std::uninitialized_value_construct_n(cells, count);
    return PerCpuCounter(cells, count);
}

PerCpuCounter::PerCpuCounter(PerCpuCounter&& other) noexcept
    : cells_(std::exchange(other.cells_, nullptr)), count_(other.count_) {
    total_.store(other.total_.load(Order::relaxed), Order::relaxed);
}

PerCpuCounter::~PerCpuCounter() {
    heap_free(cells_, count_ * sizeof(Cell), alignof(Cell));
}

void PerCpuCounter::add(i64 amount) {
    // Should the thread move between these lines, another CPU's cell gets the amount, atomically.
    Cell& cell = cells_[arch::this_cpu().index.value % count_];
    i64 value = cell.value.fetch_add(amount, Order::relaxed) + amount;
    if (value >= kBatch || value <= -kBatch) {
        fold(cell);
    }
}

void PerCpuCounter::fold(Cell& cell) {
    SpinLockGuard guard(lock_);
    i64 amount = cell.value.exchange(0, Order::relaxed);
    total_.store(total_.load(Order::relaxed) + amount, Order::relaxed);
}

i64 PerCpuCounter::sum() {
    SpinLockGuard guard(lock_);
    i64 result = total_.load(Order::relaxed);
    for (u32 i = 0; i < count_; ++i) {
        result += cells_[i].value.load(Order::relaxed);
    }
    return result;
}

}  // namespace cairn::sync
