#pragma once
/// Finding ACPI tables: from the root pointer over RSDT or XSDT to a table by its signature.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "kernel/base/bytes.h"
#include "kernel/base/physical_reader.h"
#include "kernel/base/result.h"
#include "kernel/boot/information.h"

namespace cairn::acpi {

using Bytes = std::span<const std::byte>;

/// The header of every table (ACPI 6.5, 5.2.6).
struct TableHeader {
    char signature[4];
    u32 length;  // with this header
    u8 revision;
    u8 checksum;
    char oem_id[6];
    char oem_table_id[8];
    u32 oem_revision;
    u32 creator_id;
    u32 creator_revision;
};
static_assert(sizeof(TableHeader) == 36);

/// Bytes of all tables sum up to zero (5.2.5.3, 5.2.6).
bool checksum_ok(Bytes table);

/// A root pointer that has been checked: where the table of tables is.
struct RootTables {
    PhysicalAddress rsdt;  // 32-bit entries; zero: none
    PhysicalAddress xsdt;  // 64-bit entries, preferred; zero: none
};
/// Checks a root pointer's signature and sums (5.2.5.3).
std::optional<RootTables> parse_root_pointer(Bytes bytes);
/// Finds and checks the root pointer; ENOENT.
Result<RootTables> find_root_tables(const boot::AcpiRoot& root, PhysicalReader& memory);

/// The tables that RSDT or XSDT list. Borrows the reader.
class TableDirectory {
public:
    /// EINVAL when neither root table can be used.
    static Result<TableDirectory> open(const RootTables& root, PhysicalReader& memory);

    /// The first valid table with this signature; empty when there is none.
    Bytes find(std::string_view signature) const {
        usize position = 0;
        return find_next(signature, position);
    }
    /// The first one at or behind `position` in the list, which moves behind it; starts with zero.
    Bytes find_next(std::string_view signature, usize& position) const;
    /// The table at a place of the list, whatever it is: empty when it is damaged; nothing behind the list.
    std::optional<Bytes> at(usize position) const;
    /// The table at an address, if its length and sum are right and the signature is as expected.
    Bytes table_at(PhysicalAddress address, std::string_view signature) const;

private:
    std::optional<PhysicalAddress> address_at(usize position) const;

    /// More tables than any machine has; bounds the time spent on a damaged list.
    static constexpr usize kMaxTables = 256;

    TableDirectory(PhysicalReader& memory, Bytes entries, usize entry_size)
        : memory_(&memory), entries_(entries), entry_size_(entry_size) {}

    PhysicalReader* memory_;
    Bytes entries_;     // addresses, `entry_size_` bytes each
    usize entry_size_;  // 4 or 8
};

}  // namespace cairn::acpi
