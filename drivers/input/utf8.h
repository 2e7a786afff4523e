#pragma once
/// UTF-8 for what keys give.

#include <string_view>

#include "kernel/base/types.h"

namespace cairn::drivers {

/// Takes the first character of a text that is well-formed and not empty.
constexpr u32 take_utf8(std::u8string_view& text) {
    const u8 first = text[0];
    const usize size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    u32 character = size == 1 ? first : first & (0x7fu >> size);
    for (usize i = 1; i < size; ++i) {
        character = character << 6 | (text[i] & 0x3fu);
    }
    text.remove_prefix(size);
    return character;
}

struct Utf8 {
    u8 bytes[4] = {};
    u8 size = 0;
};

/// Size 0: no character of Unicode.
constexpr Utf8 to_utf8(u32 character) {
    Utf8 text;
    if (character < 0x80) {
        text.bytes[text.size++] = static_cast<u8>(character);
        return text;
    }
    if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) {
        return text;
    }
    const u32 size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    const u32 mark = 0xffu << (8 - size) & 0xff;  // as many ones as bytes, then a zero
    text.bytes[text.size++] = static_cast<u8>(mark | character >> (6 * (size - 1)));
    for (u32 i = size - 1; i > 0; --i) {
        text.bytes[text.size++] = static_cast<u8>(0x80 | (character >> (6 * (i - 1)) & 0x3f));
    }
    return text;
}
static_assert(to_utf8(0xe4).bytes[0] == 0xc3 && to_utf8(0xe4).bytes[1] == 0xa4 && to_utf8(0xe4).size == 2);
static_assert(to_utf8(0x20ac).bytes[0] == 0xe2 && to_utf8(0x20ac).size == 3);
static_assert(to_utf8(0x1f600).bytes[0] == 0xf0 && to_utf8(0x1f600).size == 4);

}  // namespace cairn::drivers
