/// /sys/devices/system/cpu and node: which CPUs there are and how they belong together. As in /proc/cpuinfo, each CPU
/// is a core of one package, and there is one memory node.

#include "fs/sysfs/numbered.h"
#include "fs/sysfs/sysfs.h"
#include "kernel/base/kernel.h"
#include "mm/system_memory.h"

namespace cairn::sysfs {

namespace {

CpuSet all_cpus() {
    return CpuSet::first(g_kernel.cpu_count);
}
CpuSet online_cpus() {
    return g_kernel.online.snapshot(Order::relaxed);
}
CpuSet offline_cpus() {
    CpuSet set = all_cpus();
    online_cpus().for_each([&set](CpuIndex cpu) { set.remove(cpu); });
    return set;
}

// --- How Linux writes sets of CPUs (lib/vsprintf.c, %*pb and %*pbl) ----------------------------------------------

/// "0-2,5"
void write_list(Text& text, const CpuSet& set) {
    bool first = true;
    for (u32 cpu = 0; cpu < kMaxCpus; ++cpu) {
        if (!set.contains({cpu})) {
            continue;
        }
        u32 last = cpu;
        while (last + 1 < kMaxCpus && set.contains({last + 1})) {
            ++last;
        }
        text.append(first ? "" : ",");
        if (last == cpu) {
            text.format("{}", cpu);
        } else {
            text.format("{}-{}", cpu, last);
        }
        first = false;
        cpu = last;
    }
    text.append('\n');
}

/// Hexadecimal, groups of 32 bits with commas between, as many digits as there are CPUs for.
void write_mask(Text& text, const CpuSet& set) {
    constexpr u32 kGroup = 32;
    const u32 count = g_kernel.cpu_count;
    for (u32 group = (count + kGroup - 1) / kGroup; group-- > 0;) {
        u32 bits = 0;
        for (u32 i = 0; i < kGroup; ++i) {
            const u32 cpu = group * kGroup + i;
            bits |= cpu < count && set.contains({cpu}) ? u32{1} << i : 0;
        }
        const u32 width = std::min(count - group * kGroup, kGroup);
        for (u32 digit = (width + 3) / 4; digit-- > 0;) {
            text.append("0123456789abcdef"[bits >> (4 * digit) & 15]);
        }
        text.append(group == 0 ? '\n' : ',');
    }
}

template <CpuSet (*kSet)()>
Result<void> show_list(Request&, Text& text) {
    write_list(text, kSet());
    return {};
}
template <CpuSet (*kSet)()>
Result<void> show_mask(Request&, Text& text) {
    write_mask(text, kSet());
    return {};
}
Result<void> show_own_list(Request& request, Text& text) {
    write_list(text, CpuSet::only({request.subject.index}));
    return {};
}
Result<void> show_own_mask(Request& request, Text& text) {
    write_mask(text, CpuSet::only({request.subject.index}));
    return {};
}
Result<void> show_index(Request& request, Text& text) {
    text.format("{}\n", request.subject.index);
    return {};
}
Result<void> show_online(Request& request, Text& text) {
    text.append(online_cpus().contains({request.subject.index}) ? "1\n" : "0\n");
    return {};
}
Result<void> show_highest(Request&, Text& text) {
    text.format("{}\n", kMaxCpus - 1);
    return {};
}

constexpr char kZero[] = "0";
constexpr char kSelf[] = "10";
constexpr char kNothing[] = "";
constexpr char kNotImplemented[] = "notimplemented";

// --- cpuN --------------------------------------------------------------------------------------------------------

constexpr Entry kTopology[] = {
    leaf("core_cpus", &show_own_mask),
    leaf("core_cpus_list", &show_own_list),
    leaf("core_id", &show_index),
    leaf("core_siblings", &show_mask<&all_cpus>),
    leaf("core_siblings_list", &show_list<&all_cpus>),
    leaf("die_cpus", &show_mask<&all_cpus>),
    leaf("die_cpus_list", &show_list<&all_cpus>),
    leaf("die_id", &show_fixed<kZero>),
    leaf("package_cpus", &show_mask<&all_cpus>),
    leaf("package_cpus_list", &show_list<&all_cpus>),
    leaf("physical_package_id", &show_fixed<kZero>),
    leaf("thread_siblings", &show_own_mask),
    leaf("thread_siblings_list", &show_own_list),
};
std::span<const Entry> topology_entries() {
    return kTopology;
}

constexpr Entry kProcessor[] = {
    leaf("online", &show_online),
    branch("topology", &topology_entries),
};
std::span<const Entry> one_processor_entries() {
    return kProcessor;
}

constexpr Numbered kNumbered = {
    .count = [] { return g_kernel.cpu_count; },
    .name =
        [](u32 index, TextBuffer& text) {
            format_to(text, "cpu{}", index);
            return true;
        },
    .entries = &one_processor_entries,
};

constexpr Entry kThreads[] = {
    leaf("active", &show_fixed<kZero>),
    leaf("control", &show_fixed<kNotImplemented>),
};
std::span<const Entry> thread_entries() {
    return kThreads;
}

constexpr Entry kProcessors[] = {
    leaf("isolated", &show_fixed<kNothing>),
    leaf("kernel_max", &show_highest),
    leaf("offline", &show_list<&offline_cpus>),
    leaf("online", &show_list<&online_cpus>),
    leaf("possible", &show_list<&all_cpus>),
    leaf("present", &show_list<&all_cpus>),
    branch("smt", &thread_entries),
};

// --- node --------------------------------------------------------------------------------------------------------

Result<void> show_node_memory(Request&, Text& text) {
    const mm::MemoryReport report = g_kernel.memory->report();
    text.format("Node 0 MemTotal:       {:8} kB\n", report.total / kKiB);
    text.format("Node 0 MemFree:        {:8} kB\n", report.free / kKiB);
    text.format("Node 0 MemUsed:        {:8} kB\n", (report.total - report.free) / kKiB);
    return {};
}

constexpr Entry kNode[] = {
    leaf("cpulist", &show_list<&all_cpus>),
    leaf("cpumap", &show_mask<&all_cpus>),
    leaf("distance", &show_fixed<kSelf>),
    leaf("meminfo", &show_node_memory),
};
std::span<const Entry> node_entries() {
    return kNode;
}

constexpr Entry kNodes[] = {
    leaf("has_cpu", &show_fixed<kZero>), leaf("has_memory", &show_fixed<kZero>), branch("node0", &node_entries),
    leaf("online", &show_fixed<kZero>),  leaf("possible", &show_fixed<kZero>),
};

}  // namespace

std::span<const Entry> memory_node_entries() {
    return kNodes;
}

Result<Ref<vfs::Inode>> make_processors(vfs::Superblock& superblock, u64 number, const Entry&, const procfs::Subject&) {
    return make_numbered(superblock, number, kProcessors, kNumbered);
}

}  // namespace cairn::sysfs
