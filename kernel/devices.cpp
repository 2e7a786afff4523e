#include "kernel/devices.h"

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
    note("pci", pci::Buses::start(platform, information.memory_map));
    if (g_kernel.pci != nullptr) {
        note("pci in sysfs", g_kernel.pci->add_nodes());
        note("pci drivers", g_kernel.pci->probe_drivers());
    }
}

}  // namespace cairn
