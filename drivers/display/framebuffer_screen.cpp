#include "drivers/display/framebuffer_screen.h"

#include <algorithm>
#include <cstring>

namespace cairn::drivers {

namespace {

using boot::Framebuffer;

/// Pixels of 16 bits, written in pairs.
struct Pixels16 {
    static constexpr u32 kBytes = 2;
    static void write(u8* to, u32 pixel) {
        u16 value = static_cast<u16>(pixel);
        std::memcpy(to, &value, sizeof value);
    }
};
struct Pixels24 {
    static constexpr u32 kBytes = 3;
    static void write(u8* to, u32 pixel) {
        to[0] = static_cast<u8>(pixel);
        to[1] = static_cast<u8>(pixel >> 8);
        to[2] = static_cast<u8>(pixel >> 16);
    }
};
struct Pixels32 {
    static constexpr u32 kBytes = 4;
    static void write(u8* to, u32 pixel) { std::memcpy(to, &pixel, sizeof pixel); }
};

u32 channel_bits(u32 value, const Framebuffer::Channel& channel) {
    // The value has 8 bits; a channel of more gets the highest ones.
    u32 bits = channel.size >= 8 ? value << (channel.size - 8) : value >> (8 - channel.size);
    return bits << channel.position;
}

}  // namespace

bool FramebufferScreen::supports(const Framebuffer& description) {
    constexpr u32 kLeastWidth = 64, kLeastHeight = 64;
    auto usable = [&](const Framebuffer::Channel& channel) {
        return channel.size >= 1 && channel.size <= 16 && channel.position + channel.size <= 32;
    };
    u32 depth = description.bits_per_pixel;
    return description.format == Framebuffer::Format::DirectColor && depth >= 15 && depth <= 32 &&
           usable(description.red) && usable(description.green) && usable(description.blue) &&
           description.width >= kLeastWidth && description.height >= kLeastHeight &&
           u64{description.width} * ((depth + 7) / 8) <= description.pitch;
}

FramebufferScreen::FramebufferScreen(const Framebuffer& description, void* memory, const Font& font)
    : description_(description),
      memory_(static_cast<u8*>(memory)),
      font_(&font),
      bytes_((description.bits_per_pixel + 7u) / 8),
      scale_(1) {
    static_cast<void>(set_font(font));
}

bool FramebufferScreen::set_font(const Font& font) {
    // A font that is large already is not enlarged.
    u32 scale = description_.width >= kDoubledFrom && font.width() <= 8 ? description_.width / (kDoubledFrom / 2) : 1;
    u32 columns = description_.width / (font.width() * scale);
    u32 rows = description_.height / (font.height() * scale);
    if (columns == 0 || rows == 0 || font.width() > Font::kWidest || font.height() > Font::kTallest) {
        return false;
    }
    font_ = &font;
    scale_ = scale;
    columns_ = columns;
    rows_ = rows;
    return true;
}

u32 FramebufferScreen::pixel(Rgb colour) const {
    return channel_bits(colour >> 16 & 0xff, description_.red) | channel_bits(colour >> 8 & 0xff, description_.green) |
           channel_bits(colour & 0xff, description_.blue);
}

void FramebufferScreen::clear() {
    for (u32 line = 0; line < description_.height; ++line) {
        std::memset(memory_ + u64{line} * description_.pitch, 0, usize{description_.width} * bytes_);
    }
}

void FramebufferScreen::compose(const Cell& cell, CursorShape cursor, u32 (&lines)[Font::kTallest]) const {
    const u32 height = font_->height();
    const u32 width = font_->width();
    const u32 row_bytes = font_->row_bytes();
    const u8* glyph = font_->glyph((cell.code & (look::kWide | look::kWideTail)) != 0 ? 0xfffd : cell.character());
    const u32 full = ~u32{0} << (32 - width);
    for (u32 y = 0; y < height; ++y) {
        u32 line = 0;
        for (u32 i = 0; i < row_bytes; ++i) {
            line |= u32{glyph[y * row_bytes + i]} << (24 - 8 * i);
        }
        if ((cell.code & look::kItalic) != 0 && y < height / 2) {
            line >>= 1;
        }
        lines[y] = line & full;
    }
    if ((cell.code & look::kUnderline) != 0) {
        lines[height - 2] = full;
    }
    if ((cell.code & look::kStrike) != 0) {
        lines[height / 2] = full;
    }
    if ((cell.code & look::kCursor) != 0) {
        if (cursor == CursorShape::Bar) {
            const u32 bar = ~u32{0} << (32 - std::max(width / 4, 1u));
            for (u32 y = 0; y < height; ++y) {
                lines[y] |= bar;
            }
            return;
        }
        const u32 filled = (static_cast<u32>(cursor) * height + 15) / 16;
        for (u32 y = height - filled; y < height; ++y) {
            lines[y] = ~lines[y] & full;
        }
    }
}

template <typename Pixels>
void FramebufferScreen::draw_cell(u8* to, const u32 (&lines)[Font::kTallest], u32 fore, u32 back) const {
    const u32 width = font_->width();
    const u32 difference = fore ^ back;
    for (u32 y = 0; y < font_->height(); ++y) {
        for (u32 copy = 0; copy < scale_; ++copy) {
            u32 bits = lines[y];
            u8* at = to;
            for (u32 x = 0; x < width; ++x, bits <<= 1) {
                const u32 value = back ^ (difference & (0 - (bits >> 31)));
                for (u32 wide = 0; wide < scale_; ++wide, at += Pixels::kBytes) {
                    Pixels::write(at, value);
                }
            }
            to += description_.pitch;
        }
    }
}

void FramebufferScreen::draw_lines(u8* to, const u32 (&lines)[Font::kTallest], u32 fore, u32 back) const {
    switch (bytes_) {
        case 2:
            return draw_cell<Pixels16>(to, lines, fore, back);
        case 3:
            return draw_cell<Pixels24>(to, lines, fore, back);
        default:
            return draw_cell<Pixels32>(to, lines, fore, back);
    }
}

void FramebufferScreen::draw(u32 row, u32 column, std::span<const Cell> cells, const Palette& palette,
                             CursorShape cursor) {
    if (row >= rows_ || column >= columns_) {
        return;
    }
    cells = cells.first(std::min<usize>(cells.size(), columns_ - column));
    const usize step = usize{font_->width()} * scale_ * bytes_;
    u8* to = memory_ + u64{row} * font_->height() * scale_ * description_.pitch + column * step;
    u32 lines[Font::kTallest];
    for (const Cell& cell : cells) {
        if (cell.code != kUnchanged) {
            const Inks inks = inks_of(cell, palette);
            compose(cell, cursor, lines);
            draw_lines(to, lines, pixel(inks.fore), pixel(inks.back));
        }
        to += step;
    }
}

}  // namespace cairn::drivers
