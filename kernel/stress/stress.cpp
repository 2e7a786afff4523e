#include "kernel/stress/stress.h"

#include <optional>

#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/read_side.h"
#include "kernel/time/clock.h"
#include "mm/initialize.h"
#include "mm/kernel_space.h"
#include "mm/slab_allocator.h"

namespace cairn::stress {

namespace {

constexpr const WorkerKind* kKinds[] = {
    &kAllocationKind, &kTranslationKind, &kLockKind, &kWaitKind,
    &kMigrationKind,  &kVectorKind,      &kTimeKind, &kThreadKind,
};
constexpr u32 kKindCount = sizeof(kKinds) / sizeof(kKinds[0]);

/// What all workers of a run have in common.
struct Run {
    Atomic<bool> stop{false};
    Atomic<u32> failures{0};
    Atomic<u64> operations[kKindCount];
    void* shared[kKindCount] = {};
};

/// A worker thread and its view; in a list, since their number grows with the CPUs.
struct Running {
    Running(const WorkerKind& its_kind, Worker view) : kind(its_kind), worker(view) {}
    const WorkerKind& kind;
    Worker worker;
    std::optional<Ref<sched::Thread>> thread;
    ListNode node;
};
using RunningList = List<Running, &Running::node>;

void worker_entry(void* argument) {
    Running& running = *static_cast<Running*>(argument);
    running.kind.work(running.worker);
}

Result<void> start_worker(Run& run, RunningList& list, u32 kind_index, u32 number, u32 group_size) {
    const WorkerKind& kind = *kKinds[kind_index];
    u64 seed = (u64{kind_index} << 32) + number + 1;
    Own<Running> running =
        TRY(try_new<Running>(kind, Worker{number, group_size, run.shared[kind_index], PseudoRandom(seed), run.stop,
                                          run.operations[kind_index], run.failures}));
    sched::ThreadOptions options;
    if (&kind == &kVectorKind) {
        options.vector_state = sched::VectorState::Own;
    }
    Ref<sched::Thread> thread = TRY(sched::Thread::create(kind.name, worker_entry, running.get(), options));
    thread->start();
    running->thread.emplace(std::move(thread));
    list.push_back(*running.release());
    return {};
}

Result<void> start_workers(Run& run, RunningList& list) {
    for (u32 kind = 0; kind < kKindCount; ++kind) {
        if (kKinds[kind]->prepare != nullptr) {
            run.shared[kind] = kKinds[kind]->prepare();
            if (run.shared[kind] == nullptr) {
                return fail(Errno::enomem);
            }
        }
        u32 group_size = kKinds[kind]->threads_per_cpu * g_kernel.cpu_count;
        for (u32 number = 0; number < group_size; ++number) {
            TRY(start_worker(run, list, kind, number, group_size));
        }
    }
    return {};
}

void report_progress(const Run& run, Nanoseconds elapsed) {
    char storage[kLogTextLimit];
    TextBuffer text{std::span(storage)};
    format_to(text, "{} s:", elapsed.value / 1'000'000'000);
    for (u32 kind = 0; kind < kKindCount; ++kind) {
        format_to(text, " {} {}", kKinds[kind]->name, run.operations[kind].load(Order::relaxed));
    }
    log_write(LogLevel::Info, "stress", text.view());
}

void finish_workers(Run& run, RunningList& list) {
    run.stop.store(true, Order::release);
    while (Running* running = list.pop_front()) {
        (*running->thread)->join();
        Own<Running>::adopt(running).reset();
    }
    for (u32 kind = 0; kind < kKindCount; ++kind) {
        if (run.shared[kind] != nullptr) {
            kKinds[kind]->discard(run.shared[kind]);
        }
    }
}

/// Runs the workers once. False when something failed.
bool run_once(Nanoseconds duration) {
    constexpr Nanoseconds kReportInterval = Nanoseconds::from_seconds(5);
    Run run;
    RunningList list;
    Result<void> started = start_workers(run, list);
    Nanoseconds begin = time::now();
    Nanoseconds end = begin + duration;
    while (started.ok() && time::now() < end && run.failures.load(Order::relaxed) == 0) {
        Nanoseconds next = time::now() + kReportInterval;
        sched::sleep_until(next < end ? next : end);
        report_progress(run, time::now() - begin);
    }
    finish_workers(run, list);
    if (!started.ok()) {
        log_error("stress", "could not start all workers: {}", started.error());
    }
    return started.ok() && run.failures.load(Order::relaxed) == 0;
}

/// What must be the same before and after: memory that somebody owns.
struct MemoryInUse {
    u64 frame_bytes;
    u64 objects;
    bool operator==(const MemoryInUse&) const = default;
};

/// Gives back whatever is only cached, then counts.
MemoryInUse settle_memory() {
    sync::wait_for_readers();  // threads and the like are freed after a grace period
    g_kernel.kernel_space->trim_stacks(0);
    sched::call_on_cpus(CpuSet::first(g_kernel.cpu_count), [](void*) { mm::drain_cpu_caches(); }, nullptr);
    g_kernel.slab->reap();
    return {g_kernel.frames->statistics().allocated, g_kernel.slab->objects_in_use()};
}

/// The reaper frees the last threads and their stacks at its own pace, so this looks more than once.
constexpr u32 kAttempts = 50;
constexpr Nanoseconds kPause = Nanoseconds::from_milliseconds(20);

/// What is in use once it no longer changes.
MemoryInUse settled_memory() {
    MemoryInUse now = settle_memory();
    for (u32 i = 0; i < kAttempts; ++i) {
        sched::sleep_for(kPause);
        const MemoryInUse last = std::exchange(now, settle_memory());
        if (now == last) {
            break;
        }
    }
    return now;
}

bool memory_came_back(const MemoryInUse& before) {
    MemoryInUse now = settle_memory();
    for (u32 i = 0; i < kAttempts && now != before; ++i) {
        sched::sleep_for(kPause);
        now = settle_memory();
    }
    if (now == before) {
        return true;
    }
    log_error("stress", "memory: {} KiB and {} objects in use before, {} KiB and {} objects after",
              before.frame_bytes / kKiB, before.objects, now.frame_bytes / kKiB, now.objects);
    return false;
}

}  // namespace

bool run(Nanoseconds duration, Nanoseconds warm_up) {
    bool passed = run_once(warm_up);
    const MemoryInUse before = settled_memory();
    passed = passed && run_once(duration);
    passed = memory_came_back(before) && passed;
    log(passed ? LogLevel::Notice : LogLevel::Error, "stress", "{} after {} s on {} CPUs", passed ? "passed" : "FAILED",
        duration.value / 1'000'000'000, g_kernel.cpu_count);
    return passed;
}

void Worker::fail(const char* what) {
    if (failures.fetch_add(1, Order::relaxed) < 5) {
        log_error("stress", "{} (worker {})", what, number);
    }
}

}  // namespace cairn::stress
