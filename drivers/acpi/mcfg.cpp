#include "drivers/acpi/mcfg.h"

#include "drivers/acpi/tables.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

struct McfgEntry {
    u64 base;  // of bus 0, whichever bus is the first
    u16 segment;
    u8 first_bus;
    u8 last_bus;
    u32 reserved;
};
static_assert(sizeof(McfgEntry) == 16);

constexpr u64 kFirstEntry = 44;
constexpr u64 kBytesOfBus = kMiB;

bool possible(const McfgEntry& entry) {
    const u64 limit = boot::MemoryMap::kAddressLimit.value;
    return entry.base != 0 && is_aligned(entry.base, kBytesOfBus) && entry.base < limit - 256 * kBytesOfBus &&
           entry.first_bus <= entry.last_bus;
}

}  // namespace

void read_mcfg(Bytes table, arch::PlatformDescription& platform) {
    for (u64 offset = kFirstEntry; std::optional<McfgEntry> entry = load_at<McfgEntry>(table, offset);
         offset += sizeof(McfgEntry)) {
        if (!possible(*entry) || platform.pci_window_count == arch::PlatformDescription::kMaxPciWindows) {
            log_warning("acpi", "MCFG: window of segment {} at {:#x} for buses {}-{} ignored", entry->segment,
                        entry->base, entry->first_bus, entry->last_bus);
            continue;
        }
        platform.pci_windows[platform.pci_window_count++] = {
            {entry->base + entry->first_bus * kBytesOfBus}, entry->segment, entry->first_bus, entry->last_bus};
    }
}

}  // namespace cairn::acpi
