#include "tests/support/simulation.h"

#include "arch/host/live_objects.h"
#include "kernel/sync/lock_rank.h"
#include "kernel/sync/read_side.h"
#include "mm/kernel_space.h"
#include "tests/support/kernel_machine.h"

namespace cairn::sim {

using arch::host::RunOptions;
using arch::host::RunResult;

namespace {

constexpr usize kFirmwareMemory = kMiB;
/// Rounds of waiting for what ends in the background, such as the freeing of a dead thread.
constexpr u32 kSettleRounds = 200;

constinit Simulation* running = nullptr;

/// Threads of the scenario that have not ended, for the report of a failure.
std::string_view state_name(sched::ThreadState state) {
    switch (state) {
        case sched::ThreadState::Running:
            return "runnable";
        case sched::ThreadState::Uninterruptible:
            return "sleeps uninterruptibly";
        case sched::ThreadState::Killable:
            return "sleeps killably";
        case sched::ThreadState::Interruptible:
            return "sleeps interruptibly";
        case sched::ThreadState::New:
            return "new";
        case sched::ThreadState::Dead:
            return "dead";
    }
    return "?";
}

}  // namespace

sched::Thread& Simulation::spawn(std::string_view name, Body body, const sched::ThreadOptions& options) {
    bool injected = std::exchange(injecting_, false);
    auto* function = new Body(std::move(body));
    auto thread =
        sched::Thread::create(name, [](void* argument) { (*static_cast<Body*>(argument))(); }, function, options);
    injecting_ = injected;
    check(thread.ok(), "a thread of the scenario cannot be created");
    tasks_.push_back(std::make_unique<Task>(std::unique_ptr<Body>(function), std::move(thread).value()));
    tasks_.back()->thread->start();
    return *tasks_.back()->thread;
}

sched::Thread& Simulation::spawn_on(u32 cpu, std::string_view name, Body body) {
    sched::ThreadOptions options;
    options.affinity = CpuSet::only({cpu});
    return spawn(name, std::move(body), options);
}

void Simulation::join() {
    for (const std::unique_ptr<Task>& task : tasks_) {
        task->thread->join();
    }
    tasks_.clear();
}

Simulation::Usage Simulation::usage() {
    Usage usage{.objects = g_kernel.slab->objects_in_use(),
                .large_bytes = g_kernel.slab->large_bytes(),
                .frames = g_kernel.frames->statistics().allocated / kPageSize};
    g_kernel.slab->for_each_cache(
        [&](const mm::SlabStatistics& statistics) { usage.frames -= statistics.bytes / kPageSize; });
    return usage;
}

/// What caches hold on purpose is given back first.
void Simulation::trim() {
    g_kernel.kernel_space->trim_stacks(0);
}

/// The usage once background work is done: dead threads are freed after a grace period. Without
/// an expectation: once it no longer changes.
Simulation::Usage Simulation::settled_usage(const Usage* expected) {
    trim();
    Usage last = usage();
    for (u32 round = 0; round < kSettleRounds; ++round) {
        if (expected != nullptr && last == *expected) {
            return last;
        }
        sync::wait_for_readers();
        sched::sleep_for(Nanoseconds::from_milliseconds(1));
        trim();
        Usage now = usage();
        if (expected == nullptr && round > 0 && now == last) {
            return now;
        }
        last = now;
    }
    return last;
}

void Simulation::check_end_state(const Usage& before) {
    check(sched::current_thread().held_mutexes.count == 0, "the scenario ends with a mutex held");
    Usage after = settled_usage(&before);
    if (after == before) {
        return;
    }
    leaked_ = true;
    char storage[200];
    TextBuffer text{std::span(storage)};
    format_to(text, "leak: objects {} before, {} after; bytes of large blocks {}, {}; frames {}, {}", before.objects,
              after.objects, before.large_bytes, after.large_bytes, before.frames, after.frames);
    arch::host::fail_run(text.view());
}

void Simulation::keep_what_exists() {
    before_ = settled_usage(nullptr);
    arch::host::watch_live_objects(arch::host::run_is_traced());
}

bool Simulation::decide_failure(void* self) {
    auto& simulation = *static_cast<Simulation*>(self);
    return simulation.injecting_ && arch::host::random_below(simulation.options_.allocation_failures) == 0;
}

void Simulation::run(const std::function<void(Simulation&)>& scenario) {
    boot_kernel(options_.cpus, options_.memory);
    keep_what_exists();
    if (options_.allocation_failures != 0) {
        g_kernel.frames->failure_injector().set_hook(&decide_failure, this);
    }
    injecting_ = true;
    arch::host::begin_exploring();
    scenario(*this);
    join();
    arch::host::end_exploring();
    injecting_ = false;
    check_end_state(before_);
}

void Simulation::describe(std::string& report) const {
    if (leaked_) {
        report += "objects since the scenario began:\n" + arch::host::describe_live_objects();
    }
    for (const std::unique_ptr<Task>& task : tasks_) {
        const sched::Thread& thread = *task->thread;
        report += "thread ";
        report += thread.name();
        report += ": ";
        report += state_name(thread.state());
        report += ", cpu " + std::to_string(thread.cpu().value);
        for (u32 i = 0; i < thread.held_mutexes.count; ++i) {
            report += ", holds ";
            report += lock_rank_name(thread.held_mutexes.entries[i].rank);
        }
        report += "\n";
    }
    describe_kernel(report);
}

/// After a failed run nothing in simulated memory may be touched: references are just forgotten.
void Simulation::abandon() {
    for (std::unique_ptr<Task>& task : tasks_) {
        static_cast<void>(task->thread.release());
    }
    tasks_.clear();
}

RunOptions run_options(const KernelOptions& options) {
    RunOptions machine;
    machine.cpu_count = options.cpus;
    machine.memory_size = kFirmwareMemory + options.memory;
    machine.step_limit = options.step_limit;
    machine.describe = [](std::string& report) { running->describe(report); };
    return machine;
}

RunOnce on_kernel(const KernelOptions& options, std::function<void(Simulation&)> scenario) {
    return [options, scenario = std::move(scenario)](const RunOptions& machine) {
        struct Context {
            Simulation simulation;
            const std::function<void(Simulation&)>& scenario;
        } context{Simulation(options), scenario};
        reset_kernel();
        running = &context.simulation;
        RunResult result = arch::host::run(
            machine,
            [](void* argument) {
                auto& inside = *static_cast<Context*>(argument);
                inside.simulation.run(inside.scenario);
            },
            &context);
        running = nullptr;
        context.simulation.abandon();
        reset_kernel();
        return result;
    };
}

Exploration explore_kernel(const std::string& name, const KernelOptions& options,
                           std::function<void(Simulation&)> scenario, std::optional<u64> schedules) {
    return explore(name, run_options(options), on_kernel(options, std::move(scenario)), schedules);
}

}  // namespace cairn::sim
