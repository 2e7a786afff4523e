// Context switches: a byte goes round a ring of processes, each with a working set that it reads at its turn.
#include <vector>

#include "user/bench/bench.h"

namespace bench {
namespace {

void work(const std::vector<char>& memory) {
    char sum = 0;
    for (size_t i = 0; i < memory.size(); i += 64) {
        sum = static_cast<char>(sum + static_cast<const volatile char&>(memory[i]));
    }
}

template <int kProcesses, size_t kWorkingSet>
uint64_t ring(unsigned count) {
    int pipes[kProcesses][2];
    for (auto& each : pipes) {
        BENCH_REQUIRE(pipe(each) == 0);
    }
    std::vector<char> memory(kWorkingSet, 1);
    int others[kProcesses];
    for (int i = 1; i < kProcesses; ++i) {
        others[i] = start([&, i] {
            std::vector<char> own = memory;
            char byte = 0;
            for (unsigned round = 0; round < count + 1; ++round) {
                BENCH_REQUIRE(read(pipes[i - 1][0], &byte, 1) == 1);
                work(own);
                BENCH_REQUIRE(write(pipes[i][1], &byte, 1) == 1);
            }
        });
    }
    auto round = [&] {
        char byte = 0;
        work(memory);
        BENCH_REQUIRE(write(pipes[0][1], &byte, 1) == 1);
        BENCH_REQUIRE(read(pipes[kProcesses - 1][0], &byte, 1) == 1);
    };
    round();
    uint64_t result = time_of(count, round) / kProcesses;
    for (int i = 1; i < kProcesses; ++i) {
        end_process(others[i]);
    }
    return result;
}

constexpr Row kRows[] = {
    {"2 processes, 0 KiB each", "switch", 2'000, ring<2, 0>},
    {"2 processes, 64 KiB each", "switch", 1'000, ring<2, 65536>},
    {"8 processes, 0 KiB each", "switch", 500, ring<8, 0>},
    {"8 processes, 64 KiB each", "switch", 250, ring<8, 65536>},
    {"16 processes, 0 KiB each", "switch", 250, ring<16, 0>},
    {"16 processes, 64 KiB each", "switch", 100, ring<16, 65536>},
};

}  // namespace

std::span<const Row> switch_rows() {
    return kRows;
}

}  // namespace bench
