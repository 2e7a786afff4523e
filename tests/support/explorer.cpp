#include "tests/support/explorer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace cairn::sim {

using arch::host::Ending;
using arch::host::PolicyKind;
using arch::host::RunOptions;
using arch::host::RunResult;
using arch::host::ScriptedPreemption;

namespace {

constexpr u64 kDefaultSchedules = 300;

std::optional<u64> number_from_environment(const char* name) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') {
        return std::nullopt;
    }
    return std::strtoull(text, nullptr, 10);
}

/// gtest's name of the running test, for the command that replays it.
std::string test_name() {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    return test == nullptr ? "*" : std::string(test->test_suite_name()) + "." + test->name();
}

std::string command() {
    return "sim_tests --gtest_filter='" + test_name() + "'";
}

std::string replay_command(u64 seed) {
    return "CAIRN_SEED=" + std::to_string(seed) + " " + command();
}

const char* policy_name(PolicyKind kind) {
    switch (kind) {
        case PolicyKind::Random:
            return "random";
        case PolicyKind::PriorityChange:
            return "priority change points";
        case PolicyKind::BoundedPreemption:
            return "bounded preemption";
        case PolicyKind::Scripted:
            return "scripted";
        case PolicyKind::Cooperative:
            return "cooperative";
    }
    return "";
}

Failure describe(u64 seed, u64 after, const RunResult& result, const std::string& replay) {
    std::string log = result.log.size() > 4000 ? result.log.substr(result.log.size() - 4000) : result.log;
    return {.seed = seed,
            .after = after,
            .text = result.failure,
            .report = "seed " + std::to_string(seed) + " (" + policy_name(result.policy) + ", schedule " +
                      std::to_string(after) + ", step " + std::to_string(result.steps) + "): " + result.failure + "\n" +
                      result.report + "log:\n" + log + "replay: " + replay + "\n"};
}

bool failed(const RunResult& result) {
    return result.ending == Ending::Failed;
}

}  // namespace

RunOnce on_bare_machine(void (*boot)()) {
    return [boot](const RunOptions& options) {
        return arch::host::run(
            options, [](void* function) { reinterpret_cast<void (*)()>(function)(); }, reinterpret_cast<void*>(boot));
    };
}

Exploration explore(const std::string& name, const RunOptions& options, const RunOnce& run_once,
                    std::optional<u64> schedules) {
    std::optional<u64> only = number_from_environment("CAIRN_SEED");
    u64 first = only.value_or(number_from_environment("CAIRN_FIRST").value_or(1));
    u64 count = only ? 1 : schedules.value_or(number_from_environment("CAIRN_SCHEDULES").value_or(kDefaultSchedules));
    std::string replay = command();

    Exploration exploration;
    auto start = std::chrono::steady_clock::now();
    for (u64 seed = first; seed < first + count && !exploration.failure; ++seed) {
        RunOptions with_seed = options;
        with_seed.seed = seed;
        with_seed.trace = only.has_value();
        with_seed.replay_hint = replay.c_str();
        RunResult result = run_once(with_seed);
        ++exploration.schedules;
        exploration.steps += result.steps;
        if (failed(result)) {
            exploration.failure = describe(seed, exploration.schedules, result, replay_command(seed));
        }
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    exploration.per_second = static_cast<double>(exploration.schedules) / (seconds > 0 ? seconds : 1e-9);
    std::printf("%s: %llu schedules, %.0f/s, %.0f steps each, %d failures\n", name.c_str(),
                static_cast<unsigned long long>(exploration.schedules), exploration.per_second,
                static_cast<double>(exploration.steps) / static_cast<double>(exploration.schedules),
                exploration.failure ? 1 : 0);
    std::fflush(stdout);
    return exploration;
}

Exploration explore_seed(const std::string& name, const RunOptions& options, const RunOnce& run_once, u64 seed) {
    RunOptions with_seed = options;
    with_seed.seed = seed;
    with_seed.replay_hint = name.c_str();
    const RunResult result = run_once(with_seed);
    Exploration exploration;
    exploration.schedules = 1;
    exploration.steps = result.steps;
    if (failed(result)) {
        exploration.failure = describe(seed, 1, result, name);
    }
    return exploration;
}

namespace {

/// Depth-first search over sets of preemptions in rising order of step. A run under a script
/// tells how long it was, and so where the next preemption may be.
class Enumerator {
public:
    Enumerator(const RunOptions& options, const RunOnce& run_once, u64 limit)
        : options_(options), run_once_(run_once), limit_(limit) {}

    Enumeration result;

    /// Runs `script_` and all its extensions by up to `preemptions` more. False: stop.
    bool search(u32 preemptions) {
        if (result.schedules == limit_) {
            return false;
        }
        RunOptions scripted = options_;
        scripted.policy = PolicyKind::Scripted;
        scripted.script = script_;
        scripted.immediate_interrupts = true;
        RunResult run = run_once_(scripted);
        ++result.schedules;
        if (failed(run)) {
            result.failure = describe(options_.seed, result.schedules, run, "the same test; it is deterministic");
            result.failing_script = script_;
            return false;
        }
        if (preemptions == 0) {
            return true;
        }
        u64 first = script_.empty() ? 1 : script_.back().step + 1;
        for (u64 step = first; step < run.scenario_steps; ++step) {
            for (u32 choice = 0; choice + 1 < options_.cpu_count; ++choice) {
                script_.push_back({step, choice});
                bool go_on = search(preemptions - 1);
                script_.pop_back();
                if (!go_on) {
                    return false;
                }
            }
        }
        return true;
    }

private:
    RunOptions options_;
    const RunOnce& run_once_;
    u64 limit_;
    std::vector<ScriptedPreemption> script_;
};

}  // namespace

Enumeration enumerate(const std::string& name, const RunOptions& options, const RunOnce& run_once, u32 preemptions,
                      u64 limit) {
    Enumerator enumerator(options, run_once, limit);
    enumerator.result.complete = enumerator.search(preemptions);
    std::printf("%s: %llu schedules with at most %u preemptions, %s\n", name.c_str(),
                static_cast<unsigned long long>(enumerator.result.schedules), preemptions,
                enumerator.result.failure    ? "failed"
                : enumerator.result.complete ? "complete"
                                             : "limit reached");
    return enumerator.result;
}

}  // namespace cairn::sim
