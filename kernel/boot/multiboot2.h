#pragma once
/// The boot information of Multiboot2 (specification 2.0, 3.6), as GRUB leaves it. A pure parser:
/// no allocation, nothing outside the span is read, and it ends after at most one step for every
/// eight bytes whatever they contain.

#include <cstddef>
#include <span>

#include "kernel/boot/information.h"

namespace cairn::boot {

/// Parses the whole structure, which lies at `address`. Errors as of parse_handover; tags that are
/// damaged by themselves are skipped with a log line and are no error.
Result<void> parse_multiboot2(std::span<const std::byte> data, PhysicalAddress address, Information& information);

/// Finds out the size, then parses.
Result<void> read_multiboot2(PhysicalReader& memory, PhysicalAddress address, Information& information);

}  // namespace cairn::boot
