#pragma once
/// Screen: a device that shows a grid of cells. A framebuffer (framebuffer_screen.h) or VGA's text mode
/// (vga_text_screen.h).
///
/// No locks: one caller at a time, who knows what is shown already; in a panic a call may come while an earlier one
/// is unfinished. Nothing here sleeps, allocates or logs, and the device is never read.

#include <span>

#include "drivers/display/cell.h"
#include "drivers/display/font.h"

namespace cairn::drivers {

class Screen {
public:
    /// A cell with this code is passed over by draw().
    static constexpr u32 kUnchanged = ~u32{0};

    u32 columns() const { return columns_; }
    u32 rows() const { return rows_; }

    /// Draws cells from (row, column) on; they end at or before the end of the row.
    virtual void draw(u32 row, u32 column, std::span<const Cell> cells, const Palette& palette, CursorShape cursor) = 0;
    /// Everything beyond and between cells: black.
    virtual void clear() = 0;

    /// The font, if it can be changed; null where the device has its own.
    virtual const Font* font() const { return nullptr; }
    /// Changes the size of the grid. False: it cannot, or the font is too large. `font` lives until the next call.
    virtual bool set_font(const Font&) { return false; }

protected:
    ~Screen() = default;
    u32 columns_ = 0;
    u32 rows_ = 0;
};

}  // namespace cairn::drivers
