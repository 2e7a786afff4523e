#pragma once
/// What a group of threads has of one CPU: an entity that stands in the CPU's fair queue as long as threads of the
/// group wait or run there, and the queue in which those stand. A pure data structure, as FairQueue is.

#include "kernel/sched/fair_queue.h"

namespace cairn::sched {

/// On cache lines of its own: a group's next one is another CPU's.
struct alignas(kCacheLine) FairShare {
    FairShare() { entity.is_share = true; }

    FairEntity entity;
    FairQueue queue;

    static FairShare& of(FairEntity& entity) {
        return *object_of_member<FairShare, FairEntity, &FairShare::entity>(&entity);
    }
};

}  // namespace cairn::sched
