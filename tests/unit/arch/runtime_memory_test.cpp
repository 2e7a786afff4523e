/// The kernel's own memcpy and its kin, under other names beside the C library's.

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "kernel/base/types.h"

namespace kernel_runtime {
#define memcpy kernel_memcpy
#define memset kernel_memset
#define memmove kernel_memmove
#define memcmp kernel_memcmp
#define memchr kernel_memchr
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define __popcountdi2 kernel_popcount
#include "arch/x86_64/runtime/memory.cpp"
#undef memcpy
#undef memset
#undef memmove
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef __popcountdi2
}  // namespace kernel_runtime

namespace {

constexpr std::size_t kLongest = 80;  // several words, with every remainder

std::vector<unsigned char> counted(std::size_t size) {
    std::vector<unsigned char> bytes(size);
    std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(1));
    return bytes;
}

TEST(RuntimeMemory, CopiesExactlyWhatItIsTold) {
    for (std::size_t size = 0; size <= kLongest; ++size) {
        for (std::size_t at = 0; at < 8; ++at) {
            const std::vector<unsigned char> from = counted(kLongest + 16);
            std::vector<unsigned char> made(kLongest + 16, 0xee), wanted = made;
            EXPECT_EQ(kernel_runtime::kernel_memcpy(made.data() + at, from.data() + at / 2, size), made.data() + at);
            std::memcpy(wanted.data() + at, from.data() + at / 2, size);
            EXPECT_EQ(made, wanted) << size << " bytes at " << at;
        }
    }
}

TEST(RuntimeMemory, MovesOverlappingBytesBothWays) {
    for (std::size_t size = 0; size <= kLongest; ++size) {
        for (std::size_t to = 0; to <= 24; ++to) {
            std::vector<unsigned char> made = counted(kLongest + 32), wanted = made;
            EXPECT_EQ(kernel_runtime::kernel_memmove(made.data() + to, made.data() + 12, size), made.data() + to);
            std::memmove(wanted.data() + to, wanted.data() + 12, size);
            EXPECT_EQ(made, wanted) << size << " bytes from 12 to " << to;
        }
    }
}

TEST(RuntimeMemory, FillsExactlyWhatItIsTold) {
    for (std::size_t size = 0; size <= kLongest; ++size) {
        for (std::size_t at = 0; at < 8; ++at) {
            std::vector<unsigned char> made = counted(kLongest + 16), wanted = made;
            EXPECT_EQ(kernel_runtime::kernel_memset(made.data() + at, 0x1a5, size), made.data() + at);
            std::memset(wanted.data() + at, 0xa5, size);
            EXPECT_EQ(made, wanted) << size << " bytes at " << at;
        }
    }
}

TEST(RuntimeMemory, ComparesAsBytes) {
    for (std::size_t size = 1; size <= kLongest; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            const std::vector<unsigned char> left = counted(size);
            std::vector<unsigned char> right = left;
            EXPECT_EQ(kernel_runtime::kernel_memcmp(left.data(), right.data(), size), 0);
            right[at] = 0xff;
            EXPECT_LT(kernel_runtime::kernel_memcmp(left.data(), right.data(), size), 0);
            EXPECT_GT(kernel_runtime::kernel_memcmp(right.data(), left.data(), size), 0);
        }
    }
}

}  // namespace
