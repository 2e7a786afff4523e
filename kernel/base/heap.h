#pragma once
/// What the base library needs of a heap; `mm/slab` implements it. Only own.h and ref.h call it.

#include "kernel/base/types.h"

namespace cairn {

/// `size` bytes aligned to `alignment` (a power of two, at most kPageSize), or nullptr when
/// memory is exhausted. Any context that may take spinlocks; never sleeps.
[[nodiscard]] void* heap_allocate(usize size, usize alignment);

/// Gives back what heap_allocate(size, alignment) returned. nullptr is ignored.
void heap_free(void* memory, usize size, usize alignment);

}  // namespace cairn
