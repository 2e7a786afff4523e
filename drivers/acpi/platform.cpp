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

}  // namespace

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
