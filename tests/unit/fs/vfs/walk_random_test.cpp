/// Random paths over a tree with links of all kinds, against a second opinion (path_oracle.h). The fuzzer path_walk
/// does the same with inputs that it chooses by coverage, but without the sanitizers.

#include <random>

#include "tests/support/path_oracle.h"

namespace cairn::vfs {
namespace {

TEST(WalkRandom, AgreesWithTheOracle) {
    in_world("walk: random paths",
             [](World& world) {
                 const PathOracle oracle;
                 oracle.build(world.root);
                 std::mt19937 random(1);
                 for (u32 round = 0; round < 20'000; ++round) {
                     std::vector<std::byte> input(1 + random() % 24);
                     for (std::byte& byte : input) {
                         byte = std::byte{static_cast<u8>(random() % 96)};
                     }
                     input[0] = std::byte{static_cast<u8>(random())};
                     oracle.check_path(round % 2 == 0 ? world.root : world.user, input);
                 }
             },
             {.cpus = 1, .memory = 4 * kMiB, .step_limit = 1'000'000'000});
}

}  // namespace
}  // namespace cairn::vfs
