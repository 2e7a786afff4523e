#include "kernel/processors.h"

#include "arch/arch.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "kernel/sched/scheduler.h"
#include "mm/initialize.h"
#include "mm/kernel_space.h"

namespace cairn {

namespace {

/// The first C++ of a CPU that has just been started, on the stack of its idle thread.
void secondary_cpu_entry(PerCpu&) {
    sched::run_secondary_cpu();
}

/// The CPU's blocks are made before it runs and stay for ever, also when it never answers: it might
/// wake up late and look at them.
Result<void> start_processor(u32 hardware_id) {
    Own<PerCpu> block = TRY(try_new<PerCpu>());
    block->index = {g_kernel.cpu_count};
    block->hardware_id = hardware_id;
    TRY(mm::prepare_cpu(*block));
    PerCpu& cpu = *block.release();
    g_kernel.cpus[cpu.index.value] = &cpu;
    TRY(sched::prepare_cpu(cpu));
    ++g_kernel.cpu_count;
    return arch::start_cpu(cpu, sched::startup_stack_top(cpu), g_kernel.kernel_space->root(), secondary_cpu_entry);
}

}  // namespace

void start_other_processors(const arch::PlatformDescription& platform, u32 limit) {
    log_info("cpu", "CPU 0 online (APIC id {})", platform.cpu_hardware_id[0]);
    for (u32 i = 1; i < platform.cpu_count && g_kernel.cpu_count < limit; ++i) {
        CpuIndex index{g_kernel.cpu_count};
        Result<void> started = start_processor(platform.cpu_hardware_id[i]);
        if (started.ok()) {
            log_info("cpu", "CPU {} online (APIC id {})", index.value, platform.cpu_hardware_id[i]);
        } else {
            log_warning("cpu", "CPU with APIC id {} left out: {}", platform.cpu_hardware_id[i], started.error());
        }
    }
    if (platform.cpus_ignored != 0) {
        log_warning("cpu", "{} CPUs more than this kernel can use ({})", platform.cpus_ignored, kMaxCpus);
    }
}

}  // namespace cairn
