#include "kernel/devices.h"

#include "drivers/acpi/kept_tables.h"
#include "drivers/firmware/smbios.h"
#include "drivers/pci/buses.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"

namespace cairn {

namespace {

void note(std::string_view what, const Result<void>& result) {
    if (!result.ok()) {
        log_warning("devices", "{}: {}", what, result.error());
    }
}

}  // namespace

void start_devices(const arch::PlatformDescription& platform, const boot::Information& information) {
    note("acpi tables", acpi::KeptTables::load(information.acpi, information.memory_map));
    if (g_kernel.acpi_tables != nullptr) {
        note("acpi tables in sysfs", g_kernel.acpi_tables->add_nodes());
    }
    note("smbios", firmware::start_smbios(information));
    note("pci", pci::Buses::start(platform, information.memory_map));
    if (g_kernel.pci != nullptr) {
        note("pci in sysfs", g_kernel.pci->add_nodes());
        note("pci drivers", g_kernel.pci->probe_drivers());
    }
}

}  // namespace cairn
