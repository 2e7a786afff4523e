#pragma once
/// Makes the n-th allocation fail, so that tests can prove that every failure path is clean. One
/// injector belongs to a FrameAllocator and is shared with the slab allocator above it; each
/// request for frames or for an object counts. Exists in checked builds only: without
/// CAIRN_CHECKS `should_fail()` is a constant.

#include "kernel/base/atomic.h"
#include "kernel/base/types.h"

namespace cairn::mm {

class FailureInjector {
public:
    /// Whether injection is compiled in.
    static constexpr bool kAvailable = CAIRN_CHECKS;

    constexpr FailureInjector() = default;

    /// The request number `n` from now on fails (0: the next), once.
    void fail_once_at(u64 n) {
        disarm();
        countdown_.store(n + 1, Order::relaxed);
    }
    /// Every `k`-th request from now on fails, k > 0 (1: all of them).
    void fail_every(u64 k) {
        disarm();
        period_.store(k, Order::relaxed);
        countdown_.store(k, Order::relaxed);
    }
    /// Asks `decide(context)` at each request, in the context of the request (any, interrupts may
    /// be off). For decisions drawn from a simulation's seed. To be set before requests that may
    /// run concurrently.
    void set_hook(bool (*decide)(void*), void* context) {
        disarm();
        context_ = context;
        decide_ = decide;
    }
    /// No request fails any more.
    void disarm() {
        decide_ = nullptr;
        period_.store(0, Order::relaxed);
        countdown_.store(0, Order::relaxed);
    }

    /// Requests seen and requests made to fail since construction.
    u64 requests() const { return requests_.load(Order::relaxed); }
    u64 failures() const { return failures_.load(Order::relaxed); }

    /// Called by the allocators once for each request.
    [[nodiscard]] bool should_fail() {
        if constexpr (kAvailable) {
            return count_request();
        }
        return false;
    }

private:
    bool count_request();

    Atomic<u64> requests_{0};
    Atomic<u64> failures_{0};
    Atomic<u64> countdown_{0};  // requests until the next failure; 0: none is due
    Atomic<u64> period_{0};     // what countdown restarts from; 0: it does not
    bool (*decide_)(void*) = nullptr;
    void* context_ = nullptr;
};

}  // namespace cairn::mm
