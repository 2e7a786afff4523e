/// Start-up, readable as a table of contents. Each stage needs what the stages before it made; a
/// failure here means that this machine cannot run the kernel, and panics with the reason.

#include "arch/upcalls.h"
#include "drivers/acpi/platform.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/boot/information.h"
#include "kernel/boot/options.h"
#include "kernel/crash.h"
#include "kernel/processors.h"
#include "kernel/sched/scheduler.h"
#include "kernel/stress/stress.h"
#include "kernel/time/clock.h"
#include "mm/initialize.h"

namespace cairn {

namespace {

/// What start-up builds and the kernel keeps, in static storage because it is there before the heap.
struct StartUp {
    PerCpu boot_cpu;
    boot::Information information;
    boot::Options options;
    arch::PlatformDescription platform;
};
constinit StartUp start_up;

/// Physical memory as the boot page tables show it.
class BootMappedMemory final : public PhysicalReader {
public:
    std::span<const std::byte> view(PhysicalAddress address, usize size) override {
        PhysicalAddress limit = arch::boot_mapped_limit();
        if (address >= limit || size > limit - address) {
            return {};
        }
        return {static_cast<const std::byte*>(arch::direct_map(address)), size};
    }
};

void read_boot_information(const arch::BootHandover& handover, PhysicalReader& memory) {
    Result<void> parsed = boot::parse_handover(handover, memory, start_up.information);
    start_up.options.parse(start_up.information.command_line());
    set_console_level(start_up.options.log_level);
    set_panic_timeout(start_up.options.panic_timeout);
    log_notice("boot", "Cairn, a kernel for Linux programs, x86-64{}", CAIRN_CHECKS ? ", with checks" : "");
    log_info("boot", "command line: {}", start_up.information.command_line());
    boot::log_information(start_up.information);
    if (!parsed.ok()) {
        panic("the boot loader's information cannot be used: {}", parsed.error());
    }
}

void read_platform_tables(PhysicalReader& memory) {
    u32 boot_cpu = arch::this_cpu().hardware_id;
    Result<void> described =
        acpi::describe_platform(start_up.information.acpi, memory, boot_cpu, start_up.platform);
    if (!described.ok()) {
        log_warning("acpi", "no usable tables ({}): one CPU, legacy devices", described.error());
    }
}

void start_clock() {
    std::string_view name = arch::initialize_clock(start_up.platform, mm::map_registers);
    log_info("time", "clock source {}", name);
}

/// What is left to do when everything runs: there are no programs yet, so the command line decides.
[[noreturn]] void run_after_boot() {
    const boot::Options& options = start_up.options;
    bool passed = true;
    if (options.stress_seconds != 0) {
        passed = stress::run(Nanoseconds::from_seconds(options.stress_seconds));
    }
    crash_deliberately(options.crash);
    if (!passed) {
        panic("the stress test failed");
    }
    switch (options.after_boot) {
        case boot::AfterBoot::Reboot:
            log_notice("boot", "rebooting");
            arch::reboot();
        case boot::AfterBoot::Halt:
            log_notice("boot", "halting");
            arch::stop_other_cpus();
            arch::park();
        case boot::AfterBoot::RunInit:
            log_notice("boot", "there is no first program to run: powering off");
            arch::power_off();
        case boot::AfterBoot::PowerOff:
            arch::power_off();
    }
    __builtin_unreachable();
}

}  // namespace

void kernel_boot(const arch::BootHandover& handover) {
    arch::initialize_cpu(start_up.boot_cpu);
    g_kernel.cpus[0] = &start_up.boot_cpu;
    g_kernel.cpu_count = 1;

    BootMappedMemory memory;
    read_boot_information(handover, memory);
    read_platform_tables(memory);

    must(mm::initialize(start_up.information), "not enough memory to start");
    arch::initialize_interrupts(start_up.platform, mm::map_registers);
    start_clock();
    must(sched::initialize_boot_cpu(), "not enough memory for the scheduler");
    start_other_processors(start_up.platform, start_up.options.max_cpus);
    mm::finish_start_up();

    log_notice("boot", "complete in {} ms", time::now().value / 1'000'000);
    run_after_boot();
}

}  // namespace cairn
