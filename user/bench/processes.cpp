// Starting programs and processes, and their end.
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>

#include "user/bench/bench.h"

namespace bench {
namespace {

char* const kEnvironment[] = {nullptr};

uint64_t fork_exit_wait(unsigned count) {
    return time_of(count, [] { end_process(start([] {})); });
}

// 4 KiB pages, each written to.
void touch(size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(memory != MAP_FAILED);
    madvise(memory, bytes, MADV_NOHUGEPAGE);  // fails where there are none anyway
    for (size_t at = 0; at < bytes; at += 4096) {
        static_cast<volatile char*>(memory)[at] = 1;
    }
}

uint64_t fork_with_64_mib(unsigned count) {
    touch(size_t{64} << 20);
    return fork_exit_wait(count);
}

void run_tiny() {
    char name[] = "tiny";
    char* const arguments[] = {name, nullptr};
    execve(kTiny, arguments, kEnvironment);
    _exit(127);
}

uint64_t vfork_exec(unsigned count) {
    return time_of(count, [] {
        pid_t pid = vfork();
        if (pid == 0) {
            run_tiny();
        }
        end_process(pid);
    });
}

uint64_t fork_exec(unsigned count) {
    return time_of(count, [] { end_process(start(run_tiny)); });
}

uint64_t spawn(unsigned count) {
    return time_of(count, [] {
        char name[] = "tiny";
        char* const arguments[] = {name, nullptr};
        pid_t pid = 0;
        BENCH_REQUIRE(posix_spawn(&pid, kTiny, nullptr, nullptr, arguments, kEnvironment) == 0);
        end_process(pid);
    });
}

uint64_t shell(const char* program, unsigned count) {
    char name[] = "sh";
    char option[] = "-c";
    char command[] = "true";
    char* const arguments[] = {name, option, command, nullptr};
    return time_of(count, [&] {
        pid_t pid = 0;
        BENCH_REQUIRE(posix_spawn(&pid, program, nullptr, nullptr, arguments, kEnvironment) == 0);
        end_process(pid);
    });
}
uint64_t static_shell(unsigned count) {
    return shell("/bin/busybox", count);
}
uint64_t dynamic_shell(unsigned count) {
    return shell("/bin/dash", count);
}

// Threads that sleep until the process ends or is replaced.
void start_sleepers(int number) {
    static std::atomic<int> ready;
    ready = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32768);
    for (int i = 0; i < number; ++i) {
        pthread_t thread{};
        auto body = [](void*) -> void* {
            ++ready;
            pause();
            return nullptr;
        };
        BENCH_REQUIRE(pthread_create(&thread, &attributes, body, nullptr) == 0);
    }
    while (ready != number) {
        sched_yield();
    }
    usleep(1000);  // all are asleep by then
}

uint64_t fork_with_8_threads(unsigned count) {
    start_sleepers(8);
    return fork_exit_wait(count);
}

// From the call to the end of the new program, as its parent sees it.
template <int kSiblings>
uint64_t exec_with_siblings(unsigned count) {
    auto* begin = shared<uint64_t>();
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; ++i) {
        pid_t pid = start([&] {
            start_sleepers(kSiblings);
            *begin = now();
            run_tiny();
        });
        end_process(pid);
        sum += now() - *begin;
    }
    return sum;
}

constexpr Row kRows[] = {
    {"fork+exit+wait", "process", 300, fork_exit_wait},
    {"fork+exit+wait with 64 MiB touched", "process", 10, fork_with_64_mib},
    {"fork+exit+wait with 8 threads alive", "process", 200, fork_with_8_threads},
    {"vfork+exec+wait, tiny static program", "process", 200, vfork_exec},
    {"posix_spawn+wait, tiny static program", "process", 200, spawn},
    {"fork+exec+wait, tiny static program", "process", 200, fork_exec},
    {"sh -c true, static", "process", 50, static_shell},
    {"sh -c true, dynamic", "process", 50, dynamic_shell},
    {"execve with 8 sibling threads", "process", 50, exec_with_siblings<8>},
    {"execve with 1,000 sibling threads", "process", 3, exec_with_siblings<1000>},
};

}  // namespace

std::span<const Row> process_rows() {
    return kRows;
}

// --- Threads ------------------------------------------------------------------------------------------------

namespace {

uint64_t create_join(unsigned count) {
    return time_of(count, [] {
        pthread_t thread{};
        auto body = [](void*) -> void* { return nullptr; };
        BENCH_REQUIRE(pthread_create(&thread, nullptr, body, nullptr) == 0);
        pthread_join(thread, nullptr);
    });
}

constexpr Row kThreadRows[] = {
    {"pthread_create+join", "thread", 500, create_join},
};

}  // namespace

std::span<const Row> thread_rows() {
    return kThreadRows;
}

}  // namespace bench
