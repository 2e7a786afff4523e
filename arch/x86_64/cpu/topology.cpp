/// How CPUs belong together and which caches they have (SDM vol. 3A, 9.9.2; vol. 2A, CPUID; AMD APM vol. 3, appendix
/// E).

#include <algorithm>
#include <bit>

#include "arch/arch.h"
#include "arch/processor.h"
#include "arch/x86_64/cpu/instructions.h"

namespace cairn::arch {

namespace {

/// How many of the lowest bits of an APIC id count what.
struct IdBits {
    u32 core = 0;     // threads of a core
    u32 die = 0;      // … and cores of a die
    u32 package = 0;  // … and dies of a package
};

u32 highest_leaf(u32 leaf) {
    return cpuid(leaf & 0x8000'0000).eax;
}
bool has_leaf(u32 leaf) {
    return highest_leaf(leaf) >= leaf;
}

/// Bits that tell so many things apart.
u32 bits_for(u32 count) {
    return count <= 1 ? 0 : static_cast<u32>(std::bit_width(count - 1));
}

/// Leaf 0x1f or 0xb lists levels from the inside out, each with the bits of what it contains.
bool read_levels(u32 leaf, IdBits& bits) {
    if (!has_leaf(leaf) || cpuid(leaf).ebx == 0) {
        return false;
    }
    constexpr u32 kMostLevels = 8;
    constexpr u32 kThread = 1, kDie = 5;
    bits.die = ~u32{0};
    for (u32 level = 0; level < kMostLevels; ++level) {
        const CpuidResult result = cpuid(leaf, level);
        const u32 kind = result.ecx >> 8 & 0xff;
        const u32 shift = result.eax & 0x1f;
        if (kind == 0) {
            break;
        }
        if (kind == kThread) {
            bits.core = shift;
        }
        if (kind == kDie) {
            bits.die = bits.package;  // what the level below spans
        }
        bits.package = shift;
    }
    bits.die = std::min(bits.die, bits.package);
    return true;
}

IdBits read_id_bits() {
    IdBits bits;
    if (read_levels(0x1f, bits) || read_levels(0xb, bits)) {
        return bits;
    }
    const bool several = (cpuid(1).edx >> 28 & 1) != 0;
    const u32 threads = several ? cpuid(1).ebx >> 16 & 0xff : 1;
    u32 cores = 1;
    if (has_leaf(0x8000'0008) && (cpuid(0x8000'0008).ecx & 0xff) != 0) {
        const u32 word = cpuid(0x8000'0008).ecx;
        cores = (word & 0xff) + 1;
        bits.package = word >> 12 & 0xf;
    } else if (has_leaf(4)) {
        cores = (cpuid(4).eax >> 26) + 1;
    }
    bits.core = threads > cores ? bits_for(threads / cores) : 0;
    bits.package = std::max({bits.package, bits_for(threads), bits_for(cores)});
    bits.die = bits.package;
    return bits;
}

u32 low_bits(u32 value, u32 count) {
    return count >= 32 ? value : value & ((u32{1} << count) - 1);
}

// --- Caches -------------------------------------------------------------------------------------------------------

/// Leaf 4 and AMD's 0x8000001d have one form.
std::optional<CpuCache> read_listed_cache(u32 leaf, u32 index) {
    const CpuidResult result = cpuid(leaf, index);
    const u32 kind = result.eax & 0x1f;
    if (kind == 0 || kind > 3) {
        return std::nullopt;
    }
    CpuCache cache;
    cache.kind = static_cast<CpuCache::Kind>(kind - 1);
    cache.level = result.eax >> 5 & 7;
    cache.line = (result.ebx & 0xfff) + 1;
    cache.partitions = (result.ebx >> 12 & 0x3ff) + 1;
    cache.ways = (result.ebx >> 22) + 1;
    cache.sets = result.ecx + 1;
    cache.size = cache.line * cache.partitions * cache.ways * cache.sets;
    cache.shared_bits = bits_for((result.eax >> 14 & 0xfff) + 1);
    return cache;
}

/// Of AMD's older leaves: sizes in KiB, the ways as a code.
CpuCache make_cache(CpuCache::Kind kind, u32 level, u32 kilobytes, u32 ways, u32 line) {
    CpuCache cache;
    cache.kind = kind;
    cache.level = level;
    cache.size = kilobytes * static_cast<u32>(kKiB);
    cache.line = std::max(line, 1u);
    cache.ways = std::max(ways, 1u);
    cache.sets = cache.size / cache.line / cache.ways;
    return cache;
}

u32 ways_of_code(u32 code, u32 kilobytes, u32 line) {
    constexpr u8 kWays[] = {0, 1, 2, 3, 4, 6, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0};
    constexpr u32 kFullyAssociative = 15;
    return code == kFullyAssociative ? kilobytes * static_cast<u32>(kKiB) / std::max(line, 1u) : kWays[code & 15];
}

/// AMD's leaves 0x80000005 and 6, in the order in which the others list caches.
std::optional<CpuCache> read_old_cache(u32 index) {
    if (!has_leaf(0x8000'0006)) {
        return std::nullopt;
    }
    const CpuidResult first = cpuid(0x8000'0005);
    const CpuidResult second = cpuid(0x8000'0006);
    CpuCache found[4];
    u32 count = 0;
    if (first.ecx >> 24 != 0) {
        found[count++] = make_cache(CpuCache::Kind::Data, 1, first.ecx >> 24, first.ecx >> 16 & 0xff, first.ecx & 0xff);
    }
    if (first.edx >> 24 != 0) {
        found[count++] =
            make_cache(CpuCache::Kind::Instruction, 1, first.edx >> 24, first.edx >> 16 & 0xff, first.edx & 0xff);
    }
    if (const u32 size = second.ecx >> 16; size != 0) {
        const u32 ways = ways_of_code(second.ecx >> 12 & 15, size, second.ecx & 0xff);
        found[count++] = make_cache(CpuCache::Kind::Unified, 2, size, ways, second.ecx & 0xff);
    }
    if (const u32 size = (second.edx >> 18) * 512; size != 0) {
        const u32 ways = ways_of_code(second.edx >> 12 & 15, size, second.edx & 0xff);
        found[count] = make_cache(CpuCache::Kind::Unified, 3, size, ways, second.edx & 0xff);
        found[count++].shared_bits = read_id_bits().package;
    }
    return index < count ? std::optional<CpuCache>(found[index]) : std::nullopt;
}

}  // namespace

CpuTopology cpu_topology(const PerCpu& cpu) {
    const IdBits bits = read_id_bits();
    const u32 id = cpu.hardware_id;
    return {.package = bits.package >= 32 ? 0 : id >> bits.package,
            .die = low_bits(id, bits.package) >> bits.die,
            .core = low_bits(id, bits.package) >> bits.core,
            .thread = low_bits(id, bits.core)};
}

std::optional<CpuCache> cpu_cache(u32 index) {
    constexpr u32 kTopologyExtensions = 1u << 22;
    if (has_leaf(0x8000'001d) && (cpuid(0x8000'0001).ecx & kTopologyExtensions) != 0) {
        return read_listed_cache(0x8000'001d, index);
    }
    if (has_leaf(4) && (cpuid(4).eax & 0x1f) != 0) {
        return read_listed_cache(4, index);
    }
    return read_old_cache(index);
}

}  // namespace cairn::arch
