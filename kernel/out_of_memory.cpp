#include "kernel/out_of_memory.h"

#include <optional>

#include "kernel/base/log.h"
#include "kernel/signal/send.h"
#include "kernel/time/clock.h"
#include "mm/frame_allocator.h"

namespace cairn {

namespace {

constexpr i32 kNever = -1000;  // oom_score_adj that exempts a process

/// Pages in use, plus a share of all memory for each point of oom_score_adj (proc(5)); nothing for who has no memory of
/// his own. Its lock is held.
std::optional<i64> badness_locked(task::ThreadGroup& process) {
    std::optional<i64> pages;
    task::for_each_thread(process, [&](task::Task& thread) {
        if (mm::AddressSpace* space = thread.find_address_space_locked()) {  // the first thread may have ended alone
            const mm::SpaceStatistics use = space->statistics();
            pages = static_cast<i64>(use.resident() + use.page_tables);
        }
    });
    const i64 total = static_cast<i64>(g_kernel.frames->statistics().total / kPageSize);
    if (pages) {
        *pages += process.oom_score_adjust.load(Order::relaxed) * total / 1000;
    }
    return pages;
}

struct Victim {
    i32 process = 0;
    i64 badness = 0;
    bool somebody_ends = false;
};

/// Ends a process, unless one is ending. Only spinlocks: the caller may be copying to or from a program, with whatever
/// mutexes that takes, and no reference is dropped here that could be the last one.
Victim end_somebody() {
    SpinLockGuard table(g_kernel.tasks->lock);
    Victim victim;
    task::ThreadGroup* worst = nullptr;
    for (task::ThreadGroup& process : g_kernel.tasks->processes) {
        if (process.is_init || process.oom_score_adjust.load(Order::relaxed) == kNever) {
            continue;
        }
        SpinLockGuard guard(process.lock);
        victim.somebody_ends = victim.somebody_ends || (process.exiting && process.thread_count != 0);
        const std::optional<i64> badness = badness_locked(process);
        if (badness && (worst == nullptr || *badness > victim.badness)) {
            victim.process = process.number();
            victim.badness = *badness;
            worst = &process;
        }
    }
    if (!victim.somebody_ends && worst != nullptr) {
        signal::kill_process(*worst);
    }
    return victim;
}

}  // namespace

bool relieve_memory_shortage(task::Task& self, ShortOf whom) {
    constexpr u32 kPatience = 500;
    const Nanoseconds kMoment = Nanoseconds::from_milliseconds(10);
    if (self.thread().kill_pending()) {
        return false;  // it ends, which helps
    }
    if (whom == ShortOf::Copy && ++self.shortages > kPatience) {
        return false;
    }
    const Victim victim = end_somebody();
    if (!victim.somebody_ends) {
        if (victim.process == 0) {
            return false;
        }
        log_warning("oom", "out of memory: ending process {}, which uses {} KiB", victim.process,
                    victim.badness * static_cast<i64>(kPageSize / kKiB));
    }
    if (!self.thread().kill_pending()) {
        sched::sleep_for(kMoment);  // its memory comes back when its threads have run; there is nothing better to do
    }
    return true;
}

}  // namespace cairn
