#pragma once
/// Devices' registers in memory.

#include "arch/arch.h"

namespace cairn::arch {

/// Maps `size` bytes of registers at `address`, which need not begin on a page; null when the
/// mapper has no room.
template <typename Word>
volatile Word* map_register_block(MapRegisters map_registers, PhysicalAddress address, usize size) {
    PhysicalAddress start{align_down(address.value, kPageSize)};
    PhysicalAddress end{align_up(address.value + size, kPageSize)};
    void* mapped = map_registers({start, end});
    if (mapped == nullptr) {
        return nullptr;
    }
    // SAFETY: the mapping covers the registers and stays for good.
    return reinterpret_cast<volatile Word*>(static_cast<u8*>(mapped) + (address - start));
}

}  // namespace cairn::arch
