#pragma once
/// Scan codes of set 1, which the keyboard controller of a PC makes of what keyboards send, and which programs get that
/// ask for raw keys (K_RAW).

#include <span>

#include "kernel/base/result.h"

namespace cairn::drivers {

enum class ScanDirection : u8 { Make, Break };

/// The key of a scan code below 0x80, and of one with the prefix E0; 0: none.
u16 key_of_scan_code(u8 code);
u16 key_of_extended_scan_code(u8 code);

/// What a keyboard sends for the key; returns how many bytes, 0 for a key that has no scan code.
usize scan_codes_of_key(u16 key, ScanDirection direction, std::span<u8, 6> to);

}  // namespace cairn::drivers
