#include "kernel/devices.h"

#include "drivers/acpi/interrupt_routing.h"
#include "drivers/clock/real_time_clock.h"
#include "drivers/devices/address_ranges.h"
#include "drivers/firmware/smbios.h"
#include "drivers/pci/buses.h"
#include "fs/devtmpfs/clock_device.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/power_button.h"

namespace cairn {

namespace {

void note(std::string_view what, const Result<void>& result) {
    if (result.error() == Errno::enodev || result.error() == Errno::enoent) {
        log_info("devices", "{}: none", what);
    } else if (!result.ok()) {
        log_warning("devices", "{}: {}", what, result.error());
    }
}

Result<void> start_clock_device(const arch::PlatformDescription& platform) {
    drivers::RealTimeClock* clock = TRY(drivers::RealTimeClock::start(platform));
    return fs::devtmpfs::register_clock_device(*clock);
}

}  // namespace

void start_devices(const arch::PlatformDescription& platform, const boot::Information& information) {
    devices::address_ranges().add_machine(platform, information);
    note("acpi tables", acpi::KeptTables::load(information.acpi, information.memory_map));
    if (g_kernel.acpi_tables != nullptr) {
        note("acpi tables in sysfs", g_kernel.acpi_tables->add_nodes());
    }
    note("smbios", firmware::start_smbios(information));
    note("power button", start_power_button(platform));
    note("rtc", start_clock_device(platform));
    note("pci", pci::Buses::start(platform, information.memory_map));
    if (g_kernel.pci != nullptr) {
        if (g_kernel.acpi_tables != nullptr) {
            note("pci interrupts",
                 acpi::route_pci_interrupts(*g_kernel.acpi_tables, *g_kernel.pci, platform, information.memory_map));
        }
        note("pci in sysfs", g_kernel.pci->add_nodes());
        note("pci drivers", g_kernel.pci->probe_drivers());
    }
}

}  // namespace cairn
