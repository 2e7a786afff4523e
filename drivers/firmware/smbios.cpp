/// What is in SMBIOS's tables; see smbios.h.

#include "drivers/firmware/smbios.h"

#include <algorithm>

#include "kernel/base/bytes.h"

namespace cairn::firmware {

namespace {

struct [[gnu::packed]] EntryPoint2 {
    char anchor[4];
    u8 checksum;
    u8 length;
    u8 major;
    u8 minor;
    u16 largest_structure;
    u8 revision;
    u8 formatted[5];
    char second_anchor[5];
    u8 second_checksum;
    u16 table_length;
    u32 table;
    u16 structures;
    u8 bcd_revision;
};
static_assert(sizeof(EntryPoint2) == 31);
/// A part with a sum of its own begins here (5.2.1).
constexpr usize kSecondPart = 16;

struct [[gnu::packed]] EntryPoint3 {
    char anchor[5];
    u8 checksum;
    u8 length;
    u8 major;
    u8 minor;
    u8 revision_of_documents;
    u8 revision;
    u8 reserved;
    u32 table_limit;
    u64 table;
};
static_assert(sizeof(EntryPoint3) == 24);

bool sums_to_zero(std::span<const std::byte> bytes) {
    u8 sum = 0;
    for (std::byte byte : bytes) {
        sum = static_cast<u8>(sum + static_cast<u8>(byte));
    }
    return sum == 0;
}

/// The length that an entry point claims, if the bytes are there and their sum is right.
bool is_sound(std::span<const std::byte> bytes, u8 length, usize least) {
    return length >= least && length <= SmbiosEntryPoint::kLargest && length <= bytes.size() &&
           sums_to_zero(bytes.first(length));
}

struct StructureHeader {
    u8 type;
    u8 length;
    u16 handle;
};

}  // namespace

std::optional<SmbiosEntryPoint> parse_entry_point(std::span<const std::byte> bytes) {
    const std::string_view text = text_of(bytes);
    if (auto entry = load_at<EntryPoint3>(bytes, 0); entry && text.starts_with("_SM3_")) {
        if (!is_sound(bytes, entry->length, sizeof(EntryPoint3)) || entry->table == 0) {
            return std::nullopt;
        }
        return SmbiosEntryPoint{{entry->table}, entry->table_limit, entry->length};
    }
    auto entry = load_at<EntryPoint2>(bytes, 0);
    if (!entry || !text.starts_with("_SM_") || text.substr(kSecondPart, 5) != "_DMI_") {
        return std::nullopt;
    }
    // Some firmware of version 2.1 claims 30 bytes (5.2.1, note on the length).
    const u8 length = std::max<u8>(entry->length, sizeof(EntryPoint2));
    const bool sound = is_sound(bytes, length, sizeof(EntryPoint2)) &&
                       sums_to_zero(bytes.subspan(kSecondPart, sizeof(EntryPoint2) - kSecondPart));
    if (!sound || entry->table == 0) {
        return std::nullopt;
    }
    return SmbiosEntryPoint{{entry->table}, entry->table_length, length};
}

std::optional<SmbiosStructure> next_structure(std::span<const std::byte> table, usize& offset) {
    std::optional<StructureHeader> header = load_at<StructureHeader>(table, offset);
    if (!header || header->length < sizeof(StructureHeader) || header->length > table.size() - offset) {
        return std::nullopt;
    }
    SmbiosStructure found;
    found.type = header->type;
    found.formatted = table.subspan(offset, header->length);
    // The strings end with an empty one; without any, there are two zeros.
    const usize begin = offset + header->length;
    for (usize at = begin; at + 1 < table.size(); ++at) {
        if (table[at] == std::byte{0} && table[at + 1] == std::byte{0}) {
            found.strings = table.subspan(begin, at + 1 - begin);
            offset = at + 2;
            return found;
        }
    }
    return std::nullopt;
}

std::string_view SmbiosStructure::string(usize offset) const {
    u8 number = load_at<u8>(formatted, offset).value_or(0);
    std::string_view rest = text_of(strings);
    while (number > 1 && !rest.empty()) {
        rest.remove_prefix(std::min(rest.find('\0'), rest.size() - 1) + 1);
        --number;
    }
    return number == 0 ? std::string_view() : rest.substr(0, rest.find('\0'));
}

}  // namespace cairn::firmware
