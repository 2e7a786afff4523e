#pragma once
/// Atomic<T>: the memory order is always written out, there are no operators, and on the
/// simulated machine each access is a point at which another CPU may run (arch::interleave).
/// One atomic is one independent fact; facts that change together take a lock.

#include <atomic>

#include "kernel/base/types.h"
#include "machine/machine.h"

namespace cairn {

/// The C++ memory orders under the names that this code uses.
struct Order {
    static constexpr std::memory_order relaxed = std::memory_order_relaxed;
    static constexpr std::memory_order acquire = std::memory_order_acquire;
    static constexpr std::memory_order release = std::memory_order_release;
    static constexpr std::memory_order acq_rel = std::memory_order_acq_rel;
    static constexpr std::memory_order seq_cst = std::memory_order_seq_cst;
};

template <typename T>
class Atomic {
public:
    constexpr Atomic() : value_{} {}
    constexpr explicit Atomic(T value) : value_(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(std::memory_order order) const {
        arch::interleave();
        return value_.load(order);
    }
    void store(T value, std::memory_order order) {
        arch::interleave();
        value_.store(value, order);
    }
    T exchange(T value, std::memory_order order) {
        arch::interleave();
        return value_.exchange(value, order);
    }
    /// Strong; `expected` receives the value seen when it fails.
    bool compare_exchange(T& expected, T desired, std::memory_order success, std::memory_order failure) {
        arch::interleave();
        return value_.compare_exchange_strong(expected, desired, success, failure);
    }
    T fetch_add(T amount, std::memory_order order) {
        arch::interleave();
        return value_.fetch_add(amount, order);
    }
    T fetch_sub(T amount, std::memory_order order) {
        arch::interleave();
        return value_.fetch_sub(amount, order);
    }
    T fetch_or(T bits, std::memory_order order) {
        arch::interleave();
        return value_.fetch_or(bits, order);
    }
    T fetch_and(T bits, std::memory_order order) {
        arch::interleave();
        return value_.fetch_and(bits, order);
    }

private:
    std::atomic<T> value_;
};

/// Orders this CPU's accesses against those of others (SDM vol. 3A, 9.2: only StoreLoad needs
/// an instruction on x86).
inline void full_fence() {
    arch::interleave();
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace cairn
