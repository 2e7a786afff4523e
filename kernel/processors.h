#pragma once
/// Bringing up the CPUs that firmware left asleep.

#include "arch/platform.h"

namespace cairn {

/// Starts the platform's CPUs one after the other, at most `limit` in all (the boot CPU counts). One
/// that does not answer, or for which memory is short, is left out with a log line. Thread context.
void start_other_processors(const arch::PlatformDescription& platform, u32 limit);

}  // namespace cairn
