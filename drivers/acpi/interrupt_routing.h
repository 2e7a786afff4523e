#pragma once
/// Where the pins of PCI devices arrive, as the firmware's _PRT say (ACPI 6.5, 6.2.13), through the interpreter of AML.

#include "drivers/acpi/aml/interpreter.h"
#include "drivers/acpi/kept_tables.h"
#include "drivers/pci/buses.h"

namespace cairn::acpi {

/// An interrupt out of a link device's _CRS (6.4.2.1 and 6.4.3.6); nothing: there is none in it. ISA interrupts as the
/// platform maps them.
std::optional<arch::InterruptLine> interrupt_of_resources(std::span<const u8> resources,
                                                          const arch::PlatformDescription& platform);

/// Tells the firmware that IOAPICs are used (_PIC) and gives each device with a pin its line, as far as that is known;
/// logs what was not. ENOMEM.
Result<void> route_pci_interrupts(const KeptTables& tables, pci::Buses& buses,
                                  const arch::PlatformDescription& platform, const boot::MemoryMap& memory);

}  // namespace cairn::acpi
