#pragma once
/// Reading physical memory that somebody else laid out: boot loader structures, firmware tables.
/// The parsers in kernel/boot and drivers/acpi reach memory only through this interface, so that
/// an address out of a damaged table is refused instead of dereferenced, and so that tests and
/// fuzzers can stand in for the machine.

#include <cstddef>
#include <span>

#include "kernel/base/address.h"
#include "kernel/base/types.h"

namespace cairn {

class PhysicalReader {
public:
    /// Exactly `size` bytes at `address`, or an empty span when any of them cannot be read (not
    /// mapped, beyond physical memory, or the range wraps). The bytes stay where they are: the
    /// span is valid as long as the memory itself is (see boot::Information for how long that is).
    virtual std::span<const std::byte> view(PhysicalAddress address, usize size) = 0;

protected:
    ~PhysicalReader() = default;
};

}  // namespace cairn
