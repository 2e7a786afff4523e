/// What the CPUs did: stat, uptime, loadavg, interrupts, cpuinfo.

#include <algorithm>

#include "drivers/interrupt_lines.h"
#include "fs/procfs/system_files.h"
#include "fs/procfs/values.h"
#include "kernel/sched/run_queue.h"
#include "kernel/sched/scheduler.h"
#include "kernel/time/clock.h"

namespace cairn::procfs {

using sched::RunQueue;

namespace {

/// Calls `visit(PerCpu&)` for each CPU that schedules.
template <typename Visit>
void for_each_cpu(Visit visit) {
    g_kernel.online.snapshot(Order::relaxed).for_each([&](CpuIndex cpu) { visit(*g_kernel.cpus[cpu.value]); });
}

void show_cpu_times(Text& text, const RunQueue::Times& times) {
    text.format(" {} 0 {} {} 0 0 0 0 0 0\n", ticks(times.user), ticks(times.system), ticks(times.idle));
}

u64 interrupts_of(const PerCpu& cpu) {
    u64 sum = 0;
    for (const Atomic<u64>& count : cpu.interrupts) {
        sum += count.load(Order::relaxed);
    }
    return sum;
}

}  // namespace

/// proc_stat(5)
Result<void> show_system_statistics(Request& request, Text& text) {
    RunQueue::Times all{};
    u64 interrupts = 0;
    u64 switches = 0;
    Text lines;
    for_each_cpu([&](PerCpu& cpu) {
        const RunQueue::Times times = cpu.run_queue->times();
        all.user += times.user;
        all.system += times.system;
        all.idle += times.idle;
        interrupts += interrupts_of(cpu);
        switches += cpu.run_queue->switches.load(Order::relaxed);
        lines.format("cpu{}", cpu.index.value);
        show_cpu_times(lines, times);
    });
    TRY(lines.result());
    text.append("cpu ");
    show_cpu_times(text, all);
    text.append(lines.view());
    const SystemProcessFigures figures = request.processes().system();
    constexpr u64 kSecond = 1'000'000'000;
    const u64 boot = (time::wall_now() - time::now()).value / kSecond;
    text.format("intr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked {}\n", interrupts, switches,
                boot, figures.forks, figures.runnable, figures.blocked);
    text.append("softirq 0 0 0 0 0 0 0 0 0 0 0\n");
    return {};
}

/// proc_uptime(5)
Result<void> show_uptime(Request&, Text& text) {
    Nanoseconds idle;
    for_each_cpu([&](PerCpu& cpu) { idle += cpu.run_queue->times().idle; });
    text.hundredths(ticks(time::now()));
    text.append(' ');
    text.hundredths(ticks(idle));
    text.append('\n');
    return {};
}

/// proc_loadavg(5)
Result<void> show_load(Request& request, Text& text) {
    for (u32 i = 0; i < sched::LoadAverage::kAverages; ++i) {
        // Rounded to hundredths.
        constexpr u64 kOne = sched::LoadAverage::kOne;
        text.hundredths((g_kernel.scheduler->load.get(i) * 100 + kOne / 2) / kOne);
        text.append(' ');
    }
    const SystemProcessFigures figures = request.processes().system();
    text.format("{}/{} {}\n", figures.runnable, figures.threads, figures.last_pid);
    return {};
}

namespace {

/// The interrupts of devices all go to the first CPU.
void show_interrupt_line(u32 line, u64 count, Text& text) {
    text.format("{:4}:", line);
    for_each_cpu([&](PerCpu& cpu) { text.format(" {:10}", cpu.index.value == 0 ? count : 0); });
    text.format("  IO-APIC {:3}\n", line);
}

}  // namespace

/// proc_interrupts(5): the lines of devices, all of which go to the first CPU, and what CPUs and their timers say.
Result<void> show_interrupts(Request&, Text& text) {
    text.append("     ");
    for_each_cpu([&](PerCpu& cpu) {
        const usize start = text.size();
        text.format("      CPU{}", cpu.index.value);
        text.pad(start, 11);
    });
    text.append('\n');
    // Devices that share a line make one row, with the lowest line first.
    for (std::optional<u32> line = 0; line;) {
        std::optional<u32> next;
        u64 count = 0;
        bool present = false;
        drivers::interrupt_lines.for_each_device([&](u32 other, u64 interrupts) {
            count += other == *line ? interrupts : 0;
            present = present || other == *line;
            next = other > *line && (!next || other < *next) ? other : next;
        });
        if (present) {
            show_interrupt_line(*line, count, text);
        }
        line = next;
    }
    struct Row {
        arch::InterruptKind kind;
        std::string_view name, text;
    };
    constexpr Row kRows[] = {
        {arch::InterruptKind::Timer, " LOC", "Local timer interrupts"},
        {arch::InterruptKind::Reschedule, " RES", "Rescheduling interrupts"},
        {arch::InterruptKind::CrossCall, " CAL", "Function call interrupts"},
    };
    for (const Row& row : kRows) {
        text.format("{}:", row.name);
        for_each_cpu([&](PerCpu& cpu) {
            text.format(" {:10}", cpu.interrupts[static_cast<u32>(row.kind)].load(Order::relaxed));
        });
        text.format("  {}\n", row.text);
    }
    return {};
}

/// proc_cpuinfo(5)
Result<void> show_processors(Request&, Text& text) {
    for_each_cpu([&](PerCpu& cpu) {
        constexpr usize kMost = 4096;
        std::span<char> room = text.extend(kMost);
        TextBuffer lines(room);
        arch::describe_processor(cpu, lines);
        text.shrink(room.size() - lines.size());
    });
    return {};
}

}  // namespace cairn::procfs
