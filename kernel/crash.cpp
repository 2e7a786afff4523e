#include "kernel/crash.h"

#include "kernel/base/assert.h"
#include "kernel/base/log.h"
#include "kernel/sync/spin_lock.h"

namespace cairn {

namespace {

/// The pointer is read at run time, so that the compiler cannot see through the bug.
void write_to_null() {
    u32* volatile pointer = nullptr;
    *pointer = 1;
}

/// Fills the stack up to its guard page and beyond.
u64 recurse(u64 depth) {
    constexpr u64 kDeeperThanAnyStack = 1 << 20;
    volatile u64 frame[64] = {depth};
    u64 below = depth < kDeeperThanAnyStack ? recurse(depth + 1) : 0;
    return below + frame[depth % 64];
}

void fail_assertion() {
    volatile int three = 3;
    ASSERT(three == 4);
}

void lock_twice() {
    SpinLock<LockRank::TestSpinOuter> lock;
    SpinLockGuard first(lock);
    arch::InterruptState state = lock.lock(RankUse::SecondOfPair);
    lock.unlock(state);
}

}  // namespace

void crash_deliberately(boot::Crash kind) {
    switch (kind) {
        case boot::Crash::None:
            return;
        case boot::Crash::Null:
            return write_to_null();
        case boot::Crash::Stack:
            log_info("crash", "recursed {} deep", recurse(1));
            return;
        case boot::Crash::Assert:
            return fail_assertion();
        case boot::Crash::Deadlock:
            return lock_twice();
    }
}

}  // namespace cairn
