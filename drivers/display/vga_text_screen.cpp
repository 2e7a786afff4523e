#include "drivers/display/vga_text_screen.h"

#include <algorithm>

#include "arch/arch.h"
#include "drivers/display/code_page.h"

namespace cairn::drivers {

namespace {

// IBM VGA XGA Technical Reference, 2-43 (CRT controller) and 2-61 (attribute controller).
constexpr u16 kCrtcIndex = 0x3d4, kCrtcData = 0x3d5, kInputStatus = 0x3da;
constexpr u16 kAttributeIndex = 0x3c0, kAttributeRead = 0x3c1;
constexpr u8 kCursorStart = 0x0a, kCursorEnd = 0x0b, kCursorHigh = 0x0e, kCursorLow = 0x0f;
constexpr u8 kModeControl = 0x10, kKeepScreenOn = 0x20, kBlinkEnabled = 0x08;
constexpr u8 kCursorOff = 0x20;
constexpr u16 kBlank = 0x0720;

/// Bit 0 of VGA's colours is blue, and bit 2 red.
u32 vga_colour(Rgb colour) {
    const u32 number = nearest_colour(colour);
    return (number & 0xa) | (number & 1) << 2 | (number >> 2 & 1);
}

void write_crtc(u8 index, u32 value) {
    arch::io_write8(kCrtcIndex, index);
    arch::io_write8(kCrtcData, static_cast<u8>(value));
}

/// Bit 7 of an attribute means a bright background then, not that it blinks.
void turn_blinking_off() {
    static_cast<void>(arch::io_read8(kInputStatus));
    arch::io_write8(kAttributeIndex, kModeControl | kKeepScreenOn);
    u8 mode = arch::io_read8(kAttributeRead);
    static_cast<void>(arch::io_read8(kInputStatus));
    arch::io_write8(kAttributeIndex, kModeControl | kKeepScreenOn);
    arch::io_write8(kAttributeIndex, static_cast<u8>(mode & ~kBlinkEnabled));
}

}  // namespace

bool VgaTextScreen::is_there(void* memory) {
    volatile u16* words = static_cast<volatile u16*>(memory);
    const u16 before = words[0];
    bool there = true;
    for (u16 pattern : {u16{0xaa55}, u16{0x55aa}}) {
        words[0] = pattern;
        words[1] = static_cast<u16>(~pattern);  // so that the bus does not merely remember
        there = there && words[0] == pattern;
    }
    words[0] = before;
    return there;
}

VgaTextScreen::VgaTextScreen(void* memory, u32 columns, u32 rows) : memory_(static_cast<volatile u16*>(memory)) {
    columns_ = columns;
    rows_ = rows;
    turn_blinking_off();
    write_crtc(kCursorStart, kCursorOff);
}

void VgaTextScreen::draw(u32 row, u32 column, std::span<const Cell> cells, const Palette& palette, CursorShape cursor) {
    if (row >= rows_ || column >= columns_) {
        return;
    }
    u32 at = row * columns_ + column;
    for (const Cell& cell : cells.first(std::min<usize>(cells.size(), columns_ - column))) {
        if (cell.code != kUnchanged) {
            const Inks inks = inks_of(cell, palette);
            const u8 character = code_page_of(cell.character());
            const u32 colours = vga_colour(inks.back) << 4 | vga_colour(inks.fore);
            memory_[at] = static_cast<u16>(character | colours << 8);
            if ((cell.code & look::kCursor) != 0) {
                constexpr u32 kLastLine = 15;
                const u32 filled = std::min(static_cast<u32>(cursor), kLastLine + 1);
                write_crtc(kCursorStart, filled == 0 ? kCursorOff : kLastLine + 1 - filled);
                write_crtc(kCursorEnd, kLastLine);
                write_crtc(kCursorHigh, at >> 8);
                write_crtc(kCursorLow, at);
                cursor_at_ = at;
            } else if (at == cursor_at_) {
                write_crtc(kCursorStart, kCursorOff);
                cursor_at_ = ~u32{0};
            }
        }
        ++at;
    }
}

void VgaTextScreen::clear() {
    for (u32 i = 0; i < columns_ * rows_; ++i) {
        memory_[i] = kBlank;
    }
}

}  // namespace cairn::drivers
