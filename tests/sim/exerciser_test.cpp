/// System calls with arguments that nobody chose, by several processes and threads at once. S01: whatever they were
/// at, SIGKILL ends them; F06: nothing is left.

#include "tests/support/exerciser.h"

#include <gtest/gtest.h>

#include "kernel/syscall/table.h"
#include "tests/support/call_table.h"

namespace cairn {
namespace {

using sim::exercise_calls;
using sim::ExerciseOptions;
using sim::Exploration;

void expect_clean(const ExerciseOptions& options, u64 schedules) {
    const bool chosen = std::getenv("CAIRN_SCHEDULES") != nullptr;
    const Exploration run = exercise_calls(options, chosen ? std::nullopt : std::optional<u64>(schedules));
    ASSERT_FALSE(run.failure) << run.failure->report;
}

TEST(Exerciser, EveryCallHasARow) {
    for (u32 number = 0; number < syscall::call_limit(); ++number) {
        const syscall::Call* call = syscall::find_call(number);
        EXPECT_EQ(call != nullptr, !sim::rows_of(number).empty())
            << number << " " << (call == nullptr ? "is no call" : call->name);
    }
}

TEST(Exerciser, CallsOnTwoCpus) {
    expect_clean({.name = "calls, 2 CPUs"}, 100);
}

TEST(Exerciser, CallsOnThreeCpus) {
    expect_clean({.name = "calls, 3 CPUs", .cpus = 3}, 100);
}

TEST(Exerciser, CallsWithoutMemory) {
    expect_clean({.name = "calls, allocations fail", .allocation_failures = 40}, 100);
}

}  // namespace
}  // namespace cairn
