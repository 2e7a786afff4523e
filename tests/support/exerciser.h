#pragma once
/// The exerciser: processes in the simulated machine that make system calls with arguments drawn from a stream of
/// bytes, or from the seed of the run. What the arguments of each call are stands in tests/support/call_table.h.
///
/// Whatever they call, the kernel must not panic, hang, give back an error that Linux does not have, or let a
/// restart code through; SIGKILL must end them all; and then nothing may be left behind. A failure's report shows
/// the calls in the manner of strace(1).

#include "tests/support/process_machine.h"

namespace cairn::sim {

struct ExerciseOptions {
    const char* name = "calls";
    /// Of the stream; none: the seed of each run decides.
    std::span<const std::byte> bytes = {};
    /// Calls that all processes make together, at most.
    u32 calls = 60;
    u32 cpus = 2;
    u64 allocation_failures = 0;
};

/// Explores seeds, CAIRN_SEED and so on as ever.
Exploration exercise_calls(const ExerciseOptions& options, std::optional<u64> schedules = std::nullopt);
/// One run, for a fuzzer.
Exploration exercise_once(const ExerciseOptions& options, u64 seed);

}  // namespace cairn::sim
