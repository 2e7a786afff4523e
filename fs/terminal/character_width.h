#pragma once
/// How many columns a character takes, as wcwidth(3) has it, in ranges that are right for what programs show. No locks.

#include "kernel/base/types.h"

namespace cairn::fs::terminal {

/// 0 (it changes the character before it, or is not seen), 1 or 2.
u32 character_width(u32 code);

}  // namespace cairn::fs::terminal
