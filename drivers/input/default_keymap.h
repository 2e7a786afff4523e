#pragma once
/// The keymap that is there before loadkeys(1); the data of default_keymap.cpp.

#include <span>
#include <string_view>

#include "kernel/base/types.h"

namespace cairn::drivers {

/// What a default map says of; all further keys give nothing.
constexpr u32 kDefaultKeys = 128;

/// A map for one combination of modifiers: entries as the kernel keeps them, keysym XOR 0xf000.
struct DefaultMap {
    u8 table;
    const u16* entries;
};

std::span<const DefaultMap> default_maps();
/// What function keys give, by their number; may be empty.
std::span<const std::string_view> default_functions();
/// Threes of characters in UTF-8: accent, base, result.
std::u8string_view default_accents();

}  // namespace cairn::drivers
