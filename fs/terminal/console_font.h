#pragma once
/// ConsoleFont: the screen's font as programs change it (setfont(8), KDFONTOP and the ioctls of the Unicode map). One
/// for all terminals; the built-in one until a program loads another.
///
/// Lock: `mutex_` (rank ConsoleFont) around a change as a whole. The Display keeps the screen from being drawn while
/// its font is exchanged.

#include "drivers/display/font.h"
#include "fs/terminal/display.h"
#include "kernel/sync/mutex.h"

namespace cairn::fs::terminal {

class VirtualTerminals;

class ConsoleFont {
public:
    explicit ConsoleFont(Display& display) : display_(display) {}

    /// KDFONTOP, struct console_font_op at `argument`. ENOSYS (the screen has a font of its own), EINVAL, ENOSPC,
    /// EFAULT, ENOMEM.
    Result<u64> operate(u64 argument, VirtualTerminals& terminals);
    /// GIO_UNIMAP, struct unimapdesc. ENOMEM: more entries than there is room for, as Linux says it.
    Result<u64> get_map(u64 argument);
    /// PIO_UNIMAP adds to the map, or replaces it after PIO_UNIMAPCLR.
    Result<u64> set_map(u64 argument);
    void clear_map();

private:
    struct Loaded {
        OwnArray<u8> glyphs;
        OwnArray<drivers::Font::Mapping> map;
        u32 width;
        u32 height;
        drivers::Font font;

        Loaded(OwnArray<u8> glyphs_, OwnArray<drivers::Font::Mapping> map_, u32 width_, u32 height_)
            : glyphs(std::move(glyphs_)),
              map(std::move(map_)),
              width(width_),
              height(height_),
              font(width, height, glyphs.span(), map.span()) {}
    };
    struct Operation;

    const drivers::Font& current() const REQUIRES(mutex_) { return loaded_ ? loaded_->font : drivers::kBuiltInFont; }
    Result<void> load(const Operation& operation, VirtualTerminals& terminals) REQUIRES(mutex_);
    Result<void> store(Operation& operation) REQUIRES(mutex_);
    /// Null: the built-in one.
    Result<void> use(Own<Loaded> font, VirtualTerminals* terminals) REQUIRES(mutex_);

    Display& display_;
    sync::Mutex<LockRank::ConsoleFont> mutex_;
    Own<Loaded> loaded_ GUARDED_BY(mutex_);
    bool map_is_cleared_ GUARDED_BY(mutex_) = false;
};

}  // namespace cairn::fs::terminal
