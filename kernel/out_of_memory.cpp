#include "kernel/out_of_memory.h"

#include "kernel/base/log.h"
#include "kernel/signal/send.h"
#include "kernel/time/clock.h"
#include "mm/frame_allocator.h"

namespace cairn {

namespace {

constexpr i32 kNever = -1000;  // oom_score_adj that exempts a process

/// Pages in use, plus a share of all memory for each point of oom_score_adj (proc(5)).
i64 badness(task::ThreadGroup& process, mm::AddressSpace& space) {
    const mm::SpaceStatistics use = space.statistics();
    const i64 pages = static_cast<i64>(use.resident() + use.page_tables);
    const i64 total = static_cast<i64>(g_kernel.frames->statistics().total / kPageSize);
    return pages + process.oom_score_adjust.load(Order::relaxed) * total / 1000;
}

struct Victim {
    std::optional<Ref<task::ThreadGroup>> process;
    i64 badness = -1;
    bool somebody_ends = false;
};

Victim choose_victim() {
    Victim victim;
    i32 from = 1;
    while (std::optional<Ref<task::ThreadGroup>> process = g_kernel.tasks->next_process(from)) {
        from = (*process)->number() + 1;
        if ((*process)->is_init || (*process)->oom_score_adjust.load(Order::relaxed) == kNever) {
            continue;
        }
        std::optional<Ref<mm::AddressSpace>> space;
        {
            SpinLockGuard guard((*process)->lock);
            victim.somebody_ends = victim.somebody_ends || ((*process)->exiting && (*process)->thread_count != 0);
        }
        Result<Ref<task::Task>> leader = g_kernel.tasks->find_task((*process)->number());
        if (leader.ok()) {
            space = leader.value()->address_space_of_other();
        }
        if (!space) {
            continue;
        }
        const i64 score = badness(**process, **space);
        if (score > victim.badness) {
            victim.process = std::move(process);
            victim.badness = score;
        }
    }
    return victim;
}

}  // namespace

bool relieve_memory_shortage(task::Task& self) {
    if (self.thread().kill_pending()) {
        return false;  // it ends, which helps
    }
    sync::MutexGuard guard(g_kernel.tasks->out_of_memory_mutex);
    const Victim victim = choose_victim();
    if (!victim.somebody_ends) {
        if (!victim.process) {
            return false;
        }
        log_warning("oom", "out of memory: ending process {}, which uses {} KiB", (*victim.process)->number(),
                    victim.badness * static_cast<i64>(kPageSize / kKiB));
        signal::kill_process(**victim.process);
    }
    if (!self.thread().kill_pending()) {
        // Its memory comes back when its threads have run; this thread has nothing better to do.
        sched::sleep_for(Nanoseconds::from_milliseconds(10));
    }
    return true;
}

}  // namespace cairn
