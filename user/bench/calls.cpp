// Calls that neither wait nor start anything.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <array>

#include "user/bench/bench.h"

namespace bench {
namespace {

int opened(const char* path, int flags) {
    int descriptor = open(path, flags);
    BENCH_REQUIRE(descriptor >= 0);
    return descriptor;
}

uint64_t null_call(unsigned count) {
    return time_of(count, [] { syscall(SYS_getppid); });
}

uint64_t read_byte(unsigned count) {
    int zero = opened("/dev/zero", O_RDONLY);
    char byte = 0;
    return time_of(count, [&] { BENCH_REQUIRE(read(zero, &byte, 1) == 1); });
}

uint64_t write_byte(unsigned count) {
    int null = opened("/dev/null", O_WRONLY);
    return time_of(count, [&] { BENCH_REQUIRE(write(null, "x", 1) == 1); });
}

uint64_t open_close(unsigned count) {
    std::string path = file_of(1);
    return time_of(count, [&] { close(opened(path.c_str(), O_RDONLY)); });
}

uint64_t stat_of(const char* path, unsigned count) {
    struct stat status{};
    return time_of(count, [&] { BENCH_REQUIRE(stat(path, &status) == 0); });
}
uint64_t stat_1(unsigned count) {
    return stat_of("/dev", count);
}
uint64_t stat_8(unsigned count) {
    std::string path = kFolder;
    for (const char* name : {"/a", "/b", "/c", "/d", "/e", "/f"}) {
        mkdir((path += name).c_str(), 0755);
    }
    return stat_of(path.c_str(), count);
}

uint64_t fstat_file(unsigned count) {
    int file = opened(file_of(1).c_str(), O_RDONLY);
    struct stat status{};
    return time_of(count, [&] { BENCH_REQUIRE(fstat(file, &status) == 0); });
}

uint64_t dup_close(unsigned count) {
    return time_of(count, [] { close(dup(0)); });
}

uint64_t fcntl_flags(unsigned count) {
    return time_of(count, [] { BENCH_REQUIRE(fcntl(0, F_GETFL) >= 0); });
}

template <int kCount>
uint64_t poll_files(unsigned count) {
    std::array<pollfd, kCount> files;
    for (pollfd& file : files) {
        file = {eventfd(0, 0), POLLIN, 0};
    }
    return time_of(count, [&] { BENCH_REQUIRE(poll(files.data(), kCount, 0) == 0); });
}

template <int kCount>
uint64_t select_files(unsigned count) {
    fd_set files;
    FD_ZERO(&files);
    int last = 0;
    for (int i = 0; i < kCount; ++i) {
        last = eventfd(0, 0);
        FD_SET(last, &files);
    }
    timeval none{};
    return time_of(count, [&] {
        fd_set ready = files;
        BENCH_REQUIRE(select(last + 1, &ready, nullptr, nullptr, &none) == 0);
    });
}

uint64_t epoll_one_of_ten(unsigned count) {
    int set = epoll_create1(0);
    for (int i = 0; i < 10; ++i) {
        epoll_event event{EPOLLIN, {}};
        BENCH_REQUIRE(epoll_ctl(set, EPOLL_CTL_ADD, eventfd(i == 5 ? 1 : 0, 0), &event) == 0);
    }
    epoll_event ready[10];
    return time_of(count, [&] { BENCH_REQUIRE(epoll_wait(set, ready, 10, 0) == 1); });
}

uint64_t clock_by_vdso(unsigned count) {
    timespec time{};
    return time_of(count, [&] { clock_gettime(CLOCK_MONOTONIC, &time); });
}

constexpr Row kRows[] = {
    {"null call", "call", 20'000, null_call},
    {"read 1 byte of /dev/zero", "call", 20'000, read_byte},
    {"write 1 byte to /dev/null", "call", 20'000, write_byte},
    {"open+close on tmpfs", "call", 5'000, open_close},
    {"stat, 1 component", "call", 10'000, stat_1},
    {"stat, 8 components", "call", 5'000, stat_8},
    {"fstat", "call", 20'000, fstat_file},
    {"dup+close", "call", 10'000, dup_close},
    {"fcntl F_GETFL", "call", 20'000, fcntl_flags},
    {"poll of 10", "call", 5'000, poll_files<10>},
    {"poll of 100", "call", 1'000, poll_files<100>},
    {"select of 10", "call", 5'000, select_files<10>},
    {"select of 100", "call", 1'000, select_files<100>},
    {"epoll_wait, 1 of 10 ready", "call", 10'000, epoll_one_of_ten},
    {"clock_gettime through the vDSO", "call", 20'000, clock_by_vdso},
};

}  // namespace

std::span<const Row> call_rows() {
    return kRows;
}

}  // namespace bench
