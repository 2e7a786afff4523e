// Two CPUs at once. How much of a row do they do together, beside one alone? Wall time, unlike the other figures, so
// that a busy host disturbs it: one and two take turns, many times, and the best of each counts. And, for a plugin of
// QEMU's (tools/lib/shared_lines.cpp), a number of operations on both, to see which memory of the kernel both touch.
//
// The two loops have nothing in common but the kernel: each is a process of its own, on a CPU of its own, in a root of
// its own (chroot), and has what it makes there.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "user/bench/bench.h"

namespace bench {
namespace {

constexpr unsigned kProcesses = 2;
constexpr uint64_t kWindow = 40'000'000;  // nanoseconds of one measurement
constexpr unsigned kTurns = 9;

struct Shared {
    unsigned processes;
    unsigned arrivals;
    double rate[kProcesses];  // operations for one tick of the time-stamp counter
};

uint64_t nanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

void make_root(unsigned number) {
    std::string root = "/scale" + std::to_string(number);
    mkdir(root.c_str(), 0755);
    BENCH_REQUIRE(mount("tmpfs", root.c_str(), "tmpfs", 0, nullptr) == 0);
    for (const char* folder : {"/dev", "/proc", "/tmp", kFolder}) {
        mkdir((root + folder).c_str(), 0755);
    }
    mknod((root + "/dev/null").c_str(), S_IFCHR | 0666, makedev(1, 3));
    mknod((root + "/dev/zero").c_str(), S_IFCHR | 0666, makedev(1, 5));
}

// A row leaves its descriptors to the end of its process, and here it is run more often than there are descriptors.
uint64_t measure_and_close(const Row& row, unsigned count) {
    const uint64_t ticks = row.measure(count);
    constexpr unsigned kFirst = 3;
    BENCH_REQUIRE(close_range(kFirst, ~0u, 0) == 0);
    return ticks;
}

// One process's part: the row again and again for a while, its own time alone being counted.
double run_for_a_while(const Row& row, unsigned count) {
    uint64_t ticks = 0;
    uint64_t operations = 0;
    for (uint64_t end = nanoseconds() + kWindow; operations == 0 || nanoseconds() < end; operations += count) {
        ticks += measure_and_close(row, count);
    }
    return static_cast<double>(operations) / static_cast<double>(ticks);
}

// Puts the process on its CPU and into its root, and warms the row up.
void settle(const Row& row, unsigned number, unsigned count) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(number, &cpus);
    BENCH_REQUIRE(sched_setaffinity(0, sizeof cpus, &cpus) == 0);
    std::string root = "/scale" + std::to_string(number);
    BENCH_REQUIRE(chroot(root.c_str()) == 0 && chdir("/") == 0);
    static_cast<void>(measure_and_close(row, count));
}

// Returns when all have come here as often as this one.
void meet(Shared& all, unsigned meetings) {
    __atomic_fetch_add(&all.arrivals, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&all.arrivals, __ATOMIC_SEQ_CST) < all.processes * meetings) {
        sched_yield();
    }
}

// Runs `body(number, shared)` in as many processes; false if one of them failed.
template <typename Body>
bool run_processes(Shared& all, Body body) {
    std::vector<int> pids;
    for (unsigned i = 0; i < all.processes; ++i) {
        pids.push_back(start([&] { body(i); }));
    }
    bool sound = true;
    for (int pid : pids) {
        int status = 0;
        sound &= waitpid(pid, &status, 0) == pid && status == 0;
    }
    return sound;
}

// What `processes` of them do together for one tick; 0 if the row failed.
double rate(const Row& row, unsigned processes) {
    auto* all = shared<Shared>();
    all->processes = processes;
    const unsigned count = std::max(row.count / 10, 1u);
    const bool sound = run_processes(*all, [&](unsigned number) {
        settle(row, number, count);
        meet(*all, 1);
        all->rate[number] = run_for_a_while(row, count);
    });
    double result = 0;
    for (double each : all->rate) {
        result += each;
    }
    munmap(all, sizeof *all);
    return sound ? result : 0;
}

}  // namespace

// Rows that use nothing together by their nature, and that need no more than prepare_scale makes.
bool is_independent(const Row& row) {
    const std::string_view family = row.family;
    const std::string_view name = row.name;
    const bool basic = family != "program" && family != "switch" && name.find("exec") == name.npos;
    return basic && name.find("sh -c") == name.npos && name.find("spawn") == name.npos &&
           name.find("10,000") == name.npos && name.find("MiB touched") == name.npos;
}

void prepare_scale() {
    for (unsigned i = 0; i < kProcesses; ++i) {
        make_root(i);
    }
}

void measure_shared(const Row& row) {
    auto* all = shared<Shared>();
    all->processes = kProcesses;
    const unsigned count = std::max(row.count / 20, 1u);
    const bool sound = run_processes(*all, [&](unsigned number) {
        settle(row, number, count);
        meet(*all, 1);
        if (number == 0) {
            forget_mark();
        }
        meet(*all, 2);
        row.measure(count);
    });
    row_mark();
    munmap(all, sizeof *all);
    if (sound) {
        std::printf("%s\t%s\t%u\n", row.name, row.family, count);
    } else {
        std::printf("%s\t%s\tfailed\n", row.name, row.family);
    }
    std::fflush(stdout);
}

void measure_scale(const Row& row) {
    std::vector<double> one;
    std::vector<double> two;
    for (unsigned i = 0; i < kTurns; ++i) {
        one.push_back(rate(row, 1));
        two.push_back(rate(row, kProcesses));
    }
    std::sort(one.begin(), one.end());
    std::sort(two.begin(), two.end());
    // Behind the factor: by how much the median lies below the best, for one and for two.
    if (one.front() > 0 && two.front() > 0) {
        std::printf("%s\t%s\t%.3f\t%.3f\t%.3f\n", row.name, row.family, two.back() / one.back(),
                    1 - one[kTurns / 2] / one.back(), 1 - two[kTurns / 2] / two.back());
    } else {
        std::printf("%s\t%s\tfailed\t0\t0\n", row.name, row.family);
    }
    std::fflush(stdout);
}

}  // namespace bench
