/// /proc/iomem and /proc/ioports (proc(5)), and /proc/bus/pci/devices.

#include "drivers/devices/device_tree.h"
#include "drivers/pci/buses.h"
#include "fs/procfs/system_files.h"
#include "fs/vfs/credentials.h"

namespace cairn::procfs {

/// Who is no administrator sees what there is, but not where, as since Linux 4.6.
Result<void> show_address_ranges(Request& request, Text& text) {
    const bool ports = request.argument == kPortRanges;
    const bool privileged = request.context.credentials.has(vfs::Capability::SysAdmin);
    devices::address_ranges().for_each(ports ? devices::RangeKind::Ports : devices::RangeKind::Memory,
                                       [&](u32 level, u64 first, u64 last, std::string_view name) {
                                           text.append(std::string_view("          ").substr(0, usize{2} * level));
                                           first = privileged ? first : 0;
                                           last = privileged ? last : 0;
                                           if (ports) {
                                               text.format("{:04x}-{:04x} : {}\n", first, last, name);
                                           } else {
                                               text.format("{:08x}-{:08x} : {}\n", first, last, name);
                                           }
                                       });
    return {};
}

Result<void> show_pci_devices(Request&, Text& text) {
    constexpr usize kLongest = 512;
    if (g_kernel.pci == nullptr) {
        return {};
    }
    pci::for_each_device(*g_kernel.pci, [&](pci::Device& device) {
        char storage[kLongest];
        TextBuffer line{std::span(storage)};
        pci::Buses::write_line(device, line);
        text.append(line.view());
    });
    return {};
}

}  // namespace cairn::procfs
