/// Cells on framebuffers in memory: pixels where they belong, and nothing written beyond.

#include "drivers/display/framebuffer_screen.h"

#include <gtest/gtest.h>

#include <vector>

#include "drivers/display/code_page.h"

namespace cairn::drivers {
namespace {

struct Format {
    u8 depth;
    boot::Framebuffer::Channel red, green, blue;
};
const Format kFormats[] = {
    {15, {10, 5}, {5, 5}, {0, 5}},     {16, {11, 5}, {5, 6}, {0, 5}}, {24, {16, 8}, {8, 8}, {0, 8}},
    {24, {0, 8}, {8, 8}, {16, 8}},     {32, {16, 8}, {8, 8}, {0, 8}}, {32, {8, 8}, {16, 8}, {24, 8}},
    {32, {20, 10}, {10, 10}, {0, 10}},
};

struct Memory {
    static constexpr u8 kUntouched = 0xa5;
    Memory(const Format& format, u32 width, u32 height, u32 extra) {
        description.format = boot::Framebuffer::Format::DirectColor;
        description.width = width;
        description.height = height;
        description.bits_per_pixel = format.depth;
        bytes_per_pixel = (format.depth + 7u) / 8;
        description.pitch = width * bytes_per_pixel + extra;
        description.red = format.red;
        description.green = format.green;
        description.blue = format.blue;
        bytes.assign(usize{description.pitch} * height + 64, kUntouched);
    }
    u32 pixel(u32 x, u32 y) const {
        u32 value = 0;
        for (u32 i = 0; i < bytes_per_pixel; ++i) {
            value |= u32{bytes[usize{y} * description.pitch + x * bytes_per_pixel + i]} << (8 * i);
        }
        return value;
    }
    bool margins_untouched() const {
        for (u32 y = 0; y < description.height; ++y) {
            for (u32 x = description.width * bytes_per_pixel; x < description.pitch; ++x) {
                if (bytes[usize{y} * description.pitch + x] != kUntouched) {
                    return false;
                }
            }
        }
        for (usize i = usize{description.pitch} * description.height; i < bytes.size(); ++i) {
            if (bytes[i] != kUntouched) {
                return false;
            }
        }
        return true;
    }
    boot::Framebuffer description;
    u32 bytes_per_pixel = 0;
    std::vector<u8> bytes;
};

u32 expected(u32 value, const boot::Framebuffer::Channel& channel) {
    return (channel.size >= 8 ? value << (channel.size - 8) : value >> (8 - channel.size)) << channel.position;
}

TEST(FramebufferScreenTest, DrawsGlyphsInEveryFormat) {
    for (const Format& format : kFormats) {
        SCOPED_TRACE(int{format.depth});
        Memory memory(format, 165, 83, 7);
        ASSERT_TRUE(FramebufferScreen::supports(memory.description));
        FramebufferScreen screen(memory.description, memory.bytes.data(), kBuiltInFont);
        EXPECT_EQ(screen.columns(), 20u);
        EXPECT_EQ(screen.rows(), 5u);
        screen.clear();
        const Cell cell{'A', kRgb | 0xff8000, kRgb | 0x0040c0};
        screen.draw(4, 19, {&cell, 1}, kUsualPalette, CursorShape::Hidden);
        auto colour = [&](Rgb rgb) {
            return expected(rgb >> 16 & 0xff, format.red) | expected(rgb >> 8 & 0xff, format.green) |
                   expected(rgb & 0xff, format.blue);
        };
        const u8* glyph = kBuiltInFont.glyph('A');
        for (u32 y = 0; y < 16; ++y) {
            for (u32 x = 0; x < 8; ++x) {
                const bool set = (glyph[y] >> (7 - x) & 1) != 0;
                ASSERT_EQ(memory.pixel(19 * 8 + x, 4 * 16 + y), colour(set ? 0xff8000 : 0x0040c0)) << x << ' ' << y;
            }
        }
        EXPECT_EQ(memory.pixel(0, 0), 0u);
        EXPECT_TRUE(memory.margins_untouched());
    }
}

TEST(FramebufferScreenTest, StaysInside) {
    Memory memory(kFormats[4], 100, 70, 0);
    FramebufferScreen screen(memory.description, memory.bytes.data(), kBuiltInFont);
    std::vector<Cell> cells(50, Cell{'x', 7, 0});
    screen.draw(3, 10, cells, kUsualPalette, CursorShape::Block);
    screen.draw(4, 0, cells, kUsualPalette, CursorShape::Block);
    screen.draw(0, 12, cells, kUsualPalette, CursorShape::Block);
    EXPECT_TRUE(memory.margins_untouched());
    EXPECT_EQ(memory.pixel(99, 69), 0xa5a5a5a5u);
}

TEST(FramebufferScreenTest, DoublesOnLargeScreens) {
    Memory memory(kFormats[4], 2560, 64, 0);
    FramebufferScreen screen(memory.description, memory.bytes.data(), kBuiltInFont);
    EXPECT_EQ(screen.columns(), 160u);
    EXPECT_EQ(screen.rows(), 2u);
    const Cell cell{0x2588, 7, 0};
    screen.draw(1, 159, {&cell, 1}, kUsualPalette, CursorShape::Hidden);
    EXPECT_EQ(memory.pixel(2559, 63), 0xaaaaaau);
    EXPECT_EQ(memory.pixel(2543, 63), 0xa5a5a5a5u);
    EXPECT_TRUE(memory.margins_untouched());
}

TEST(FramebufferScreenTest, PassesOverWhatIsThere) {
    Memory memory(kFormats[4], 80, 64, 0);
    FramebufferScreen screen(memory.description, memory.bytes.data(), kBuiltInFont);
    const Cell cells[] = {{'a', 7, 0}, {Screen::kUnchanged, 0, 0}, {'b', 7, 0}};
    screen.draw(0, 0, cells, kUsualPalette, CursorShape::Hidden);
    EXPECT_EQ(memory.pixel(8, 0), 0xa5a5a5a5u);
    EXPECT_EQ(memory.pixel(16, 0), 0u);
}

TEST(FramebufferScreenTest, RefusesWhatItCannotDraw) {
    Memory memory(kFormats[4], 100, 100, 0);
    boot::Framebuffer bad = memory.description;
    bad.bits_per_pixel = 8;
    EXPECT_FALSE(FramebufferScreen::supports(bad));
    bad = memory.description;
    bad.format = boot::Framebuffer::Format::Indexed;
    EXPECT_FALSE(FramebufferScreen::supports(bad));
    bad = memory.description;
    bad.red.size = 0;
    EXPECT_FALSE(FramebufferScreen::supports(bad));
    bad = memory.description;
    bad.pitch = 399;
    EXPECT_FALSE(FramebufferScreen::supports(bad));
}

TEST(FontTest, HasWhatProgramsDrawWith) {
    for (u32 code : {0x20u, 0x7eu, 0xe4u, 0x2500u, 0x2502u, 0x250cu, 0x2518u, 0x253cu, 0x2588u, 0x2580u, 0x2592u,
                     0x2593u, 0x2018u, 0x2026u, 0x20acu, 0xfffdu}) {
        EXPECT_TRUE(kBuiltInFont.has(code)) << std::hex << code;
    }
    EXPECT_FALSE(kBuiltInFont.has(0x65e5));
    EXPECT_EQ(kBuiltInFont.glyph(0x65e5), kBuiltInFont.glyph(0xfffd));
    EXPECT_EQ(kBuiltInFont.height(), 16u);
}

TEST(CodePageTest, IsItsOwnInverse) {
    for (u32 character = 0x20; character < 0x100; ++character) {
        EXPECT_EQ(code_page_of(code_page_character(static_cast<u8>(character))), character) << character;
    }
    EXPECT_EQ(code_page_of(0x2500), 0xc4);
    EXPECT_EQ(code_page_of(0x65e5), '?');
}

TEST(InksTest, AppliesLooks) {
    EXPECT_EQ(inks_of({'x', 1, 2}, kUsualPalette).fore, 0xaa0000u);
    EXPECT_EQ(inks_of({'x' | look::kBold, 1, 2}, kUsualPalette).fore, 0xff5555u);
    EXPECT_EQ(inks_of({'x' | look::kReverse, 1, 2}, kUsualPalette).back, 0xaa0000u);
    EXPECT_EQ(inks_of({'x' | look::kConcealed, 1, 2}, kUsualPalette).fore, 0x00aa00u);
    EXPECT_EQ(inks_of({'x', kDefaultColour, kDefaultColour}, kUsualPalette).fore, 0xaaaaaau);
    EXPECT_EQ(inks_of({'x', 16, 231}, kUsualPalette).fore, 0u);
    EXPECT_EQ(inks_of({'x', 16, 231}, kUsualPalette).back, 0xffffffu);
    EXPECT_EQ(inks_of({'x', 255, 0}, kUsualPalette).fore, 0xeeeeeeu);
    Palette reversed = kUsualPalette;
    reversed.reversed = true;
    EXPECT_EQ(inks_of({'x', 1, 2}, reversed).back, 0xaa0000u);
    EXPECT_EQ(nearest_colour(0xff5555), 9);
    EXPECT_EQ(nearest_colour(0x000010), 0);
}

}  // namespace
}  // namespace cairn::drivers
