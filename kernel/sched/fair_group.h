#pragma once
/// Groups of threads that share the processor as one: what a session is to the scheduler (sched(7), "The autogroup
/// feature"). On each CPU the groups that have something runnable share it by the weight of the group, and the threads
/// of a group share what it gets by their own. Threads in no group stand beside the groups, each for itself.

#include "kernel/base/ref.h"
#include "kernel/sched/fair_share.h"

namespace cairn::sched {

/// Counted by its threads, and by whoever puts threads into it. A thread in a run queue has a reference, so no share is
/// in a queue when the last one goes.
class FairGroup : public RefCounted<FairGroup> {
public:
    /// A group without threads, of nice 0. ENOMEM. Thread context, once all CPUs are known.
    static Result<Ref<FairGroup>> create();

    /// Unique for the life of the kernel, from 1.
    u64 id() const { return id_; }
    i32 nice() const { return nice_.load(Order::relaxed); }
    /// What the group weighs against others, as a thread's nice value does against threads; kNiceLowest … kNiceHighest.
    /// One caller at a time. Takes the locks of the run queues.
    void set_nice(i32 nice);

    /// Its part of a CPU, under the lock of that CPU's run queue.
    FairShare& share(u32 cpu) { return shares_[cpu]; }

    void last_reference_dropped();

    /// Use create(); public for try_new_ref only.
    FairGroup() = default;

private:
    u64 id_ = 0;
    Atomic<i32> nice_{0};
    FairShare* shares_ = nullptr;  // one for each of g_kernel.cpu_count
};

}  // namespace cairn::sched
