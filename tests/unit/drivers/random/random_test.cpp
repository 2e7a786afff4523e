/// The block function against RFC 8439, 2.3.2, and the generator's shape.

#include "drivers/random/random.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

namespace cairn::random {
namespace {

TEST(Random, ChaCha20BlockOfTheStandard) {
    u32 key[8];
    for (u32 i = 0; i < 8; ++i) {
        u32 base = 4 * i;
        key[i] = base | (base + 1) << 8 | (base + 2) << 16 | (base + 3) << 24;
    }
    constexpr u32 kNonce[3] = {0x0900'0000, 0x4a00'0000, 0};
    constexpr u32 kExpected[16] = {0xe4e7'f110, 0x1559'3bd1, 0x1fdd'0f50, 0xc471'20a3, 0xc7f4'd1c7, 0x0368'c033,
                                   0x9aaa'2204, 0x4e6c'd4c3, 0x4664'82d2, 0x09aa'9f07, 0x05d7'c214, 0xa202'8bd9,
                                   0xd19c'12b5, 0xb94e'16de, 0xe883'd0cb, 0x4e3c'50a2};
    u32 out[16];
    chacha20_block(key, 1, kNonce, out);
    for (u32 i = 0; i < 16; ++i) {
        EXPECT_EQ(out[i], kExpected[i]) << i;
    }
}

}  // namespace
}  // namespace cairn::random
