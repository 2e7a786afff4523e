#pragma once
/// A whole kernel in the simulated machine: what a scenario sees of it. docs/simulated-machine.md
/// tells how to write one.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/sched/scheduler.h"
#include "kernel/sched/thread.h"
#include "mm/frame_allocator.h"
#include "mm/slab_allocator.h"
#include "tests/support/explorer.h"

namespace cairn::sim {

struct KernelOptions {
    u32 cpus = 2;
    usize memory = 3 * kMiB;      // usable; the first MiB comes on top
    u64 allocation_failures = 0;  // one in n requests fails, by the seed; 0: none
    u64 step_limit = 4'000'000;
};

/// Throws the dice for a scenario and runs its threads. Lives on the explorer's side; its methods
/// are called by the scenario inside the run.
class Simulation {
public:
    using Body = std::function<void()>;

    explicit Simulation(const KernelOptions& options) : options_(options) {}

    u32 cpu_count() const { return options_.cpus; }
    /// In [0, bound), from the seed.
    u64 random(u64 bound) { return arch::host::random_below(bound); }
    bool one_in(u64 n) { return random(n) == 0; }

    /// Starts a kernel thread. It is joined by join(), at the latest at the end of the scenario;
    /// `body` may refer to the scenario's locals. Fails the run when the thread cannot be made.
    sched::Thread& spawn(std::string_view name, Body body, const sched::ThreadOptions& options = {});
    /// The same on one CPU only.
    sched::Thread& spawn_on(u32 cpu, std::string_view name, Body body);
    /// Sleeps until all threads spawned so far have ended.
    void join();

    /// Ends the run as failed when the condition does not hold.
    void check(bool condition, std::string_view what) {
        if (!condition) {
            arch::host::fail_run(what);
        }
    }

    /// Turns KernelOptions::allocation_failures on or off for a part of the scenario; on when it
    /// begins, off while spawn() works.
    void inject_failures(bool enabled) { injecting_ = enabled; }

    /// Outside exploring hands: what exists now is meant to stay, and is no leak at the end.
    void keep_what_exists();

    // For the runner.
    void run(const std::function<void(Simulation&)>& scenario);
    void describe(std::string& report) const;
    void abandon();

private:
    /// What must be the same before and after a scenario.
    struct Usage {
        u64 objects = 0;      // that callers own
        u64 large_bytes = 0;  // allocations larger than a slab object
        u64 frames = 0;       // allocated, but for those of slabs
        bool operator==(const Usage&) const = default;
    };
    struct Task {
        std::unique_ptr<Body> body;
        Ref<sched::Thread> thread;
    };

    static Usage usage();
    static void trim();
    Usage settled_usage(const Usage* expected);
    void check_end_state(const Usage& before);
    static bool decide_failure(void* self);

    KernelOptions options_;
    bool injecting_ = false;
    Usage before_;
    bool leaked_ = false;
    std::vector<std::unique_ptr<Task>> tasks_;
};

/// A runner of the scenario on a freshly booted kernel, for explore() and enumerate().
RunOnce on_kernel(const KernelOptions& options, std::function<void(Simulation&)> scenario);
arch::host::RunOptions run_options(const KernelOptions& options);

/// Explores a scenario on a kernel: the usual case.
Exploration explore_kernel(const std::string& name, const KernelOptions& options,
                           std::function<void(Simulation&)> scenario, std::optional<u64> schedules = std::nullopt);

}  // namespace cairn::sim

/// Explores, and fails the test with the report of the first failing seed.
#define EXPLORE(name, ...)                                                                             \
    do {                                                                                               \
        ::cairn::sim::Exploration cairn_exploration = ::cairn::sim::explore_kernel(name, __VA_ARGS__); \
        ASSERT_FALSE(cairn_exploration.failure) << cairn_exploration.failure->report;                  \
    } while (false)
