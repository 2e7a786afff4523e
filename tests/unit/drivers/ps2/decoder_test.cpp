#include <gtest/gtest.h>

#include "drivers/input/input_codes.h"
#include "drivers/ps2/mouse_decoder.h"
#include "drivers/ps2/scan_decoder.h"

namespace cairn::drivers {
namespace {

using Strokes = std::vector<std::pair<u16, bool>>;

Strokes feed(ScanDecoder& decoder, std::initializer_list<u8> bytes) {
    Strokes strokes;
    for (u8 byte : bytes) {
        if (const auto stroke = decoder.take(byte)) {
            strokes.emplace_back(stroke->key, stroke->down);
        }
    }
    return strokes;
}

TEST(ScanDecoder, PlainExtendedAndPause) {
    ScanDecoder decoder;
    EXPECT_EQ(feed(decoder, {0x1e, 0x9e}), (Strokes{{30, true}, {30, false}}));
    EXPECT_EQ(feed(decoder, {0xe0, 0x1d, 0xe0, 0x9d}), (Strokes{{key::kRightCtrl, true}, {key::kRightCtrl, false}}));
    // Shift that keyboards pretend around the cursor keys.
    EXPECT_EQ(feed(decoder, {0xe0, 0x2a, 0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0xaa}), (Strokes{{103, true}, {103, false}}));
    EXPECT_EQ(feed(decoder, {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5}),
              (Strokes{{key::kPause, true}, {key::kPause, false}}));
    EXPECT_EQ(feed(decoder, {0x54}), (Strokes{{key::kSystemRequest, true}}));
}

TEST(ScanDecoder, LetGoOfShiftIsNoReset) {
    ScanDecoder decoder;
    EXPECT_TRUE(decoder.reset_code_is_expected());
    feed(decoder, {0x2a});
    EXPECT_FALSE(decoder.reset_code_is_expected());
    EXPECT_EQ(feed(decoder, {0xaa}), (Strokes{{key::kLeftShift, false}}));
    feed(decoder, {0xe0});
    EXPECT_FALSE(decoder.reset_code_is_expected());
}

TEST(ScanDecoder, KeysCanBeChanged) {
    ScanDecoder decoder;
    EXPECT_EQ(decoder.key_of(0x9d).value(), key::kRightCtrl);
    EXPECT_TRUE(decoder.set_key(0x1e, 48).ok());
    EXPECT_EQ(feed(decoder, {0x1e}), (Strokes{{48, true}}));
    EXPECT_EQ(decoder.key_of(0x100).error(), Errno::einval);
    EXPECT_EQ(decoder.set_key(0, key::kCodes).error(), Errno::einval);
}

std::vector<MouseMovement> feed(MouseDecoder& decoder, std::initializer_list<u8> bytes) {
    std::vector<MouseMovement> movements;
    for (u8 byte : bytes) {
        MouseMovement movement;
        if (decoder.take(byte, movement) == MouseDecoder::Event::Moved) {
            movements.push_back(movement);
        }
    }
    return movements;
}

TEST(MouseDecoder, SignsAndButtons) {
    MouseDecoder decoder;
    const auto moved = feed(decoder, {0x08 | 1 | 0x10 | 0x20, 0xff, 0xfe});
    ASSERT_EQ(moved.size(), 1u);
    EXPECT_EQ(moved[0].right, -1);
    EXPECT_EQ(moved[0].down, 2);
    EXPECT_EQ(moved[0].buttons, 1);
}

TEST(MouseDecoder, WheelsAndResynchronisation) {
    MouseDecoder decoder;
    decoder.set_protocol(MouseProtocol::Wheel);
    auto moved = feed(decoder, {0x00, 0x08, 5, 0, 0xff});  // the first byte begins no packet
    ASSERT_EQ(moved.size(), 1u);
    EXPECT_EQ(moved[0].wheel, 1);
    decoder.set_protocol(MouseProtocol::Explorer);
    moved = feed(decoder, {0x08, 0, 0, 0x1f, 0x08, 0, 0, 0x22, 0x08, 0, 0, 0x01});
    ASSERT_EQ(moved.size(), 3u);
    EXPECT_EQ(moved[0].wheel, 1);
    EXPECT_EQ(moved[0].buttons, 8);
    EXPECT_EQ(moved[1].side_wheel, 1);
    EXPECT_EQ(moved[1].buttons, 16);
    EXPECT_EQ(moved[2].wheel, -1);
}

TEST(MouseDecoder, PluggedIn) {
    MouseDecoder decoder;
    MouseMovement movement;
    EXPECT_EQ(decoder.take(0xaa, movement), MouseDecoder::Event::None);
    EXPECT_EQ(decoder.take(0x00, movement), MouseDecoder::Event::PluggedIn);
}

}  // namespace
}  // namespace cairn::drivers
