/// The input is a path and how to walk along it. What the kernel finds is what the oracle (path_oracle.h) finds.
///
/// The kernel runs in the simulated machine: its boot CPU is a fiber that takes one input after the other.

#include "arch/host/fiber.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/path_oracle.h"

namespace cairn::vfs {
namespace {

constexpr usize kStackSize = 8 * kMiB;

arch::host::Fiber g_fuzzer;
arch::host::Fiber g_machine;
std::span<const std::byte> g_input;

void serve_inputs(World& world) {
    const PathOracle oracle;
    oracle.build(world.root);
    for (;;) {
        arch::host::fiber_switch(g_machine, g_fuzzer);
        oracle.check_path(world.root, g_input);
        oracle.check_path(world.user, g_input);
    }
}

/// Comes back only when a check has ended the run as failed.
void run_machine(void*) {
    const sim::KernelOptions options{.cpus = 1, .memory = 4 * kMiB, .step_limit = ~u64{0}};
    const sim::Exploration run = sim::explore_kernel(
        "path walk", options,
        [](sim::Simulation&) {
            World world;
            serve_inputs(world);
        },
        1);
    if (run.failure) {
        std::fputs(run.failure->report.c_str(), stderr);
    }
    std::abort();
}

}  // namespace
}  // namespace cairn::vfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn::vfs;
    static const bool started = [] {
        static std::vector<std::byte> stack(kStackSize);
        cairn::arch::host::fiber_prepare(g_machine, stack.data() + stack.size(), stack.size(), run_machine, nullptr);
        cairn::arch::host::fiber_switch(g_fuzzer, g_machine);
        return true;
    }();
    (void)started;
    g_input = cairn::fuzz::as_bytes(data, size);
    cairn::arch::host::fiber_switch(g_fuzzer, g_machine);
    return 0;
}
