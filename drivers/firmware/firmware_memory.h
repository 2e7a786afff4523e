#pragma once
/// Copies of what firmware keeps in memory, for when the boot loader's page tables are gone. What the memory map does
/// not name at all may be a device, and is not read.

#include "kernel/base/own_array.h"
#include "kernel/boot/memory_map.h"

namespace cairn::firmware {

class FirmwareMemory {
public:
    /// No table of any firmware is larger.
    static constexpr usize kLargest = 16 * kMiB;

    /// The map is borrowed.
    explicit FirmwareMemory(const boot::MemoryMap& map) : map_(map) {}

    /// EFAULT: not memory, or too large; ENOMEM. Thread context, before memory that is reclaimable is given away.
    Result<OwnArray<std::byte>> copy(PhysicalAddress start, usize size) const;

private:
    bool is_memory(PhysicalRange range, bool& in_direct_map) const;
    const boot::MemoryMap& map_;
};

}  // namespace cairn::firmware
