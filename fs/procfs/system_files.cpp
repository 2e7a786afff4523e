/// meminfo, stat, uptime and others of the files about the whole system.

#include "fs/procfs/system_files.h"

#include "fs/procfs/values.h"
#include "fs/vfs/vfs.h"
#include "kernel/sched/run_queue.h"
#include "kernel/time/clock.h"
#include "mm/system_memory.h"

namespace cairn::procfs {

/// proc_meminfo(5)
Result<void> show_memory_information(Request&, Text& text) {
    const mm::MemoryReport report = g_kernel.memory->report();
    struct Row {
        std::string_view name;
        u64 bytes;
    };
    const Row rows[] = {
        {"MemTotal", report.total},
        {"MemFree", report.free},
        {"MemAvailable", report.available},
        {"Buffers", 0},
        {"Cached", report.cached},
        {"SwapCached", 0},
        {"Active", report.cached - report.shared},
        {"Inactive", report.anonymous + report.shared},
        {"Active(anon)", 0},
        {"Inactive(anon)", report.anonymous + report.shared},
        {"Active(file)", report.cached - report.shared},
        {"Inactive(file)", 0},
        {"Unevictable", 0},
        {"Mlocked", 0},
        {"SwapTotal", 0},
        {"SwapFree", 0},
        {"Dirty", 0},
        {"Writeback", 0},
        {"AnonPages", report.anonymous},
        {"Mapped", 0},
        {"Shmem", report.shared},
        {"KReclaimable", 0},
        {"Slab", report.slab},
        {"SReclaimable", 0},
        {"SUnreclaim", report.slab},
        {"KernelStack", report.kernel_stack},
        {"PageTables", report.page_tables},
        {"NFS_Unstable", 0},
        {"Bounce", 0},
        {"WritebackTmp", 0},
        {"CommitLimit", report.commit_limit},
        {"Committed_AS", report.committed},
        {"VmallocTotal", u64{34359738367} * 1024},
        {"VmallocUsed", 0},
        {"VmallocChunk", 0},
    };
    for (const Row& row : rows) {
        const usize start = text.size();
        text.format("{}:", row.name);
        text.pad(start, 16);
        text.format("{:8} kB\n", row.bytes / 1024);
    }
    return {};
}

Result<void> show_uptime(Request&, Text& text) {
    u64 idle = 0;
    for (u32 cpu = 0; cpu < g_kernel.cpu_count; ++cpu) {
        idle += g_kernel.cpus[cpu]->run_queue->idle->statistics().run_time.value;
    }
    text.hundredths(ticks(time::now()));
    text.append(' ');
    text.hundredths(ticks(Nanoseconds{idle}));
    text.append('\n');
    return {};
}

/// proc_filesystems(5)
Result<void> show_filesystems(Request&, Text& text) {
    for (const vfs::FilesystemType& type : vfs::the_vfs().hooks.types) {
        text.format("{}\t{}\n", type.needs_device ? "" : "nodev", type.name);
    }
    return {};
}

}  // namespace cairn::procfs
