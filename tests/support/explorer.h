#pragma once
/// The explorer: runs a scenario over many seeds and tells the first seed that fails. What a run
/// is stands in docs/simulated-machine.md; a scenario on a whole kernel is written with
/// tests/support/simulation.h, one on the bare machine with a `Boot` function of its own.
///
///   CAIRN_SCHEDULES=n   schedules per scenario (300 when not set)
///   CAIRN_FIRST=n       the first seed (1)
///   CAIRN_SEED=n        only this seed, with every decision of the machine printed

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arch/host/run.h"

namespace cairn::sim {

struct Failure {
    u64 seed = 0;
    u64 after = 0;       // schedules tried, this one included
    std::string text;    // what failed
    std::string report;  // all that is known, the command that replays it included
};

struct Exploration {
    u64 schedules = 0;
    double per_second = 0;
    u64 steps = 0;  // over all schedules
    std::optional<Failure> failure;
};

/// One run of the scenario under the given options; the options come with seed and trace set.
using RunOnce = std::function<arch::host::RunResult(const arch::host::RunOptions&)>;

/// Wraps a function for the boot CPU of a bare machine.
RunOnce on_bare_machine(void (*boot)());

/// Runs the scenario until it fails or `schedules` seeds are done; the number comes from the
/// environment unless it is given.
Exploration explore(const std::string& name, const arch::host::RunOptions& options, const RunOnce& run_once,
                    std::optional<u64> schedules = std::nullopt);

/// The run of one seed, without a word about it.
Exploration explore_seed(const std::string& name, const arch::host::RunOptions& options, const RunOnce& run_once,
                         u64 seed);

/// All schedules with at most `preemptions` switches that nothing forced, depth first, for tiny
/// scenarios: exhaustive up to that bound (Musuvathi, Qadeer: "Iterative Context Bounding", PLDI
/// 2007). Stops at the first failure or after `limit` schedules; `complete` tells which.
struct Enumeration {
    u64 schedules = 0;
    bool complete = false;
    std::optional<Failure> failure;
    std::vector<arch::host::ScriptedPreemption> failing_script;
};
Enumeration enumerate(const std::string& name, const arch::host::RunOptions& options, const RunOnce& run_once,
                      u32 preemptions, u64 limit);

}  // namespace cairn::sim
