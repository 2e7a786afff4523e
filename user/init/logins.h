// The terminals of a machine with people at it: a login on each, begun anew when it ends, until the machine is to
// be switched off.
//
// The first virtual terminal and the serial console log root in at once, as a live system does: who sits there could
// as well boot something else. The other virtual terminals ask. Debian's agetty and login do it where the root has
// them; where it has not, each terminal has the plan's program, a shell.
#pragma once

#include "user/init/plan.h"
#include "user/init/power.h"

namespace init {

// Runs until somebody asks for an end, and then ends all processes. Returns what was asked for.
Ending run_logins(const Plan& plan);

}  // namespace init
