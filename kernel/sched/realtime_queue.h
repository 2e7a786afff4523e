#pragma once
/// The real-time classes of one CPU: a list per priority and a bitmap of the lists that are not
/// empty (sched(7), SCHED_FIFO and SCHED_RR). A pure data structure.

#include "kernel/base/list.h"
#include "kernel/base/types.h"
#include "kernel/sched/policy.h"

namespace cairn::sched {

struct RealtimeEntity {
    u32 priority = 0;                           // larger is more urgent
    Nanoseconds slice_left = kRoundRobinSlice;  // RoundRobin only
    ListNode node;
};

/// Waiting entities; the running one is not in the queue.
class RealtimeQueue {
public:
    /// At the end of its priority's list; the front is for one that was preempted.
    enum class Position : u8 { Back, Front };
    void enqueue(RealtimeEntity& entity, Position position);
    void dequeue(RealtimeEntity& entity);

    /// The first of the most urgent list; nullptr when empty. O(1).
    RealtimeEntity* best() const;
    bool empty() const { return bitmap_[0] == 0 && bitmap_[1] == 0; }
    u32 count() const { return count_; }

    /// Calls `visit(entity)` from the most urgent on until it returns true.
    template <typename Visit>
    void find(Visit visit) const {
        for (u32 priority = kRealtimePriorities; priority-- > 0;) {
            for (RealtimeEntity& entity : lists_[priority]) {
                if (visit(entity)) {
                    return;
                }
            }
        }
    }

private:
    List<RealtimeEntity, &RealtimeEntity::node> lists_[kRealtimePriorities];
    u64 bitmap_[2] = {};
    u32 count_ = 0;
};

}  // namespace cairn::sched
