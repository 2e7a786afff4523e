#pragma once
/// VgaTextScreen: VGA's text mode (80×25 in mode 3): characters and colours of a byte each at physical 0xb8000. The
/// font is the firmware's, code page 437; colours are the nearest of 16.

#include "drivers/display/screen.h"

namespace cairn::drivers {

class VgaTextScreen final : public Screen {
public:
    static constexpr u64 kAddress = 0xb8000;
    static constexpr u32 kColumns = 80, kRows = 25;

    /// Whether there is memory behind `memory` (kColumns × kRows × 2 bytes): writes a word and reads it back.
    static bool is_there(void* memory);
    VgaTextScreen(void* memory, u32 columns, u32 rows);

    void draw(u32 row, u32 column, std::span<const Cell> cells, const Palette& palette, CursorShape cursor) override;
    void clear() override;

private:
    volatile u16* memory_;
    u32 cursor_at_ = ~u32{0};
};

}  // namespace cairn::drivers
