/// See firmware_memory.h.

#include "drivers/firmware/firmware_memory.h"

#include <algorithm>

#include "arch/arch.h"
#include "kernel/base/kernel.h"
#include "mm/kernel_space.h"

namespace cairn::firmware {

/// The regions are sorted and disjoint. What is ours, or was the boot loader's, is in the direct map.
bool FirmwareMemory::is_memory(PhysicalRange range, bool& in_direct_map) const {
    constexpr PhysicalAddress kAlwaysMapped{kMiB};
    in_direct_map = true;
    if (range.end <= kAlwaysMapped) {
        return true;
    }
    PhysicalAddress covered = range.start;
    for (const boot::MemoryRegion& region : map_.regions()) {
        if (!region.range.contains(covered) || region.kind == boot::MemoryRegion::Kind::Bad) {
            continue;
        }
        in_direct_map = in_direct_map && region.kind < boot::MemoryRegion::Kind::Reserved;
        covered = region.range.end;
        if (covered >= range.end) {
            return true;
        }
    }
    return false;
}

Result<OwnArray<std::byte>> FirmwareMemory::copy(PhysicalAddress start, usize size) const {
    const PhysicalRange range{start, start + size};
    bool in_direct_map = false;
    const bool sound = size != 0 && size <= kLargest && start < boot::MemoryMap::kAddressLimit;
    if (!sound || !is_memory(range, in_direct_map)) {
        return fail(Errno::efault);
    }
    OwnArray<std::byte> bytes = TRY(OwnArray<std::byte>::create_for_overwrite(size));
    void* mapped = in_direct_map ? arch::direct_map(start) : TRY(g_kernel.kernel_space->map_device(range));
    const auto* from = static_cast<const std::byte*>(mapped);
    std::copy(from, from + size, bytes.data());
    if (!in_direct_map) {
        g_kernel.kernel_space->unmap_device(mapped);
    }
    return bytes;
}

}  // namespace cairn::firmware
