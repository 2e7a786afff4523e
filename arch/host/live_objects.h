#pragma once
/// The objects of the kernel's heap that exist, with who allocated them. Slow, so only for runs that are replayed.

#include <string>

#include "kernel/base/types.h"

namespace cairn::arch::host {

/// On: forgets all that there are, and watches those that come. Off when a run begins.
void watch_live_objects(bool on);
void note_allocated(const void* object, usize size);
void note_freed(const void* object, usize size);
/// For the report of a failure: what was allocated since they are watched, and not freed.
std::string describe_live_objects();

}  // namespace cairn::arch::host
