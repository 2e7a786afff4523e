#pragma once
/// Who a thread is, for the panic screen: the base library knows no scheduler, so
/// kernel/sched/thread.cpp implements this one function.

#include <string_view>

#include "kernel/base/per_cpu.h"

namespace cairn {

struct ThreadIdentity {
    std::string_view name;  // empty: no thread runs yet
    u64 id = 0;
    const HeldLocks* held = nullptr;  // its sleeping locks; null if not known
};

/// `thread` may be null. Any context, also while the scheduler's locks are held or broken: takes
/// none and only reads. The name lives as long as the thread.
ThreadIdentity identify_thread(const sched::Thread* thread);

}  // namespace cairn
