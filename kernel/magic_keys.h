#pragma once
/// What Magic SysRq does with processes and filesystems; the commands are drivers/input/magic_keys.h's.

#include "kernel/base/result.h"

namespace cairn {

/// Start-up, before keyboards. ENOMEM.
Result<void> install_magic_keys();

}  // namespace cairn
