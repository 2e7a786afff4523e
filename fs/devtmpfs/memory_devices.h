#pragma once
/// The devices of major 1 (mem(4), null(4), zero(4), random(4)): null, zero, full, random, urandom, kmsg.

#include "kernel/base/result.h"

namespace cairn::fs::devtmpfs {

/// Enters them in the registry. Start-up. ENOMEM.
Result<void> register_memory_devices();

}  // namespace cairn::fs::devtmpfs
