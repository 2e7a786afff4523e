#pragma once
/// Reads the machine's description out of ACPI's static tables (ACPI 6.5, chapter 5): CPUs and
/// interrupt controllers (MADT), power management registers (FADT), the HPET, which memory is near which CPU (SRAT, for
/// the log only), and from the AML only \_S5. Everything in the tables is untrusted: lengths are checked, sums
/// verified, counts bounded, and a damaged table is left out with a log line.

#include "arch/platform.h"
#include "kernel/base/physical_reader.h"
#include "kernel/base/result.h"
#include "kernel/boot/information.h"

namespace cairn::acpi {

/// A PC without tables: the boot CPU alone, a local APIC at its usual place, legacy PICs, a CMOS
/// clock. `boot_cpu` is the calling CPU's local APIC id.
void describe_without_tables(u32 boot_cpu, arch::PlatformDescription& platform);

/// What the tables say; the boot CPU becomes entry 0 even if they forget it. `root` is what the
/// boot loader said; when that leads nowhere, the BIOS area is searched (5.2.5.1). ENOENT when
/// there is no root pointer, EINVAL when neither RSDT nor XSDT can be used: `platform` then is as
/// of describe_without_tables. (An out parameter, because 3 KiB are too much for a boot stack to
/// hand around.)
Result<void> describe_platform(const boot::AcpiRoot& root, PhysicalReader& memory, u32 boot_cpu,
                               arch::PlatformDescription& platform);

/// Leaves out registers that lie in memory, where writing them would be writing over something: the tables are damaged.
/// Local APICs are where every processor has them. A line in the log for each change.
void check_against_memory(const boot::MemoryMap& memory, arch::PlatformDescription& platform);

}  // namespace cairn::acpi
