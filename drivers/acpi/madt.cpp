#include "drivers/acpi/madt.h"

#include "drivers/acpi/tables.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

using arch::PlatformDescription;

struct MadtHeader {
    TableHeader header;
    u32 local_apic;
    u32 flags;
};
constexpr u32 kHasLegacyPics = 1u << 0;  // PCAT_COMPAT

struct EntryHeader {
    u8 type;
    u8 length;
};
enum EntryType : u8 {
    kLocalApic = 0,
    kIoApic = 1,
    kInterruptOverride = 2,
    kLocalApicAddress = 5,
    kLocalX2Apic = 9,
};

struct LocalApic {
    EntryHeader header;
    u8 processor;
    u8 id;
    u32 flags;
};
constexpr u32 kEnabled = 1u << 0;  // without it a CPU may come later ("online capable"), or never
struct IoApic {
    EntryHeader header;
    u8 id;
    u8 reserved;
    u32 address;
    u32 first_gsi;
};
struct InterruptOverrideEntry {
    EntryHeader header;
    u8 bus;
    u8 source;
    u32 gsi;
    u16 flags;
} __attribute__((packed));
struct LocalApicAddress {
    EntryHeader header;
    u16 reserved;
    u64 address;
} __attribute__((packed));
struct LocalX2Apic {
    EntryHeader header;
    u16 reserved;
    u32 id;
    u32 flags;
    u32 processor;
};
static_assert(sizeof(LocalApic) == 8 && sizeof(IoApic) == 12 && sizeof(InterruptOverrideEntry) == 10 &&
              sizeof(LocalApicAddress) == 12 && sizeof(LocalX2Apic) == 16);

void add_cpu(PlatformDescription& platform, u32 id, u32 flags) {
    if ((flags & kEnabled) == 0) {
        return;
    }
    // Firmware may name a CPU twice, as local APIC and as local x2APIC.
    for (u32 i = 0; i < platform.cpu_count; ++i) {
        if (platform.cpu_hardware_id[i] == id) {
            return;
        }
    }
    if (platform.cpu_count == kMaxCpus) {
        ++platform.cpus_ignored;
        return;
    }
    platform.cpu_hardware_id[platform.cpu_count++] = id;
}

void add_io_controller(PlatformDescription& platform, const IoApic& entry) {
    if (platform.io_controller_count == PlatformDescription::kMaxIoControllers) {
        log_warning("acpi", "too many I/O interrupt controllers; left out: {:#x}", entry.address);
        return;
    }
    platform.io_controllers[platform.io_controller_count++] = {{entry.address}, entry.first_gsi, entry.id};
}

/// MPS INTI flags (table 5.26). "As the bus specifies" is edge and active high for ISA.
arch::InterruptTrigger trigger_of(u16 flags) {
    bool low = (flags & 3) == 3;
    bool level = (flags >> 2 & 3) == 3;
    if (level) {
        return low ? arch::InterruptTrigger::LevelLow : arch::InterruptTrigger::LevelHigh;
    }
    return low ? arch::InterruptTrigger::EdgeLow : arch::InterruptTrigger::EdgeHigh;
}

void add_override(PlatformDescription& platform, const InterruptOverrideEntry& entry) {
    constexpr u32 kIsaIrqs = 16;
    bool fits =
        entry.bus == 0 && entry.source < kIsaIrqs && platform.override_count < PlatformDescription::kMaxOverrides;
    if (!fits) {
        log_warning("acpi", "interrupt override of bus {} line {} ignored", entry.bus, entry.source);
        return;
    }
    platform.overrides[platform.override_count++] = {entry.source, entry.gsi, trigger_of(entry.flags)};
}

/// `entry` has the length that its header claims; too short a one for its type is ignored.
void read_entry(PlatformDescription& platform, u8 type, Bytes entry) {
    // x2APIC ids below 255 are listed as local APICs; 255 is "all CPUs" there (5.2.12.2).
    constexpr u8 kNoApicId = 0xff;
    switch (type) {
        case kLocalApic:
            if (auto cpu = load_at<LocalApic>(entry, 0); cpu && cpu->id != kNoApicId) {
                add_cpu(platform, cpu->id, cpu->flags);
            }
            return;
        case kIoApic:
            if (auto controller = load_at<IoApic>(entry, 0)) {
                add_io_controller(platform, *controller);
            }
            return;
        case kInterruptOverride:
            if (auto override = load_at<InterruptOverrideEntry>(entry, 0)) {
                add_override(platform, *override);
            }
            return;
        case kLocalApicAddress:
            if (auto address = load_at<LocalApicAddress>(entry, 0)) {
                platform.local_apic = {address->address};
            }
            return;
        case kLocalX2Apic:
            if (auto cpu = load_at<LocalX2Apic>(entry, 0); cpu && cpu->id != ~u32{0}) {
                add_cpu(platform, cpu->id, cpu->flags);
            }
            return;
        default:  // NMI sources keep the state that the firmware gave them
            return;
    }
}

}  // namespace

void read_madt(Bytes table, PlatformDescription& platform) {
    std::optional<MadtHeader> header = load_at<MadtHeader>(table, 0);
    if (!header) {
        log_warning("acpi", "damaged MADT");
        return;
    }
    platform.local_apic = {header->local_apic};
    platform.has_legacy_pics = (header->flags & kHasLegacyPics) != 0;
    u64 offset = sizeof(MadtHeader);
    while (std::optional<EntryHeader> entry = load_at<EntryHeader>(table, offset)) {
        if (entry->length < sizeof(EntryHeader) || entry->length > table.size() - offset) {
            log_warning("acpi", "MADT: entry at offset {} claims {} bytes", offset, entry->length);
            break;
        }
        read_entry(platform, entry->type, slice(table, offset, entry->length));
        offset += entry->length;
    }
    if (platform.cpus_ignored != 0) {
        log_warning("acpi", "{} CPUs beyond the first {} are not used", platform.cpus_ignored, kMaxCpus);
    }
}

}  // namespace cairn::acpi
