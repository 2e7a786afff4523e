#pragma once
/// kernel/main.cpp's objects, for a machine that is switched on more than once.

namespace cairn {

/// What start-up built is forgotten, as if the kernel had just been loaded. For the simulated machine, outside a run.
void reset_start_up();

}  // namespace cairn
