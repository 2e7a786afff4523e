/// The input is a schedule and the calls that a few processes make (tests/support/exerciser.h). The whole kernel runs
/// in the simulated machine, booted for each input, so that an input that was found shows its fault again.

#include <cstdio>

#include "tests/fuzz/fuzz.h"
#include "tests/support/exerciser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Few schedules, since calls are what coverage can tell apart.
    constexpr std::size_t kSchedules = 8;
    constexpr cairn::u32 kMostCalls = 300;
    if (size < 2) {
        return -1;
    }
    const std::span<const std::byte> bytes = cairn::fuzz::as_bytes(data, size);
    const cairn::u64 seed = data[0] % kSchedules;
    const cairn::sim::Exploration run =
        cairn::sim::exercise_once({.name = "syscalls", .bytes = bytes.subspan(1), .calls = kMostCalls}, seed);
    if (run.failure) {
        std::fputs(run.failure->report.c_str(), stderr);
        std::abort();
    }
    return 0;
}
