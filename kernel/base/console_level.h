#pragma once
/// Reads what set_console_level() (log.h) has set; for /proc/sys/kernel/printk.

#include "kernel/base/types.h"

namespace cairn {

u32 console_level();

}  // namespace cairn
