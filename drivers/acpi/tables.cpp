#include "drivers/acpi/tables.h"

#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

// The root pointer (5.2.5.3); it ends after `rsdt` in revision 0.
struct RootPointer {
    char signature[8];
    u8 checksum;
    char oem_id[6];
    u8 revision;
    u32 rsdt;
    u32 length;
    u64 xsdt;
    u8 extended_checksum;
    u8 reserved[3];
} __attribute__((packed));
constexpr usize kOldRootPointerSize = 20;
static_assert(sizeof(RootPointer) == boot::AcpiRoot::kMaxSize);

/// No table is larger; DSDTs of servers reach 1 MiB.
constexpr u32 kMaxTableSize = 16 * kMiB;

bool has_text(const char* characters, std::string_view expected) {
    return std::string_view(characters, expected.size()) == expected;
}

/// "RSD PTR " stands at a 16-byte boundary in the first KiB of the extended BIOS data area or in
/// the BIOS's read-only memory (5.2.5.1).
std::optional<RootTables> search(PhysicalReader& memory, PhysicalAddress start, usize size) {
    for (usize offset = 0; offset < size; offset += 16) {
        // A window may end with the area: then only the old, shorter form can be there.
        usize window = size - offset < sizeof(RootPointer) ? size - offset : sizeof(RootPointer);
        if (window < kOldRootPointerSize) {
            break;
        }
        std::optional<RootTables> found = parse_root_pointer(memory.view(start + offset, window));
        if (found) {
            return found;
        }
    }
    return std::nullopt;
}

std::optional<RootTables> search_bios_area(PhysicalReader& memory) {
    constexpr PhysicalAddress kEbdaSegment{0x40e};  // BIOS data area: real-mode segment of the EBDA
    constexpr PhysicalAddress kBiosStart{0xe0000};
    constexpr usize kBiosSize = 0x20000;
    std::optional<u16> segment = load_at<u16>(memory.view(kEbdaSegment, sizeof(u16)), 0);
    if (segment && *segment != 0) {
        std::optional<RootTables> found = search(memory, {u64{*segment} * 16}, kKiB);
        if (found) {
            return found;
        }
    }
    return search(memory, kBiosStart, kBiosSize);
}

}  // namespace

bool checksum_ok(Bytes table) {
    u8 sum = 0;
    for (std::byte byte : table) {
        sum = static_cast<u8>(sum + static_cast<u8>(byte));
    }
    return sum == 0;
}

std::optional<RootTables> parse_root_pointer(Bytes bytes) {
    RootPointer pointer = {};
    if (bytes.size() < kOldRootPointerSize) {
        return std::nullopt;
    }
    usize size = bytes.size() < sizeof(pointer) ? bytes.size() : sizeof(pointer);
    __builtin_memcpy(&pointer, bytes.data(), size);
    if (!has_text(pointer.signature, "RSD PTR ") || !checksum_ok(bytes.first(kOldRootPointerSize))) {
        return std::nullopt;
    }
    RootTables tables{{pointer.rsdt}, {0}};
    bool extended = pointer.revision >= 2 && size == sizeof(pointer) && checksum_ok(bytes.first(sizeof(pointer)));
    if (extended) {
        tables.xsdt = {pointer.xsdt};
    }
    return tables;
}

Result<RootTables> find_root_tables(const boot::AcpiRoot& root, PhysicalReader& memory) {
    std::optional<RootTables> found;
    if (root.copy_size != 0) {
        found = parse_root_pointer(Bytes(root.copy).first(root.copy_size));
    } else if (root.address.value != 0) {
        found = parse_root_pointer(memory.view(root.address, sizeof(RootPointer)));
    }
    if (!found) {
        found = search_bios_area(memory);
    }
    if (!found) {
        return fail(Errno::enoent);
    }
    return *found;
}

Result<TableDirectory> TableDirectory::open(const RootTables& root, PhysicalReader& memory) {
    TableDirectory none(memory, {}, 0);
    struct {
        PhysicalAddress address;
        std::string_view signature;
        usize entry_size;
    } const candidates[] = {{root.xsdt, "XSDT", sizeof(u64)}, {root.rsdt, "RSDT", sizeof(u32)}};
    for (const auto& candidate : candidates) {
        Bytes table = candidate.address.value == 0 ? Bytes{} : none.table_at(candidate.address, candidate.signature);
        if (!table.empty()) {
            return TableDirectory(memory, slice(table, sizeof(TableHeader)), candidate.entry_size);
        }
    }
    log_warning("acpi", "neither XSDT nor RSDT can be used");
    return fail(Errno::einval);
}

Bytes TableDirectory::table_at(PhysicalAddress address, std::string_view signature) const {
    std::optional<TableHeader> header = load_at<TableHeader>(memory_->view(address, sizeof(TableHeader)), 0);
    if (!header || !has_text(header->signature, signature)) {
        return {};
    }
    bool fits = header->length >= sizeof(TableHeader) && header->length <= kMaxTableSize;
    Bytes table = fits ? memory_->view(address, header->length) : Bytes{};
    if (table.empty() || !checksum_ok(table)) {
        log_warning("acpi", "damaged {} table at {}", signature, address);
        return {};
    }
    return table;
}

std::optional<PhysicalAddress> TableDirectory::address_at(usize position) const {
    const usize offset = position * entry_size_;
    std::optional<u64> wide = load_at<u64>(entries_, offset);
    std::optional<u32> narrow = load_at<u32>(entries_, offset);
    if (position >= kMaxTables || (entry_size_ == sizeof(u64) ? !wide : !narrow)) {
        return std::nullopt;
    }
    return PhysicalAddress{entry_size_ == sizeof(u64) ? *wide : *narrow};
}

std::optional<Bytes> TableDirectory::at(usize position) const {
    std::optional<PhysicalAddress> address = address_at(position);
    if (!address) {
        return std::nullopt;
    }
    std::span<const std::byte> signature = memory_->view(*address, sizeof(TableHeader::signature));
    return signature.empty() ? Bytes{} : table_at(*address, text_of(signature));
}

Bytes TableDirectory::find_next(std::string_view signature, usize& position) const {
    while (std::optional<PhysicalAddress> address = address_at(position)) {
        ++position;
        Bytes table = table_at(*address, signature);
        if (!table.empty()) {
            return table;
        }
    }
    return {};
}

}  // namespace cairn::acpi
