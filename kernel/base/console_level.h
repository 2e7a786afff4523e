#pragma once
/// What consoles show of the log (log.h), for those few who ask.

#include "kernel/base/types.h"

namespace cairn {

/// What set_console_level() has set; for /proc/sys/kernel/printk.
u32 console_level();

/// Shows what is not shown yet, unless somebody else is at it. True: the consoles have shown all of the log. Any
/// context.
bool show_rest_of_log();

}  // namespace cairn
