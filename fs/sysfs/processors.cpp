/// /sys/devices/system/cpu and node: which CPUs there are, how they belong together, and their caches. There is one
/// memory node.

#include <array>

#include "arch/processor.h"
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
/// Of a cache's files the subject is the CPU and, above, the cache's number.
constexpr u32 kCpuBits = 16;
u32 cpu_of(const Request& request) {
    return request.subject.index & ((u32{1} << kCpuBits) - 1);
}
u32 cache_of(const Request& request) {
    return request.subject.index >> kCpuBits;
}

arch::CpuTopology topology_of(u32 cpu) {
    return arch::cpu_topology(*g_kernel.cpus[cpu]);
}

/// The CPUs that are with the subject's in something.
template <bool (*kTogether)(const arch::CpuTopology&, const arch::CpuTopology&)>
CpuSet neighbours(const Request& request) {
    const arch::CpuTopology self = topology_of(cpu_of(request));
    CpuSet set;
    for (u32 cpu = 0; cpu < g_kernel.cpu_count; ++cpu) {
        if (kTogether(self, topology_of(cpu))) {
            set.add({cpu});
        }
    }
    return set;
}
bool in_package(const arch::CpuTopology& one, const arch::CpuTopology& other) {
    return one.package == other.package;
}
bool in_die(const arch::CpuTopology& one, const arch::CpuTopology& other) {
    return in_package(one, other) && one.die == other.die;
}
bool in_core(const arch::CpuTopology& one, const arch::CpuTopology& other) {
    return one.same_core(other);
}
template <bool (*kTogether)(const arch::CpuTopology&, const arch::CpuTopology&)>
Result<void> show_neighbour_list(Request& request, Text& text) {
    write_list(text, neighbours<kTogether>(request));
    return {};
}
template <bool (*kTogether)(const arch::CpuTopology&, const arch::CpuTopology&)>
Result<void> show_neighbour_mask(Request& request, Text& text) {
    write_mask(text, neighbours<kTogether>(request));
    return {};
}
template <u32 arch::CpuTopology::* kNumber>
Result<void> show_place(Request& request, Text& text) {
    text.format("{}\n", topology_of(cpu_of(request)).*kNumber);
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
    leaf("core_cpus", &show_neighbour_mask<&in_core>),
    leaf("core_cpus_list", &show_neighbour_list<&in_core>),
    leaf("core_id", &show_place<&arch::CpuTopology::core>),
    leaf("core_siblings", &show_neighbour_mask<&in_package>),
    leaf("core_siblings_list", &show_neighbour_list<&in_package>),
    leaf("die_cpus", &show_neighbour_mask<&in_die>),
    leaf("die_cpus_list", &show_neighbour_list<&in_die>),
    leaf("die_id", &show_place<&arch::CpuTopology::die>),
    leaf("package_cpus", &show_neighbour_mask<&in_package>),
    leaf("package_cpus_list", &show_neighbour_list<&in_package>),
    leaf("physical_package_id", &show_place<&arch::CpuTopology::package>),
    leaf("thread_siblings", &show_neighbour_mask<&in_core>),
    leaf("thread_siblings_list", &show_neighbour_list<&in_core>),
};
std::span<const Entry> topology_entries() {
    return kTopology;
}

// --- cpuN/cache (sysfs-devices-system-cpu) -------------------------------------------------------------------------

/// There was a cache of that number when the directory was made, and caches stay.
arch::CpuCache subject_cache(const Request& request) {
    return arch::cpu_cache(cache_of(request)).value_or(arch::CpuCache{});
}
template <u32 arch::CpuCache::* kFigure>
Result<void> show_figure(Request& request, Text& text) {
    text.format("{}\n", subject_cache(request).*kFigure);
    return {};
}
Result<void> show_cache_size(Request& request, Text& text) {
    text.format("{}K\n", subject_cache(request).size / kKiB);
    return {};
}
Result<void> show_cache_kind(Request& request, Text& text) {
    constexpr std::string_view kNames[] = {"Data\n", "Instruction\n", "Unified\n"};
    text.append(kNames[static_cast<u8>(subject_cache(request).kind)]);
    return {};
}
u32 cache_id(u32 cpu, const arch::CpuCache& cache) {
    return g_kernel.cpus[cpu]->hardware_id >> cache.shared_bits;
}
Result<void> show_cache_id(Request& request, Text& text) {
    text.format("{}\n", cache_id(cpu_of(request), subject_cache(request)));
    return {};
}
CpuSet sharers(const Request& request) {
    const arch::CpuCache cache = subject_cache(request);
    CpuSet set;
    for (u32 cpu = 0; cpu < g_kernel.cpu_count; ++cpu) {
        if (cache_id(cpu, cache) == cache_id(cpu_of(request), cache)) {
            set.add({cpu});
        }
    }
    return set;
}
Result<void> show_sharer_list(Request& request, Text& text) {
    write_list(text, sharers(request));
    return {};
}
Result<void> show_sharer_mask(Request& request, Text& text) {
    write_mask(text, sharers(request));
    return {};
}

constexpr Entry kCache[] = {
    leaf("coherency_line_size", &show_figure<&arch::CpuCache::line>),
    leaf("id", &show_cache_id),
    leaf("level", &show_figure<&arch::CpuCache::level>),
    leaf("number_of_sets", &show_figure<&arch::CpuCache::sets>),
    leaf("physical_line_partition", &show_figure<&arch::CpuCache::partitions>),
    leaf("shared_cpu_list", &show_sharer_list),
    leaf("shared_cpu_map", &show_sharer_mask),
    leaf("size", &show_cache_size),
    leaf("type", &show_cache_kind),
    leaf("ways_of_associativity", &show_figure<&arch::CpuCache::ways>),
};
std::span<const Entry> cache_entries() {
    return kCache;
}
Result<Ref<vfs::Inode>> make_cache(vfs::Superblock& superblock, u64 number, const Entry& entry,
                                   const procfs::Subject& subject) {
    procfs::Subject cache = subject;
    cache.index |= u32{entry.argument} << kCpuBits;
    return procfs::make_inode(superblock, number, branch({}, &cache_entries), cache);
}
constexpr Entry cache_row(std::string_view name, u8 index) {
    Entry entry = branch(name, &cache_entries);
    entry.make = &make_cache;
    entry.argument = index;
    return entry;
}
constexpr Entry kCaches[] = {
    cache_row("index0", 0), cache_row("index1", 1), cache_row("index2", 2), cache_row("index3", 3),
    cache_row("index4", 4), cache_row("index5", 5), cache_row("index6", 6), cache_row("index7", 7),
};
std::span<const Entry> caches_entries() {
    usize count = 0;
    while (count < std::size(kCaches) && arch::cpu_cache(static_cast<u32>(count))) {
        ++count;
    }
    return std::span(kCaches).first(count);
}

// --- vulnerabilities -----------------------------------------------------------------------------------------------

constexpr std::string_view kWeaknesses[] = {
    "gather_data_sampling", "itlb_multihit",     "l1tf",       "mds",        "meltdown", "mmio_stale_data", "retbleed",
    "spec_rstack_overflow", "spec_store_bypass", "spectre_v1", "spectre_v2", "srbds",    "tsx_async_abort",
};
Result<void> show_weakness(Request& request, Text& text) {
    bool affected = false;
    for (u32 i = 0; std::optional<arch::CpuWeakness> weakness = arch::cpu_weakness(i); ++i) {
        affected = affected || (weakness->name == kWeaknesses[request.argument] && weakness->affected);
    }
    text.append(affected ? "Vulnerable\n" : "Not affected\n");
    return {};
}
constexpr auto kWeaknessRows = [] {
    std::array<Entry, std::size(kWeaknesses)> rows;
    for (u8 i = 0; i < rows.size(); ++i) {
        rows[i] = procfs::with_argument(i, leaf(kWeaknesses[i], &show_weakness));
    }
    return rows;
}();
std::span<const Entry> weakness_entries() {
    return kWeaknessRows;
}

constexpr Entry kProcessor[] = {
    branch("cache", &caches_entries),
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

/// Whether a core has more than one thread.
Result<void> show_threads_active(Request&, Text& text) {
    bool active = false;
    for (u32 cpu = 1; cpu < g_kernel.cpu_count; ++cpu) {
        active = active || in_core(topology_of(cpu), topology_of(cpu - 1));
    }
    text.append(active ? "1\n" : "0\n");
    return {};
}
constexpr Entry kThreads[] = {
    leaf("active", &show_threads_active),
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
    branch("vulnerabilities", &weakness_entries),
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
