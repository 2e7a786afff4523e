#pragma once
/// FramebufferScreen: cells on a linear framebuffer of 15, 16, 24 or 32 bits a pixel, drawn glyph by glyph with writes
/// only. On large screens each pixel of the font is a square of several.

#include "drivers/display/screen.h"
#include "kernel/boot/information.h"

namespace cairn::drivers {

class FramebufferScreen final : public Screen {
public:
    /// From so many pixels a line on the font is drawn twice as large.
    static constexpr u32 kDoubledFrom = 2560;

    /// Whether the format is one that this class can draw.
    static bool supports(const boot::Framebuffer& description);
    /// `memory`: pitch × height bytes, valid for as long as the object is.
    FramebufferScreen(const boot::Framebuffer& description, void* memory, const Font& font);

    void draw(u32 row, u32 column, std::span<const Cell> cells, const Palette& palette, CursorShape cursor) override;
    void clear() override;
    const Font* font() const override { return font_; }
    bool set_font(const Font& font) override;

private:
    u32 pixel(Rgb colour) const;
    /// The rows of a cell's glyph with its looks: bit 31 is the leftmost pixel.
    void compose(const Cell& cell, CursorShape cursor, u32 (&lines)[Font::kTallest]) const;
    template <typename Pixels>
    void draw_cell(u8* to, const u32 (&lines)[Font::kTallest], u32 fore, u32 back) const;
    void draw_lines(u8* to, const u32 (&lines)[Font::kTallest], u32 fore, u32 back) const;

    boot::Framebuffer description_;
    u8* memory_;
    const Font* font_;
    u32 bytes_;  // of a pixel
    u32 scale_;
};

}  // namespace cairn::drivers
