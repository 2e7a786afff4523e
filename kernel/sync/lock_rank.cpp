#include "kernel/sync/lock_rank.h"

#include "kernel/base/panic.h"
#include "kernel/base/thread_identity.h"

namespace cairn {

std::string_view describe_lock_rank(LockRank rank) {
    return rank <= LockRank::Screen ? lock_rank_name(rank) : std::string_view("?");
}

void note_lock_acquired(HeldLocks& held, const void* lock, LockRank rank, RankUse use) {
    if (held.count == HeldLocks::kDepth) {
        panic("lock {} taken with {} locks held", lock_rank_name(rank), held.count);
    }
    if (held.count != 0) {
        const HeldLock& innermost = held.entries[held.count - 1];
        bool fits = innermost.rank < rank || (use == RankUse::SecondOfPair && innermost.rank == rank);
        if (!fits) {
            panic("lock order: {} taken while {} is held", lock_rank_name(rank), lock_rank_name(innermost.rank));
        }
    }
    held.entries[held.count++] = {lock, rank};
}

void note_lock_released(HeldLocks& held, const void* lock) {
    for (u32 i = held.count; i-- > 0;) {
        if (held.entries[i].lock != lock) {
            continue;
        }
        for (; i + 1 < held.count; ++i) {
            held.entries[i] = held.entries[i + 1];
        }
        --held.count;
        return;
    }
    panic("release of a lock that is not held");
}

}  // namespace cairn
