#include "fs/terminal/console_font.h"

#include <algorithm>
#include <cstring>

#include "fs/terminal/virtual_terminals.h"
#include "mm/user_memory.h"

namespace cairn::fs::terminal {

using drivers::Font;

namespace {

/// KD_FONT_OP_…
enum FontOperation : u32 { kSet = 0, kGet = 1, kSetDefault = 2, kSetTall = 4, kGetTall = 5 };
constexpr u32 kMostGlyphs = 512;
/// Rows that each glyph has in a program's memory, whatever its height; the tall operations have the height.
constexpr u32 kUsualRows = 32;

/// struct unimapdesc
struct UserMap {
    u16 count;
    u16 padding[3];
    u64 entries;
};

bool by_code(const Font::Mapping& a, const Font::Mapping& b) {
    return a.code < b.code;
}

}  // namespace

/// struct console_font_op
struct ConsoleFont::Operation {
    u32 operation;
    u32 flags;
    u32 width;
    u32 height;
    u32 count;
    u32 padding;
    u64 data;

    u32 rows() const { return operation == kSetTall || operation == kGetTall ? height : kUsualRows; }
    u32 row_bytes() const { return (width + 7) / 8; }
};

Result<u64> ConsoleFont::operate(u64 argument, VirtualTerminals& terminals) {
    Operation operation = TRY(mm::UserIn<Operation>(argument).fetch());
    sync::MutexGuard guard(mutex_);
    if (display_.screen().font() == nullptr) {
        return fail(Errno::enosys);
    }
    switch (operation.operation) {
        case kSet:
        case kSetTall:
            TRY(load(operation, terminals));
            return u64{0};
        case kGet:
        case kGetTall:
            TRY(store(operation));
            break;
        case kSetDefault:
            TRY(use(nullptr, &terminals));
            operation.width = current().width();
            operation.height = current().height();
            break;
        default:
            return fail(Errno::enosys);
    }
    TRY(mm::copy_out({argument}, &operation, sizeof operation));
    return u64{0};
}

Result<void> ConsoleFont::load(const Operation& operation, VirtualTerminals& terminals) {
    if (operation.data == 0 || operation.width == 0 || operation.width > Font::kWidest || operation.height == 0 ||
        operation.height > std::min(Font::kTallest, operation.rows()) || operation.count == 0 ||
        operation.count > kMostGlyphs) {
        return fail(Errno::einval);
    }
    const usize glyph_bytes = usize{operation.row_bytes()} * operation.height;
    OwnArray<u8> glyphs = TRY(OwnArray<u8>::create(glyph_bytes * operation.count));
    for (u32 i = 0; i < operation.count; ++i) {
        const u64 from = operation.data + u64{i} * operation.row_bytes() * operation.rows();
        TRY(mm::copy_in(glyphs.data() + i * glyph_bytes, {from}, glyph_bytes));
    }
    // Until the program says what the glyphs are, they are what those before were.
    std::span<const Font::Mapping> before = current().map();
    OwnArray<Font::Mapping> map = TRY(OwnArray<Font::Mapping>::create(before.size()));
    std::copy(before.begin(), before.end(), map.data());
    Own<Loaded> font = TRY(try_new<Loaded>(std::move(glyphs), std::move(map), operation.width, operation.height));
    return use(std::move(font), &terminals);
}

Result<void> ConsoleFont::store(Operation& operation) {
    const Font& font = current();
    const Operation room = operation;
    operation.width = font.width();
    operation.height = font.height();
    operation.count = font.count();
    if (room.data == 0) {
        return {};
    }
    if (room.width < font.width() || room.height < font.height() || room.count < font.count() ||
        font.height() > operation.rows()) {
        return fail(Errno::enospc);
    }
    const usize glyph_bytes = usize{font.row_bytes()} * font.height();
    const u8 blank[Font::kTallest * Font::kWidest / 8] = {};
    for (u32 i = 0; i < font.count(); ++i) {
        const u64 to = operation.data + u64{i} * operation.row_bytes() * operation.rows();
        TRY(mm::copy_out({to}, font.glyphs().data() + i * glyph_bytes, glyph_bytes));
        TRY(mm::copy_out({to + glyph_bytes}, blank, usize{operation.row_bytes()} * operation.rows() - glyph_bytes));
    }
    return {};
}

Result<void> ConsoleFont::use(Own<Loaded> font, VirtualTerminals* terminals) {
    TRY(display_.set_font(font ? font->font : drivers::kBuiltInFont));
    std::swap(loaded_, font);  // what was there before is freed when nobody draws with it any more
    if (terminals != nullptr) {
        return terminals->resize_all(display_.columns(), display_.rows());
    }
    return {};
}

Result<u64> ConsoleFont::get_map(u64 argument) {
    const UserMap room = TRY(mm::UserIn<UserMap>(argument).fetch());
    sync::MutexGuard guard(mutex_);
    std::span<const Font::Mapping> map = current().map();
    const u16 count = static_cast<u16>(map.size());
    TRY(mm::copy_out({argument}, &count, sizeof count));
    if (room.count < count) {
        return fail(Errno::enomem);
    }
    TRY(mm::copy_out({room.entries}, map.data(), map.size_bytes()));
    return u64{0};
}

Result<u64> ConsoleFont::set_map(u64 argument) {
    const UserMap wanted = TRY(mm::UserIn<UserMap>(argument).fetch());
    sync::MutexGuard guard(mutex_);
    if (!loaded_) {
        return fail(Errno::eperm);  // the built-in font's is right as it is
    }
    std::span<const Font::Mapping> before = map_is_cleared_ ? std::span<const Font::Mapping>{} : loaded_->map.span();
    OwnArray<Font::Mapping> all = TRY(OwnArray<Font::Mapping>::create(wanted.count + before.size()));
    TRY(mm::copy_in(all.data(), {wanted.entries}, wanted.count * sizeof(Font::Mapping)));
    std::copy(before.begin(), before.end(), all.data() + wanted.count);
    // Of two for one character the new one counts.
    Font::Mapping* const first = all.data();
    std::sort(first, first + wanted.count, &by_code);
    usize count = wanted.count;
    for (const Font::Mapping& old : before) {
        if (!std::binary_search(first, first + wanted.count, old, &by_code)) {
            first[count++] = old;
        }
    }
    std::sort(first, first + count, &by_code);
    OwnArray<Font::Mapping> map = TRY(OwnArray<Font::Mapping>::create(count));
    std::copy_n(first, count, map.data());
    OwnArray<u8> glyphs = TRY(OwnArray<u8>::create(loaded_->glyphs.size()));
    std::copy_n(loaded_->glyphs.data(), glyphs.size(), glyphs.data());
    map_is_cleared_ = false;
    Own<Loaded> font = TRY(try_new<Loaded>(std::move(glyphs), std::move(map), loaded_->width, loaded_->height));
    TRY(use(std::move(font), nullptr));
    return u64{0};
}

void ConsoleFont::clear_map() {
    sync::MutexGuard guard(mutex_);
    map_is_cleared_ = true;
}

}  // namespace cairn::fs::terminal
