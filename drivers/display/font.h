#pragma once
/// Font: glyphs of a fixed size and which character each is for. kBuiltInFont is made from a font of a Debian package
/// when the kernel is built (make_font.py).

#include <span>

#include "kernel/base/types.h"

namespace cairn::drivers {

class Font {
public:
    /// Sorted by code.
    struct Mapping {
        u16 code;
        u16 glyph;
    };
    static constexpr u32 kWidest = 32, kTallest = 64;

    /// `glyphs`: each of `height` rows of (width + 7) / 8 bytes, the leftmost pixel in the highest bit.
    constexpr Font(u32 width, u32 height, std::span<const u8> glyphs, std::span<const Mapping> map)
        : width_(width), height_(height), glyphs_(glyphs), map_(map) {}

    u32 width() const { return width_; }
    u32 height() const { return height_; }
    u32 row_bytes() const { return (width_ + 7) / 8; }
    u32 count() const { return static_cast<u32>(glyphs_.size() / (row_bytes() * height_)); }
    std::span<const Mapping> map() const { return map_; }
    std::span<const u8> glyphs() const { return glyphs_; }

    /// The rows of a character's glyph; of the replacement character's, or a question mark's, if it has none.
    const u8* glyph(u32 code) const;
    bool has(u32 code) const { return find(code) != kNone; }

private:
    static constexpr u32 kNone = ~u32{0};
    u32 find(u32 code) const;

    u32 width_;
    u32 height_;
    std::span<const u8> glyphs_;
    std::span<const Mapping> map_;
};

extern const Font kBuiltInFont;

}  // namespace cairn::drivers
