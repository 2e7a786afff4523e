// What the rows of the benchmark share. A row is one thing that programs ask of a kernel; it is measured in
// instructions, which QEMU's -icount makes the time stamp counter count (docs/performance.md).
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bench {

struct Row {
    const char* name;
    const char* family;
    unsigned count;  // operations in one measurement; a quick run takes a tenth
    // Does `count` operations and returns the instructions that they took altogether. It runs in a process of
    // its own, after a first round that is not counted.
    uint64_t (*measure)(unsigned count);
};

// The rows, one table for each source file.
std::span<const Row> call_rows();
std::span<const Row> file_rows();
std::span<const Row> hop_rows();
std::span<const Row> signal_rows();
std::span<const Row> process_rows();
std::span<const Row> thread_rows();
std::span<const Row> memory_rows();
std::span<const Row> switch_rows();
std::span<const Row> program_rows();

inline uint64_t now() {
    uint32_t low = 0;
    uint32_t high = 0;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
}

// Marks for plugins (tools/profile, tools/bench --events), which know these no-ops: what they count lies between begin
// and end, since the last forget; row stands behind a row.
inline void begin_mark() {
    asm volatile("nopl 0x43424547(%%rax,%%rax)" : : : "memory");
}
inline void end_mark() {
    asm volatile("nopl 0x43454e44(%%rax,%%rax)" : : : "memory");
}
inline void forget_mark() {
    asm volatile("nopl 0x43464754(%%rax,%%rax)" : : : "memory");
}
inline void row_mark() {
    asm volatile("nopl 0x4352574e(%%rax,%%rax)" : : : "memory");
}

// Counts from its construction to stop().
class Stopwatch {
public:
    Stopwatch() { begin_mark(); }
    uint64_t stop() {
        uint64_t result = now() - begin_;
        end_mark();
        return result;
    }

private:
    uint64_t begin_ = now();
};

// How long `count` calls of `operation` take.
template <typename Operation>
uint64_t time_of(unsigned count, Operation operation) {
    Stopwatch watch;
    for (unsigned i = 0; i < count; ++i) {
        operation();
    }
    return watch.stop();
}

// Ends the row as failed unless `ok`: errno and the place are printed.
void require(bool ok, const char* what);
#define BENCH_REQUIRE(condition) ::bench::require((condition), #condition)

int start_process();        // fork, checked
void end_process(int pid);  // waits for it; it must have ended with 0
// Starts a process that runs `body` and ends.
template <typename Body>
int start(Body body) {
    int pid = start_process();
    if (pid == 0) {
        body();
        _exit(0);
    }
    return pid;
}

// Memory that parent and children share, zeroed.
void* shared_memory(size_t bytes);
template <typename T>
T* shared() {
    return static_cast<T*>(shared_memory(sizeof(T)));
}

// The folder on tmpfs where files of the benchmark lie, and a program that ends at once: static, without a C
// library, a page long.
extern const char kFolder[];
extern const char kTiny[];
std::string file_of(size_t bytes);  // a file with that many bytes; its path

// Two CPUs (scale.cpp): which rows, what they need; one of them beside one CPU, or for the sake of a plugin.
bool is_independent(const Row& row);
void prepare_scale();
void measure_scale(const Row& row);
void measure_shared(const Row& row);

}  // namespace bench
