#pragma once
/// Page-table entries of long mode, 4-level paging (SDM vol. 3A, 4.5). Both machines walk them:
/// a PC in hardware, the simulated machine in software.

#include "kernel/base/types.h"

namespace cairn::arch {

struct LongModeFormat {
    static constexpr u32 kLevels = 4;  // 4 KiB pages are level 0, 512 GiB entries level 3
    static constexpr u32 kBitsPerLevel = 9;
    static constexpr u32 kLargestLeafLevel = 2;  // 1 GiB, where the CPU has it
    static constexpr u64 kPresent = 1u << 0;
    static constexpr u64 kWritable = 1u << 1;
    static constexpr u64 kUser = 1u << 2;
    static constexpr u64 kWriteThrough = 1u << 3;
    static constexpr u64 kUncached = 1u << 4;
    static constexpr u64 kAccessed = 1u << 5;
    static constexpr u64 kDirty = 1u << 6;
    static constexpr u64 kLargePage = 1u << 7;
    static constexpr u64 kGlobal = 1u << 8;
    static constexpr u64 kNoExecute = u64{1} << 63;
    static constexpr u64 kAddressMask = 0x000f'ffff'ffff'f000;
};

}  // namespace cairn::arch
