#pragma once
/// What the panic screen shows of things that the base library does not know: the layers above
/// implement these two functions.

#include <string_view>

#include "kernel/base/per_cpu.h"

namespace cairn {

struct ThreadIdentity {
    std::string_view name;  // empty: no thread runs yet
    u64 id = 0;
    const HeldLocks* held = nullptr;  // its sleeping locks; null if not known
};

/// `thread` may be null. Any context, also while the scheduler's locks are held or broken: takes
/// none and only reads. The name lives as long as the thread. In kernel/sched/thread.cpp.
ThreadIdentity identify_thread(const sched::Thread* thread);

/// The name of a rank, also of one that does not exist ("?"). In kernel/sync/lock_rank.cpp.
std::string_view describe_lock_rank(LockRank rank);

}  // namespace cairn
