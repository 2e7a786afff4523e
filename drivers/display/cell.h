#pragma once
/// Cell: one character on a screen, with how it looks. What terminals are made of and what screens draw.

#include "kernel/base/types.h"

namespace cairn::drivers {

/// Looks of a character, in the upper bits of Cell::code.
namespace look {
constexpr u32 kCodeMask = (1u << 21) - 1;
constexpr u32 kBold = 1u << 21;
constexpr u32 kDim = 1u << 22;
constexpr u32 kItalic = 1u << 23;
constexpr u32 kUnderline = 1u << 24;
constexpr u32 kBlink = 1u << 25;
constexpr u32 kReverse = 1u << 26;
constexpr u32 kConcealed = 1u << 27;
constexpr u32 kStrike = 1u << 28;
constexpr u32 kWide = 1u << 29;      // the left half of a character of two columns
constexpr u32 kWideTail = 1u << 30;  // its right half
constexpr u32 kCursor = 1u << 31;    // in what a screen is given only
}  // namespace look

/// An index into the palette, a colour of its own (kRgb | 0xRRGGBB), or the terminal's default.
using Colour = u32;
constexpr Colour kRgb = 1u << 24;
constexpr Colour kDefaultColour = 2u << 24;

struct Cell {
    u32 code = ' ';  // a code point, and look::…
    Colour fore = kDefaultColour;
    Colour back = kDefaultColour;

    u32 character() const { return code & look::kCodeMask; }
    bool operator==(const Cell&) const = default;
};

/// 0xRRGGBB
using Rgb = u32;

/// The 16 colours that a program may change, console_codes(4); the other 240 are xterm's and fixed.
struct Palette {
    Rgb colours[16];
    Colour fore = 7;
    Colour back = 0;
    bool reversed = false;  // DECSCNM

    bool operator==(const Palette&) const = default;
};
constexpr Palette kUsualPalette{{0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
                                 0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff}};

/// How the cursor looks: rows of a cell from the bottom that it fills, in sixteenths; 0: it is not seen.
enum class CursorShape : u8 {
    Hidden = 0,
    Underline = 2,
    LowerThird = 5,
    LowerHalf = 8,
    TwoThirds = 11,
    Block = 16,
    Bar = 17
};

/// Colours of palette entry 16 to 255: a cube of 6×6×6 and 24 greys.
constexpr Rgb extended_colour(u32 index) {
    if (index >= 232) {
        return (8 + (index - 232) * 10) * 0x010101;
    }
    auto level = [](u32 step) { return step == 0 ? 0 : 55 + step * 40; };
    index -= 16;
    return level(index / 36) << 16 | level(index / 6 % 6) << 8 | level(index % 6);
}

/// What a cell's colours are in the end: looks applied.
struct Inks {
    Rgb fore;
    Rgb back;
};
Inks inks_of(const Cell& cell, const Palette& palette);
/// The nearest of the 16 usual colours.
u8 nearest_colour(Rgb colour);

}  // namespace cairn::drivers
