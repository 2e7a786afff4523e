/// Start-up, readable as a table of contents. Each stage needs what the stages before it made; a
/// failure here means that this machine cannot run the kernel, and panics with the reason.

#include <new>

#include "arch/upcalls.h"
#include "drivers/acpi/platform.h"
#include "drivers/display/find_screen.h"
#include "exec/program_support.h"
#include "fs/terminal/display.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/boot/information.h"
#include "kernel/boot/options.h"
#include "kernel/crash.h"
#include "kernel/devices.h"
#include "kernel/power.h"
#include "kernel/processors.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sched/scheduler.h"
#include "kernel/start_up.h"
#include "kernel/stress/stress.h"
#include "kernel/task/autogroup.h"
#include "kernel/time/clock.h"
#include "kernel/user_space.h"
#include "mm/address_space.h"
#include "mm/frame_allocator.h"
#include "mm/initialize.h"
#include "mm/kernel_space.h"

namespace cairn {

namespace {

/// What start-up builds and the kernel keeps, in static storage because it is there before the heap.
/// One by one, so that those that begin as zeros take no room in the image.
struct StartUp {
    PerCpu& boot_cpu;
    boot::Information& information;
    boot::Options& options;
    mm::EarlyMemory& early_memory;
    arch::PlatformDescription& platform;
};
constinit PerCpu the_boot_cpu;
constinit boot::Information the_information;
constinit boot::Options the_options;
constinit mm::EarlyMemory the_early_memory;
constinit arch::PlatformDescription the_platform;
constexpr StartUp start_up{the_boot_cpu, the_information, the_options, the_early_memory, the_platform};

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
    log_notice("boot", "Cairn, a kernel for Linux programs, x86-64{}", CAIRN_CHECKS ? ", with checks" : "");
    Result<void> parsed = boot::parse_handover(handover, memory, start_up.information);
    g_kernel.command_line = start_up.information.command_line();
    start_up.options.parse(g_kernel.command_line);
    set_console_level(start_up.options.log_level);
    set_panic_timeout(start_up.options.panic_timeout);
    boot::log_information(start_up.information);
    if (!parsed.ok()) {
        panic("the boot loader's information cannot be used: {}", parsed.error());
    }
}

void read_platform_tables(PhysicalReader& memory) {
    u32 boot_cpu = arch::this_cpu().hardware_id;
    Result<void> described = acpi::describe_platform(start_up.information.acpi, memory, boot_cpu, start_up.platform);
    if (!described.ok()) {
        log_warning("acpi", "no usable tables ({}): one CPU, legacy devices", described.error());
    }
    acpi::check_against_memory(start_up.information.memory_map, start_up.platform);
}

void start_memory() {
    mm::collect_memory(start_up.information, start_up.early_memory);
    must(mm::create_kernel_space(start_up.information, start_up.early_memory), "no memory for the kernel's space");
    must(mm::create_allocators(start_up.early_memory), "no memory for the frame allocator");
    must(mm::create_tlb_directory(&sched::call_on_cpus), "no memory for the TLB directory");
    must(mm::prepare_cpu(arch::this_cpu()), "no memory for the boot CPU's caches");
}

/// Uncached registers, for arch's drivers of APICs and clocks; see arch::MapRegisters.
void* map_registers(PhysicalRange registers) {
    Result<void*> mapped = g_kernel.kernel_space->map_device(registers);
    return mapped.ok() ? mapped.value() : nullptr;
}

void start_clock() {
    std::string_view name = arch::initialize_clock(start_up.platform, map_registers);
    log_info("time", "clock source {}", name);
}

/// From here on the log is seen by whoever sits in front of the machine.
void start_screen() {
    Result<drivers::Screen*> screen = drivers::find_screen(start_up.information);
    if (!screen.ok()) {
        log_info("display", "no screen ({})", screen.error());
        return;
    }
    must(fs::terminal::Display::start(*screen.value(),
                                      start_up.information.memory_map.total(boot::MemoryRegion::Kind::Usable)),
         "no memory for the screen");
    if (start_up.options.consoles.keeps_log_from_screen()) {
        g_kernel.display->leave_log();
    }
}

/// Option fail_nth: a request for memory that fails, to see what its caller makes of it.
void arm_failure_injection() {
    u64 nth = start_up.options.fail_nth;
    if (nth == 0) {
        return;
    }
    if (!mm::FailureInjector::kAvailable) {
        log_warning("mm", "fail_nth= needs a kernel built with CAIRN_CHECKS");
        return;
    }
    log_notice("mm", "memory request {} from now on will fail", nth);
    g_kernel.frames->failure_injector().fail_once_at(nth - 1);
}

/// What was logged last is seen before the machine stops.
void finish_screen() {
    if (g_kernel.display != nullptr) {
        g_kernel.display->settle();
    }
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
            finish_log();
            finish_screen();
            arch::reboot();
        case boot::AfterBoot::Halt:
            log_notice("boot", "halting");
            finish_log();
            finish_screen();
            arch::stop_other_cpus();
            arch::park();
        case boot::AfterBoot::RunInit:
            if (start_first_program(options, start_up.information)) {
                sched::exit_current_thread();
            }
            log_notice("boot", "there is no first program to run: powering off");
            finish_log();
            arch::power_off();
        case boot::AfterBoot::PowerOff:
            finish_log();
            arch::power_off();
    }
    __builtin_unreachable();
}

}  // namespace

void reset_start_up() {
    new (&the_boot_cpu) PerCpu;
    new (&the_information) boot::Information;
    new (&the_options) boot::Options;
    new (&the_early_memory) mm::EarlyMemory;
    new (&the_platform) arch::PlatformDescription;
}

void kernel_boot(const arch::BootHandover& handover) {
    arch::initialize_cpu(start_up.boot_cpu);
    g_kernel.cpus[0] = &start_up.boot_cpu;
    g_kernel.cpu_count = 1;

    BootMappedMemory memory;
    read_boot_information(handover, memory);
    read_platform_tables(memory);

    start_memory();
    arch::initialize_interrupts(start_up.platform, map_registers);
    start_clock();
    start_screen();
    must(sched::initialize_boot_cpu(), "no memory for the scheduler");
    g_kernel.scheduler->address_space_switch = &mm::switch_address_space;
    start_other_processors(start_up.platform, start_up.options.max_cpus);
    must(mm::create_system_memory(), "no memory for the counters of memory");
    start_user_layers(start_up.options, start_up.platform);
    if (start_up.options.no_autogroup) {
        task::set_autogroup_enabled(false);
    }
    start_devices(start_up.platform, start_up.information);
    if (start_up.information.modules().empty() || start_up.options.after_boot != boot::AfterBoot::RunInit) {
        mm::reclaim_boot_memory();  // else process 1 does, when it has unpacked them
        mm::log_memory();
    }

    log_notice("boot", "complete in {} ms", time::now().value / 1'000'000);
    arm_failure_injection();
    run_after_boot();
}

}  // namespace cairn
