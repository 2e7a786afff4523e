// Ping-pong: two that wake each other in turn. One operation is there and back.
#include <linux/futex.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "user/bench/bench.h"

namespace bench {
namespace {

// A way to wake the other side: give() on one end lets take() on the other one return.
struct Pipes {
    int there[2];
    int back[2];
    Pipes() { BENCH_REQUIRE(pipe(there) == 0 && pipe(back) == 0); }
    void ping(char& byte) { BENCH_REQUIRE(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1); }
    void pong(char& byte) { BENCH_REQUIRE(read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1); }
};

struct Sockets {
    int ends[2];
    Sockets() { BENCH_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    void ping(char& byte) { BENCH_REQUIRE(write(ends[0], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1); }
    void pong(char& byte) { BENCH_REQUIRE(read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1); }
};

struct Events {
    int there = eventfd(0, 0);
    int back = eventfd(0, 0);
    uint64_t value = 1;
    void ping(char&) {
        uint64_t got = 0;
        BENCH_REQUIRE(write(there, &value, 8) == 8 && read(back, &got, 8) == 8);
    }
    void pong(char&) {
        uint64_t got = 0;
        BENCH_REQUIRE(read(there, &got, 8) == 8 && write(back, &value, 8) == 8);
    }
};

struct Futexes {
    struct Words {
        std::atomic<int> turn;
    };
    Words* words = shared<Words>();
    void hand_over(int from, int to) {
        words->turn.store(to);
        syscall(SYS_futex, &words->turn, FUTEX_WAKE, 1, nullptr, nullptr, 0);
        wait_for(from);
    }
    void wait_for(int turn) {
        for (int seen = words->turn.load(); seen != turn; seen = words->turn.load()) {
            syscall(SYS_futex, &words->turn, FUTEX_WAIT, seen, nullptr, nullptr, 0);
        }
    }
    void ping(char&) { hand_over(0, 1); }
    void pong(char&) {
        wait_for(1);
        words->turn.store(0);
        syscall(SYS_futex, &words->turn, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
};

template <typename Way>
uint64_t between_processes(unsigned count) {
    Way way;
    char byte = 0;
    int other = start([&] {
        for (unsigned i = 0; i < count + 1; ++i) {
            way.pong(byte);
        }
    });
    way.ping(byte);
    uint64_t result = time_of(count, [&] { way.ping(byte); });
    end_process(other);
    return result;
}

template <typename Way>
uint64_t between_threads(unsigned count) {
    Way way;
    std::thread other([&] {
        char byte = 0;
        for (unsigned i = 0; i < count + 1; ++i) {
            way.pong(byte);
        }
    });
    char byte = 0;
    way.ping(byte);
    uint64_t result = time_of(count, [&] { way.ping(byte); });
    other.join();
    return result;
}

// An operation is one yield of one of the processes: a scheduler need not let them run in turn.
template <int kProcesses>
uint64_t yields(unsigned count) {
    struct Shared {
        std::atomic<bool> stop;
        std::atomic<uint64_t> yields;
    };
    auto* shared_part = shared<Shared>();
    auto yield = [&] {
        sched_yield();
        shared_part->yields.fetch_add(1, std::memory_order_relaxed);
    };
    int others[kProcesses];
    for (int i = 1; i < kProcesses; ++i) {
        others[i] = start([&] {
            while (!shared_part->stop) {
                yield();
            }
        });
    }
    time_of(100, yield);  // by then all have begun
    uint64_t before = shared_part->yields;
    uint64_t result = time_of(count, yield) * count / (shared_part->yields - before);
    shared_part->stop = true;
    for (int i = 1; i < kProcesses; ++i) {
        end_process(others[i]);
    }
    return result;
}

// 64 KiB at a time, from one process to another; an operation is 1 MiB.
uint64_t move(int from, int to, unsigned count) {
    static char block[65536];
    size_t total = size_t{count} << 20;
    int other = start([&] {
        for (size_t sent = 0; sent < total;) {
            ssize_t got = write(to, block, sizeof block);
            BENCH_REQUIRE(got > 0);
            sent += static_cast<size_t>(got);
        }
    });
    Stopwatch watch;
    for (size_t received = 0; received < total;) {
        ssize_t got = read(from, block, sizeof block);
        BENCH_REQUIRE(got > 0);
        received += static_cast<size_t>(got);
    }
    uint64_t result = watch.stop();
    end_process(other);
    return result;
}
uint64_t pipe_bandwidth(unsigned count) {
    int ends[2];
    BENCH_REQUIRE(pipe(ends) == 0);
    return move(ends[0], ends[1], count);
}
uint64_t socket_bandwidth(unsigned count) {
    int ends[2];
    BENCH_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    return move(ends[0], ends[1], count);
}

constexpr Row kRows[] = {
    {"pipe ping-pong, processes", "hop", 2'000, between_processes<Pipes>},
    {"AF_UNIX ping-pong, processes", "hop", 2'000, between_processes<Sockets>},
    {"futex ping-pong, processes", "hop", 2'000, between_processes<Futexes>},
    {"eventfd ping-pong, processes", "hop", 2'000, between_processes<Events>},
    {"pipe ping-pong, threads", "hop", 2'000, between_threads<Pipes>},
    {"AF_UNIX ping-pong, threads", "hop", 2'000, between_threads<Sockets>},
    {"futex ping-pong, threads", "hop", 2'000, between_threads<Futexes>},
    {"eventfd ping-pong, threads", "hop", 2'000, between_threads<Events>},
    {"sched_yield, 2 runnable", "hop", 5'000, yields<2>},
    {"sched_yield, 16 runnable", "hop", 1'000, yields<16>},
    {"pipe, 1 MiB by 64 KiB", "bandwidth", 20, pipe_bandwidth},
    {"AF_UNIX, 1 MiB by 64 KiB", "bandwidth", 20, socket_bandwidth},
};

}  // namespace

std::span<const Row> hop_rows() {
    return kRows;
}

}  // namespace bench
