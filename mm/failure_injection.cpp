#include "mm/failure_injection.h"

namespace cairn::mm {

bool FailureInjector::count_request() {
    requests_.fetch_add(1, Order::relaxed);
    bool failing = decide_ != nullptr && decide_(context_);
    u64 left = countdown_.load(Order::relaxed);
    while (left != 0) {
        u64 next = left == 1 ? period_.load(Order::relaxed) : left - 1;
        if (countdown_.compare_exchange(left, next, Order::relaxed, Order::relaxed)) {
            failing = failing || left == 1;
            break;
        }
    }
    if (failing) {
        failures_.fetch_add(1, Order::relaxed);
    }
    return failing;
}

}  // namespace cairn::mm
