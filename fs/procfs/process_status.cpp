/// /proc/PID/stat, statm and status (proc_pid_stat(5), proc_pid_status(5)).

#include "fs/procfs/process_files.h"
#include "fs/procfs/values.h"

namespace cairn::procfs {

namespace {

struct Memory {
    mm::SpaceStatistics use;
    mm::SpaceLayout layout;
    u64 text_bytes() const {
        return page_align_up(layout.code_end.value) - (layout.code_start.value & ~(kPageSize - 1));
    }
    static u64 page_align_up(u64 value) { return (value + kPageSize - 1) & ~(kPageSize - 1); }
};

Result<std::optional<Memory>> memory_of(const Request& request) {
    std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space());
    if (!space) {
        return std::optional<Memory>();
    }
    return std::optional<Memory>({(*space)->statistics(), (*space)->layout()});
}

std::string_view state_name(char state) {
    switch (state) {
        case 'R':
            return "R (running)";
        case 'S':
            return "S (sleeping)";
        case 'D':
            return "D (disk sleep)";
        case 'T':
            return "T (stopped)";
        case 't':
            return "t (tracing stop)";
        case 'Z':
            return "Z (zombie)";
        default:
            return "X (dead)";
    }
}

std::string_view name_of(const ProcessFigures& figures) {
    std::string_view name(figures.name, sizeof figures.name);
    return name.substr(0, name.find('\0'));
}

void show_ids(const Request& request, const ProcessFigures& figures, Text& text) {
    text.append("Name:\t");
    text.escaped(name_of(figures), "\n");
    text.append("\nUmask:\t");
    text.octal(figures.umask, 4);
    text.format("\nState:\t{}\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t{}\n", state_name(figures.state),
                figures.process, figures.thread, figures.parent, figures.tracer);
    text.format("Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\nGroups:\t", figures.uid, figures.euid,
                figures.suid, figures.fsuid, figures.gid, figures.egid, figures.sgid, figures.fsgid,
                figures.descriptor_slots);
    Result<usize> count = Request::processes().groups(request.id(), {});
    Result<OwnArray<u32>> groups = OwnArray<u32>::create(count.ok() ? count.value() : 0);
    if (groups.ok() && Request::processes().groups(request.id(), groups.value().span()).ok()) {
        for (u32 group : groups.value().span()) {
            text.format("{} ", group);
        }
    }
    // Linux writes the blank even when there is no group.
    text.append(groups.ok() && groups.value().size() != 0 ? "\n" : " \n");
    text.format("NStgid:\t{}\nNSpid:\t{}\nNSpgid:\t{}\nNSsid:\t{}\nKthread:\t0\n", figures.process, figures.thread,
                figures.group, figures.session);
}

void kilobytes(Text& text, std::string_view name, u64 pages) {
    text.format("{}:\t{:8} kB\n", name, pages * (kPageSize / 1024));
}

void show_memory(const Memory& memory, Text& text) {
    const mm::SpaceStatistics& use = memory.use;
    const u64 code = memory.text_bytes() / kPageSize;
    kilobytes(text, "VmPeak", use.peak_total);
    kilobytes(text, "VmSize", use.total);
    kilobytes(text, "VmLck", use.locked);
    kilobytes(text, "VmPin", 0);
    kilobytes(text, "VmHWM", use.peak_resident);
    kilobytes(text, "VmRSS", use.resident());
    kilobytes(text, "RssAnon", use.resident_anonymous);
    kilobytes(text, "RssFile", use.resident_file);
    kilobytes(text, "RssShmem", use.resident_shared);
    kilobytes(text, "VmData", use.data);
    kilobytes(text, "VmStk", use.stack);
    kilobytes(text, "VmExe", code);
    kilobytes(text, "VmLib", use.executable > code ? use.executable - code : 0);
    kilobytes(text, "VmPTE", use.page_tables);
    kilobytes(text, "VmSwap", 0);
    kilobytes(text, "HugetlbPages", 0);
    text.append("CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n");
}

void show_signals_and_rights(const ProcessFigures& figures, Text& text) {
    text.format("Threads:\t{}\nSigQ:\t{}/{}\n", figures.threads, figures.queued_signals, figures.queued_signals_limit);
    text.format("SigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
                figures.pending, figures.shared_pending, figures.blocked, figures.ignored, figures.caught);
    text.format("CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n",
                figures.inheritable, figures.permitted, figures.effective, figures.bounding, figures.ambient);
    text.format("NoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0\n", u32{figures.no_new_privileges});
}

void show_processors(const ProcessFigures& figures, Text& text) {
    text.append("Cpus_allowed:\t");
    show_cpu_mask(text, figures.allowed_cpus);
    text.append("\nCpus_allowed_list:\t");
    show_cpu_list(text, figures.allowed_cpus);
    text.append("\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
    text.format("voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n", figures.voluntary_switches,
                figures.involuntary_switches);
}

}  // namespace

Result<void> show_status(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    const std::optional<Memory> memory = TRY(memory_of(request));
    show_ids(request, figures, text);
    if (memory) {
        show_memory(*memory, text);
    }
    show_signals_and_rights(figures, text);
    show_processors(figures, text);
    return {};
}

Result<void> show_stat(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    const std::optional<Memory> memory = TRY(memory_of(request));
    const bool may_look = request.may_look();
    constexpr u64 kRandomized = 0x0040'0000;  // PF_RANDOMIZE
    text.format("{} ({}) {} {} {} {} {} {} {} ", figures.thread, name_of(figures), figures.state, figures.parent,
                figures.group, figures.session, figures.terminal, figures.foreground_group, kRandomized);
    text.format("{} {} {} {} {} {} {} {} ", figures.minor_faults, figures.children_minor_faults, figures.major_faults,
                figures.children_major_faults, ticks(figures.user), ticks(figures.system), ticks(figures.children_user),
                ticks(figures.children_system));
    text.format("{} {} {} 0 {} ", figures.priority, figures.nice, figures.threads, ticks(figures.start_time));
    const Memory shown = memory.value_or(Memory{});
    text.format("{} {} {} ", shown.use.total * kPageSize, shown.use.resident(), figures.resident_limit);
    // Addresses only for those who could read them out of the process (and 1 for "there is some", as Linux says).
    const u64 hidden = memory ? 1 : 0;
    const mm::SpaceLayout& layout = shown.layout;
    text.format("{} {} {} 0 0 ", may_look ? layout.code_start.value : hidden, may_look ? layout.code_end.value : hidden,
                may_look ? layout.stack_start.value : 0);
    constexpr u64 kShown = 0x7fff'ffff;
    const bool sleeps = figures.state == 'S' || figures.state == 'D';
    text.format("{} {} {} {} {} 0 0 {} {} {} {} 0 0 0 ", figures.pending & kShown, figures.blocked & kShown,
                figures.ignored & kShown, figures.caught & kShown, u32{may_look && sleeps}, figures.exit_signal,
                figures.last_cpu, figures.realtime_priority, figures.policy);
    if (may_look && memory) {
        text.format("{} {} {} {} {} {} {} {}\n", layout.data_start.value, layout.data_end.value,
                    layout.break_start.value, layout.arguments_start.value, layout.arguments_end.value,
                    layout.environment_start.value, layout.environment_end.value, figures.exit_code);
    } else {
        text.format("0 0 0 0 0 0 0 {}\n", may_look ? figures.exit_code : 0);
    }
    return {};
}

Result<void> show_statm(Request& request, Text& text) {
    const Memory memory = TRY(memory_of(request)).value_or(Memory{});
    const mm::SpaceStatistics& use = memory.use;
    text.format("{} {} {} {} 0 {} 0\n", use.total, use.resident(), use.resident_file + use.resident_shared,
                memory.text_bytes() / kPageSize, use.data + use.stack);
    return {};
}

}  // namespace cairn::procfs
