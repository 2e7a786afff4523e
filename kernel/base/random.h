#pragma once
/// What the kernel needs of a generator of random numbers; drivers/random implements it.

#include <cstddef>
#include <span>

#include "kernel/base/types.h"

namespace cairn {

/// Fills `to` with numbers that nobody can predict. Never fails and never waits. Any context that holds no lock of rank
/// Random or inner.
void random_bytes(std::span<std::byte> to);

}  // namespace cairn
