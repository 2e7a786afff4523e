/// The in-kernel stress on the simulated machine: all kinds of work at once, under seeded schedules.

#include "kernel/stress/stress.h"

#include <gtest/gtest.h>

#include "tests/support/simulation.h"

namespace cairn::sim {
namespace {

/// Schedules are long here, so ctest runs few of them; tools/explore runs as many as it is told.
constexpr u64 kSchedules = 6;

void stress_for(Simulation& simulation, Nanoseconds length) {
    simulation.check(stress::run(length, length), "the stress test failed");
}

TEST(StressSim, EverythingAtOnceOnTwoCpus) {
    EXPLORE(
        "stress, 2 CPUs", {.cpus = 2, .memory = 8 * kMiB, .step_limit = 200'000'000},
        [](Simulation& simulation) { stress_for(simulation, Nanoseconds::from_milliseconds(5)); }, kSchedules);
}

TEST(StressSim, EverythingAtOnceOnFourCpus) {
    EXPLORE(
        "stress, 4 CPUs", {.cpus = 4, .memory = 16 * kMiB, .step_limit = 200'000'000},
        [](Simulation& simulation) { stress_for(simulation, Nanoseconds::from_milliseconds(5)); }, kSchedules);
}

}  // namespace
}  // namespace cairn::sim
