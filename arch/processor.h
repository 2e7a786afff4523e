#pragma once
/// What a machine tells of its processors beyond what the kernel needs to run on them: for /proc/cpuinfo and
/// /sys/devices/system/cpu. A part of the contract of arch/arch.h. Any thread context; all CPUs are taken to be alike
/// but for their numbers.

#include <optional>
#include <string_view>

#include "kernel/base/per_cpu.h"
#include "kernel/base/types.h"

namespace cairn::arch {

/// Where a CPU sits. Cores are numbered within their package as the hardware does, which may leave numbers out.
struct CpuTopology {
    u32 package = 0;
    u32 die = 0;
    u32 core = 0;
    u32 thread = 0;
    bool same_core(const CpuTopology& other) const { return package == other.package && core == other.core; }
};
CpuTopology cpu_topology(const PerCpu& cpu);

struct CpuCache {
    enum class Kind : u8 { Data, Instruction, Unified };
    Kind kind = Kind::Unified;
    u32 level = 0;
    u32 size = 0;  // bytes
    u32 line = 0;  // bytes
    u32 ways = 0;
    u32 partitions = 1;
    u32 sets = 0;
    /// CPUs whose hardware ids differ only in so many of the lowest bits share one.
    u32 shared_bits = 0;
};
/// Cache `index` of each CPU, nearest first; nothing behind the last.
std::optional<CpuCache> cpu_cache(u32 index);

/// A known weakness of processors by Linux's name (Documentation/ABI/testing/sysfs-devices-system-cpu), and how it
/// stands with this one; nothing behind the last.
struct CpuWeakness {
    std::string_view name;      // "spectre_v1", a file of .../vulnerabilities
    std::string_view bug_name;  // "spectre_v1", a word in cpuinfo's line "bugs"
    bool affected;
};
std::optional<CpuWeakness> cpu_weakness(u32 index);

}  // namespace cairn::arch
