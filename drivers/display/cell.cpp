#include "drivers/display/cell.h"

#include <utility>

namespace cairn::drivers {

namespace {

constexpr u32 kBright = 8;

Rgb resolve(Colour colour, Colour usual, const Palette& palette) {
    colour = colour == kDefaultColour ? usual : colour;
    if ((colour & kRgb) != 0) {
        return colour & 0xffffff;
    }
    return colour < 16 ? palette.colours[colour] : extended_colour(colour & 0xff);
}

Rgb halve(Rgb colour) {
    return (colour >> 1) & 0x7f7f7f;
}

}  // namespace

Inks inks_of(const Cell& cell, const Palette& palette) {
    Colour fore = cell.fore == kDefaultColour ? palette.fore : cell.fore;
    if ((cell.code & look::kBold) != 0 && fore < kBright) {
        fore += kBright;  // as on VGA
    }
    Inks inks{resolve(fore, palette.fore, palette), resolve(cell.back, palette.back, palette)};
    if ((cell.code & look::kDim) != 0) {
        inks.fore = halve(inks.fore);
    }
    if (((cell.code & look::kReverse) != 0) != palette.reversed) {
        std::swap(inks.fore, inks.back);
    }
    if ((cell.code & look::kConcealed) != 0) {
        inks.fore = inks.back;
    }
    return inks;
}

u8 nearest_colour(Rgb colour) {
    u32 best = ~u32{0};
    u8 nearest = 0;
    for (u8 i = 0; i < 16; ++i) {
        u32 distance = 0;
        for (u32 shift = 0; shift < 24; shift += 8) {
            i32 difference = static_cast<i32>((colour >> shift) & 0xff) -
                             static_cast<i32>((kUsualPalette.colours[i] >> shift) & 0xff);
            distance += static_cast<u32>(difference * difference);
        }
        if (distance < best) {
            best = distance;
            nearest = i;
        }
    }
    return nearest;
}

}  // namespace cairn::drivers
