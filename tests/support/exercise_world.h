#pragma once
/// What is there when an exercise begins: a filesystem of its own, open files of each kind, some memory.

#include "tests/support/call_arguments.h"

namespace cairn::sim {

/// As a process that is root; it, and whoever it forks, is confined to the world then. False: it could not be made.
bool build_exercise_world(arch::host::UserMachine& u, Made& made);
/// The memory, of a program's own: execve(2) would take it away.
void map_exercise_areas(arch::host::UserMachine& u, Made& made);
/// As process 1, when there is no other any more: removes what outlives processes.
void remove_exercise_world(arch::host::UserMachine& u);

}  // namespace cairn::sim
