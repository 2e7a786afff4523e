/// meminfo, version, devices and others of the files about the whole system.

#include "fs/procfs/system_files.h"

#include "fs/terminal/terminals.h"
#include "fs/vfs/vfs.h"
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

/// proc_filesystems(5)
Result<void> show_filesystems(Request&, Text& text) {
    for (const vfs::FilesystemType& type : vfs::the_vfs().hooks.types) {
        text.format("{}\t{}\n", type.needs_device ? "" : "nodev", type.name);
    }
    return {};
}

/// proc_version(5)
Result<void> show_version(Request& request, Text& text) {
    ProcessInformation& system = request.processes();
    text.format("{} version {} (cairn@cairn) ({} {}) {}\n", system.system_constant(SystemConstant::Name),
                system.system_constant(SystemConstant::Release),
#ifdef __clang__
                "clang",
#else
                "gcc",
#endif
                __VERSION__, system.system_constant(SystemConstant::Version));
    return {};
}

Result<void> show_boot_command_line(Request&, Text& text) {
    text.append(g_kernel.command_line);
    text.append('\n');
    return {};
}

bool has_screen() {
    return g_kernel.terminals->virtual_terminals() != nullptr;
}

/// proc_devices(5)
Result<void> show_devices(Request&, Text& text) {
    struct Major {
        u32 number;
        std::string_view name;
    };
    // As Linux names them, whatever files they have under /dev.
    constexpr Major kNames[] = {{1, "mem"},       {4, "ttyS"},  {5, "/dev/tty"}, {5, "/dev/console"},
                                {5, "/dev/ptmx"}, {10, "misc"}, {128, "ptm"},    {136, "pts"}};
    constexpr Major kOfScreen[] = {{4, "/dev/vc/0"}, {4, "tty"}};
    text.append("Character devices:\n");
    for (const Major& major : has_screen() ? std::span<const Major>(kOfScreen) : std::span<const Major>{}) {
        text.format("{:3} {}\n", major.number, major.name);
    }
    for (const Major& major : kNames) {
        text.format("{:3} {}\n", major.number, major.name);
    }
    text.append("\nBlock devices:\n");
    return {};
}

Result<void> show_swaps(Request&, Text& text) {
    text.append("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    return {};
}

Result<void> show_partitions(Request&, Text& text) {
    text.append("major minor  #blocks  name\n\n");
    return {};
}

Result<void> show_nothing(Request&, Text&) {
    return {};
}

/// proc_vmstat(5), as far as it is counted here.
Result<void> show_memory_statistics(Request&, Text& text) {
    const mm::MemoryReport report = g_kernel.memory->report();
    const SystemProcessFigures figures = Request::processes().system();
    struct Row {
        std::string_view name;
        u64 value;
    };
    const Row rows[] = {
        {"nr_free_pages", report.free / kPageSize},
        {"nr_anon_pages", report.anonymous / kPageSize},
        {"nr_file_pages", report.cached / kPageSize},
        {"nr_dirty", 0},
        {"nr_writeback", 0},
        {"nr_shmem", report.shared / kPageSize},
        {"nr_slab_unreclaimable", report.slab / kPageSize},
        {"nr_page_table_pages", report.page_tables / kPageSize},
        {"nr_kernel_stack", report.kernel_stack / 1024},
        {"pgpgin", 0},
        {"pgpgout", 0},
        {"pswpin", 0},
        {"pswpout", 0},
        {"pgfault", figures.minor_faults + figures.major_faults},
        {"pgmajfault", figures.major_faults},
        {"oom_kill", 0},
    };
    for (const Row& row : rows) {
        text.format("{} {}\n", row.name, row.value);
    }
    return {};
}

/// proc_tty(5)
Result<void> show_terminal_drivers(Request&, Text& text) {
    text.append(
        "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
        "/dev/console         /dev/console    5       1 system:console\n"
        "/dev/ptmx            /dev/ptmx       5       2 system\n");
    if (has_screen()) {
        text.append(
            "/dev/vc/0            /dev/vc/0       4       0 system:vtmaster\n"
            "unknown              /dev/tty        4 1-63 console\n");
    }
    text.append(
        "serial               /dev/ttyS       4 64-67 serial\n"
        "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
        "pty_master           /dev/ptm      128 0-1048575 pty:master\n");
    return {};
}

Result<void> show_consoles(Request&, Text& text) {
    const fs::terminal::Terminals& terminals = *g_kernel.terminals;
    constexpr u32 kNone = fs::terminal::Terminals::kNoLog, kFirstSerial = 64;
    const fs::terminal::Terminal* console = terminals.console();
    const u32 last = console == nullptr ? kNone : terminals.console_is_shown_terminal() ? 0 : console->number().minor;
    // E: it is on; C: it is /dev/console; p: it has the log; a: it goes on when CPUs go.
    if (u32 serial = terminals.log_on_serial(); serial != kNone) {
        text.format("ttyS{}                -W- (E{}  p a)    4:{}\n", serial - kFirstSerial, serial == last ? 'C' : ' ',
                    serial);
    }
    if (u32 screen = terminals.log_on_screen(); screen != kNone) {
        text.format("tty{:<17} -WU (E{}  p  )    4:{}\n", screen, screen == last ? 'C' : ' ', screen == 0 ? 1 : screen);
    }
    return {};
}

Result<void> show_execution_domains(Request&, Text& text) {
    text.append("0-0\tLinux           \t[kernel]\n");
    return {};
}

}  // namespace cairn::procfs
