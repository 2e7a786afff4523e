#pragma once
/// Physical memory for unit tests: host memory that stands in from physical address 0 on while
/// an Arena lives. Host pages come into being when they are touched, so an arena of 64 GiB costs
/// what the test uses of it.

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

#include "arch/arch.h"

namespace cairn::test {

class Arena {
public:
    explicit Arena(u64 size) : size_(size) {
        void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            std::abort();
        }
        memory_ = static_cast<u8*>(memory);
        previous_memory_ = std::exchange(arch::host::g_current.memory, memory_);
        previous_size_ = std::exchange(arch::host::g_current.memory_size, size);
    }
    /// The addresses are not used again: parts of them may be poisoned, and telling the sanitizer
    /// about all of a large arena would take longer than the test.
    ~Arena() {
        arch::host::g_current.memory = previous_memory_;
        arch::host::g_current.memory_size = previous_size_;
        madvise(memory_, size_, MADV_DONTNEED);
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    u64 size() const { return size_; }

private:
    u64 size_;
    u8* memory_;
    u8* previous_memory_;
    u64 previous_size_;
};

}  // namespace cairn::test
