#pragma once
/// Deliberate bugs, to look at the panic screen (boot option crash=NAME).

#include "kernel/boot/options.h"

namespace cairn {

/// Does what the option names; returns only for Crash::None.
void crash_deliberately(boot::Crash kind);

}  // namespace cairn
