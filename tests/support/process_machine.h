#pragma once
/// Processes in the simulated machine: a whole kernel with a root filesystem, whose process 1 runs a scenario's
/// programs. Programs are C++ functions (arch/host/user_program.h) behind ELF images that the real exec loads.
///
/// Process 1 is part of the fixture. For each round it forks a child, which begins in the scenario's `start`, and waits
/// until it has no children any more, orphans included. The machine then compares what memory is in use with what was
/// in use before the round: whatever processes, files and threads the scenario made must have left nothing.
///
/// tests/support/user_calls.h has the system calls as user functions make them.

#include <vector>

#include "arch/host/user_program.h"
#include "tests/support/simulation.h"

namespace cairn::sim {

using arch::host::UserFunction;
using arch::host::UserMachine;

/// An executable file.
struct ProgramFile {
    const char* path;
    UserFunction start;
    u32 mode = 0755;  // root's
    /// PT_INTERP, and whether it is loaded anywhere (so that it can be an interpreter).
    const char* interpreter = "";
    bool position_independent = false;
    /// Its pages are read from a disk that can fail (tests/support/disk_files.h).
    bool on_disk = false;
};

struct ProcessOptions {
    u32 cpus = 2;
    usize memory = 24 * kMiB;
    u64 allocation_failures = 0;
    u64 step_limit = 20'000'000;
    std::vector<ProgramFile> programs = {};
    /// The scenario is run once in a calm before the round that counts, so that caches are filled.
    bool rehearse = false;
    /// Run by process 1 at the end of each round, when it has no children: removes what outlives processes.
    UserFunction clean_up = nullptr;
    /// Called before each round, outside of any program.
    void (*before_round)() = nullptr;
    /// Adds to the report of a failed run.
    void (*describe)(std::string& report) = nullptr;
    /// How long a round may take before every process but the first gets SIGKILL, which they must not survive.
    Nanoseconds time_limit = Nanoseconds::never();
};

/// Words that the scenario's functions share whatever memory they run in: for observing, not for synchronising. Zero at
/// the beginning of each round.
struct Board {
    u64 words[32];
};
extern Board board;
/// Whether this is the round that counts.
bool is_rehearsal();

/// The page cache forgets what is on the disk.
void drop_disk_pages(UserMachine& u);

/// Fails the run.
void require(bool condition, const char* what);

Exploration explore_processes(const std::string& name, const ProcessOptions& options, UserFunction start,
                              std::optional<u64> schedules = std::nullopt);
/// One run, of this seed.
Exploration run_processes(const std::string& name, const ProcessOptions& options, UserFunction start, u64 seed);

}  // namespace cairn::sim

/// Explores, and fails the test with the report of the first failing seed.
#define EXPLORE_PROCESSES(name, ...)                                                                      \
    do {                                                                                                  \
        ::cairn::sim::Exploration cairn_exploration = ::cairn::sim::explore_processes(name, __VA_ARGS__); \
        ASSERT_FALSE(cairn_exploration.failure) << cairn_exploration.failure->report;                     \
    } while (false)
