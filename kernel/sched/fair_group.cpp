#include "kernel/sched/fair_group.h"

#include <memory>

#include "kernel/sched/run_queue.h"
#include "kernel/sched/scheduler.h"

namespace cairn::sched {

Result<Ref<FairGroup>> FairGroup::create() {
    Ref<FairGroup> group = TRY(try_new_ref<FairGroup>());
    void* memory = heap_allocate(sizeof(FairShare) * g_kernel.cpu_count, alignof(FairShare));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    group->shares_ = static_cast<FairShare*>(memory);
    std::uninitialized_default_construct_n(group->shares_, g_kernel.cpu_count);
    group->id_ = g_kernel.scheduler->next_group_id();
    return group;
}

void FairGroup::last_reference_dropped() {
    if (shares_ != nullptr) {
        for (u32 cpu = 0; cpu < g_kernel.cpu_count; ++cpu) {
            ASSERT(!shares_[cpu].entity.queued);
        }
        std::destroy_n(shares_, g_kernel.cpu_count);
        heap_free(shares_, sizeof(FairShare) * g_kernel.cpu_count, alignof(FairShare));
    }
    destroy_counted(this);
}

void FairGroup::set_nice(i32 nice) {
    nice_.store(nice, Order::relaxed);
    for (u32 cpu = 0; cpu < g_kernel.cpu_count; ++cpu) {
        RunQueue& queue = *g_kernel.cpus[cpu]->run_queue;
        SpinLockGuard guard(queue.lock);
        queue.account(arch::monotonic_now());
        queue.ready.reweigh(share(cpu), weight_of_nice(nice));
        queue.request_reschedule();
    }
}

}  // namespace cairn::sched
