#include "drivers/input/scan_codes.h"

#include <gtest/gtest.h>

#include "drivers/input/input_codes.h"
#include "drivers/input/utf8.h"
#include "drivers/ps2/scan_decoder.h"

namespace cairn::drivers {
namespace {

/// What a program in raw mode gets leads back to the key.
TEST(ScanCodes, RoundTrip) {
    u32 with_codes = 0;
    for (u16 key = 1; key < 256; ++key) {
        for (const ScanDirection direction : {ScanDirection::Make, ScanDirection::Break}) {
            u8 bytes[6];
            const usize size = scan_codes_of_key(key, direction, bytes);
            ScanDecoder decoder;
            std::optional<ScanDecoder::Stroke> stroke;
            for (usize i = 0; i < size; ++i) {
                stroke = decoder.take(bytes[i]);
            }
            if (size == 0) {
                continue;
            }
            ++with_codes;
            ASSERT_TRUE(stroke) << key;
            EXPECT_EQ(stroke->key, key);
            EXPECT_EQ(stroke->down, direction == ScanDirection::Make) << key;
        }
    }
    EXPECT_GT(with_codes, 250u);
}

TEST(Utf8, RoundTrip) {
    for (u32 character : {0x41u, 0xe4u, 0x7ffu, 0x800u, 0x20acu, 0xffffu, 0x10000u, 0x10ffffu}) {
        const Utf8 text = to_utf8(character);
        std::u8string_view view(reinterpret_cast<const char8_t*>(text.bytes), text.size);
        EXPECT_EQ(take_utf8(view), character);
        EXPECT_TRUE(view.empty());
    }
    EXPECT_EQ(to_utf8(0xd800).size, 0);
    EXPECT_EQ(to_utf8(0x110000).size, 0);
}

}  // namespace
}  // namespace cairn::drivers
