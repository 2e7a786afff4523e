// Address spaces: faults, mappings, protections. A fault's row counts one page.
#include <fcntl.h>
#include <sys/mman.h>

#include "user/bench/bench.h"

namespace bench {
namespace {

constexpr size_t kPage = 4096;

volatile char* map(size_t bytes, int flags = MAP_PRIVATE | MAP_ANONYMOUS, int file = -1,
                   int protection = PROT_READ | PROT_WRITE) {
    void* memory = mmap(nullptr, bytes, protection, flags, file, 0);
    BENCH_REQUIRE(memory != MAP_FAILED);
    if (file < 0) {
        madvise(memory, bytes, MADV_NOHUGEPAGE);  // fails where there are none anyway
    }
    return static_cast<volatile char*>(memory);
}

void write_pages(volatile char* memory, size_t pages) {
    for (size_t i = 0; i < pages; ++i) {
        memory[i * kPage] = 1;
    }
}

char read_pages(volatile char* memory, size_t pages) {
    char sum = 0;
    for (size_t i = 0; i < pages; ++i) {
        sum = static_cast<char>(sum + memory[i * kPage]);
    }
    return sum;
}

uint64_t write_fault(unsigned count) {
    volatile char* memory = map(count * kPage);
    Stopwatch watch;
    write_pages(memory, count);
    return watch.stop();
}

uint64_t read_fault(unsigned count) {
    volatile char* memory = map(count * kPage);
    Stopwatch watch;
    read_pages(memory, count);
    return watch.stop();
}

uint64_t copy_on_write(unsigned count) {
    volatile char* memory = map(count * kPage);
    write_pages(memory, count);
    auto* result = shared<uint64_t>();
    end_process(start([&] {
        Stopwatch watch;
        write_pages(memory, count);
        *result = watch.stop();
    }));
    return *result;
}

uint64_t file_fault(unsigned count, int flags) {
    int file = open(file_of(count * kPage).c_str(), O_RDWR);
    volatile char* memory = map(count * kPage, flags, file, PROT_READ);
    Stopwatch watch;
    read_pages(memory, count);
    return watch.stop();
}
uint64_t shared_file_fault(unsigned count) {
    return file_fault(count, MAP_SHARED);
}
uint64_t private_file_fault(unsigned count) {
    return file_fault(count, MAP_PRIVATE);
}

uint64_t shared_file_write_fault(unsigned count) {
    int file = open(file_of(count * kPage).c_str(), O_RDWR);
    volatile char* memory = map(count * kPage, MAP_SHARED, file);
    Stopwatch watch;
    write_pages(memory, count);
    return watch.stop();
}

uint64_t map_unmap(unsigned count) {
    return time_of(count, [] {
        void* memory = mmap(nullptr, 16 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(memory, 16 * kPage);
    });
}

uint64_t map_touch_unmap(unsigned count) {
    return time_of(count, [] {
        void* memory = mmap(nullptr, 16 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        write_pages(static_cast<volatile char*>(memory), 4);
        munmap(memory, 16 * kPage);
    });
}

// There and back: two changes in one operation, so the sum is halved.
uint64_t protect(unsigned count) {
    volatile char* memory = map(16 * kPage);
    write_pages(memory, 16);
    void* address = const_cast<char*>(memory);
    return time_of(count,
                   [&] {
                       BENCH_REQUIRE(mprotect(address, 16 * kPage, PROT_READ) == 0);
                       BENCH_REQUIRE(mprotect(address, 16 * kPage, PROT_READ | PROT_WRITE) == 0);
                   }) /
           2;
}

uint64_t brk_up_down(unsigned count) {
    char* end = static_cast<char*>(sbrk(0));
    return time_of(count, [&] {
        BENCH_REQUIRE(brk(end + 16 * kPage) == 0);
        write_pages(end + kPage, 4);
        BENCH_REQUIRE(brk(end) == 0);
    });
}

uint64_t advise_away(unsigned count) {
    volatile char* memory = map(16 * kPage);
    return time_of(count, [&] {
        write_pages(memory, 16);
        madvise(const_cast<char*>(memory), 16 * kPage, MADV_DONTNEED);
    });
}

constexpr Row kRows[] = {
    {"anonymous write fault", "memory", 4'000, write_fault},
    {"anonymous read fault", "memory", 4'000, read_fault},
    {"copy-on-write fault", "memory", 4'000, copy_on_write},
    {"private file fault", "memory", 4'000, private_file_fault},
    {"shared file fault, read", "memory", 4'000, shared_file_fault},
    {"shared file fault, write", "memory", 4'000, shared_file_write_fault},
    {"mmap+munmap of 16 pages", "memory", 2'000, map_unmap},
    {"mmap+munmap of 16 pages, 4 touched", "memory", 1'000, map_touch_unmap},
    {"mprotect of 16 pages", "memory", 1'000, protect},
    {"brk up and down, 4 pages touched", "memory", 1'000, brk_up_down},
    {"madvise DONTNEED of 16 touched pages", "memory", 500, advise_away},
};

}  // namespace

std::span<const Row> memory_rows() {
    return kRows;
}

}  // namespace bench
