#pragma once
/// Code page 437: what the characters of VGA's own font are. Also what console_codes(4) calls the null mapping.

#include "kernel/base/types.h"

namespace cairn::drivers {

/// The code point of a character of the code page.
u16 code_page_character(u8 character);
/// The character that shows a code point, or the nearest thing to it.
u8 code_page_of(u32 code);

}  // namespace cairn::drivers
