#pragma once
/// Copies of ACPI's tables, for programs (/sys/firmware/acpi/tables) and for the AML in them. The firmware's own go
/// away with the memory that the boot loader left. g_kernel.acpi_tables; null where there are none.

#include "drivers/acpi/tables.h"
#include "drivers/devices/device_tree.h"
#include "kernel/base/own.h"
#include "kernel/base/own_array.h"
#include "kernel/boot/memory_map.h"

namespace cairn::acpi {

struct KeptTable {
    static constexpr usize kSignature = 4;
    char signature[kSignature];
    char file_name[kSignature + 8];  // in /sys
    OwnArray<std::byte> bytes;
    KeptTable* next = nullptr;  // owned

    std::string_view name() const { return {signature, kSignature}; }
};

class KeptTables {
public:
    /// Copies what RSDT or XSDT list, and the DSDT; damaged ones are left out, with a log line. ENOENT, EINVAL: there
    /// is no list; ENOMEM. Start-up, thread context, before the boot loader's memory is given away.
    static Result<void> load(const boot::AcpiRoot& root, const boot::MemoryMap& memory);
    /// Enters them into the tree of devices. ENOMEM.
    Result<void> add_nodes();

    KeptTable* first() const { return first_; }
    /// The first one behind `after` (null: of all) with this signature; null: there is none.
    KeptTable* find(std::string_view signature, KeptTable* after = nullptr) const;

    KeptTables() = default;
    ~KeptTables();

private:
    Result<void> keep(Bytes table);
    KeptTable* first_ = nullptr;  // owned
    KeptTable* last_ = nullptr;
    OwnArray<devices::Attribute> attributes_;
};

}  // namespace cairn::acpi
