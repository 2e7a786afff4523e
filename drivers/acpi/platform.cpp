#include "drivers/acpi/platform.h"

#include "drivers/acpi/fadt.h"
#include "drivers/acpi/madt.h"
#include "drivers/acpi/mcfg.h"
#include "drivers/acpi/soft_off.h"
#include "drivers/acpi/spcr.h"
#include "drivers/acpi/srat.h"
#include "drivers/acpi/tables.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

using arch::PlatformDescription;

/// Where processors have them after a reset, and messages of devices go there whatever else is set.
constexpr PhysicalAddress kUsualLocalApic{0xfee0'0000};

constexpr arch::GenericAddress PlatformDescription::* kRegisters[] = {
    &PlatformDescription::reset_register, &PlatformDescription::pm1a_event,    &PlatformDescription::pm1b_event,
    &PlatformDescription::gpe0,           &PlatformDescription::gpe1,          &PlatformDescription::pm1a_control,
    &PlatformDescription::pm1b_control,   &PlatformDescription::sleep_control, &PlatformDescription::console_port};

/// The first HPET (IA-PC HPET specification 1.0a, 3.2.4).
void read_hpet(Bytes table, PlatformDescription& platform) {
    constexpr u64 kBaseAddress = 40;
    constexpr u8 kSpaceMemory = 0;
    arch::GenericAddress base = load_generic_address(table, kBaseAddress);
    // Its width is zero with some firmware, so register_usable does not fit.
    if (base.space == kSpaceMemory && base.address < boot::MemoryMap::kAddressLimit.value) {
        platform.hpet = {base.address};
    }
}

/// \_S5 stands in the DSDT, or in an SSDT where firmware is put together from parts.
void read_soft_off(const TableDirectory& tables, PhysicalAddress dsdt, PlatformDescription& platform) {
    std::optional<SoftOff> found;
    if (dsdt.value != 0) {
        found = find_soft_off(slice(tables.table_at(dsdt, "DSDT"), sizeof(TableHeader)));
    }
    usize position = 0;
    while (!found) {
        Bytes ssdt = tables.find_next("SSDT", position);
        if (ssdt.empty()) {
            log_info("acpi", "no \\_S5: the machine cannot be switched off this way");
            return;
        }
        found = find_soft_off(slice(ssdt, sizeof(TableHeader)));
    }
    platform.soft_off_known = true;
    platform.soft_off_type_a = found->type_a;
    platform.soft_off_type_b = found->type_b;
}

void say_impossible(std::string_view what, PhysicalAddress address) {
    log_warning("acpi", "{} at {}: it cannot be there, and is not used", what, address);
}

bool lies_in_memory(const boot::MemoryMap& memory, PhysicalAddress address, std::string_view what) {
    const bool inside = memory.has_ram({address, address + 1});
    if (inside) {
        say_impossible(what, address);
    }
    return inside;
}

}  // namespace

void check_against_memory(const boot::MemoryMap& memory, PlatformDescription& platform) {
    u32 kept = 0;
    for (u32 i = 0; i < platform.io_controller_count; ++i) {
        const arch::IoInterruptController& controller = platform.io_controllers[i];
        if (!lies_in_memory(memory, controller.address, "IOAPIC")) {
            platform.io_controllers[kept++] = controller;
        }
    }
    platform.io_controller_count = kept;
    if (platform.local_apic != kUsualLocalApic) {
        say_impossible("local APIC", platform.local_apic);
        platform.local_apic = kUsualLocalApic;
    }
    if (platform.hpet.value != 0 && lies_in_memory(memory, platform.hpet, "HPET")) {
        platform.hpet = {};
    }
    for (arch::GenericAddress PlatformDescription::* member : kRegisters) {
        arch::GenericAddress& address = platform.*member;
        if (address.width != 0 && address.space == 0 && lies_in_memory(memory, {address.address}, "register")) {
            address = {};
        }
    }
    platform.has_power_button = platform.has_power_button && platform.pm1a_event.width != 0;
}

void describe_without_tables(u32 boot_cpu, PlatformDescription& platform) {
    std::destroy_at(&platform);
    std::construct_at(&platform);
    platform.cpu_count = 1;
    platform.cpu_hardware_id[0] = boot_cpu;
}

Result<void> describe_platform(const boot::AcpiRoot& root, PhysicalReader& memory, u32 boot_cpu,
                               PlatformDescription& platform) {
    describe_without_tables(boot_cpu, platform);
    RootTables root_tables = TRY(find_root_tables(root, memory));
    TableDirectory tables = TRY(TableDirectory::open(root_tables, memory));
    Bytes madt = tables.find("APIC");
    if (madt.empty()) {
        log_warning("acpi", "no MADT: one CPU, legacy interrupts");
    } else {
        read_madt(madt, platform);
    }
    Bytes srat = tables.find("SRAT");
    if (!srat.empty()) {
        read_srat(srat, platform);
    }
    Bytes hpet = tables.find("HPET");
    if (!hpet.empty()) {
        read_hpet(hpet, platform);
    }
    Bytes mcfg = tables.find("MCFG");
    if (!mcfg.empty()) {
        read_mcfg(mcfg, platform);
    }
    Bytes spcr = tables.find("SPCR");
    if (!spcr.empty()) {
        read_spcr(spcr, platform);
    }
    Bytes fadt = tables.find("FACP");
    if (!fadt.empty()) {
        PhysicalAddress dsdt = read_fadt(fadt, platform);
        read_soft_off(tables, dsdt, platform);
    }
    return {};
}

}  // namespace cairn::acpi
