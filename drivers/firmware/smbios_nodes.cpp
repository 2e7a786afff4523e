/// Finding SMBIOS's tables on a PC, and how programs see them: /sys/firmware/dmi/tables for dmidecode(8), and the most
/// asked for texts in /sys/class/dmi/id (Linux: drivers/firmware/dmi-id.c).

#include <algorithm>

#include "drivers/devices/device_tree.h"
#include "drivers/firmware/smbios.h"
#include "kernel/base/bytes.h"
#include "kernel/base/log.h"

namespace cairn::firmware {

namespace {

struct Smbios {
    OwnArray<std::byte> entry_point;
    OwnArray<std::byte> table;
};

// --- Where it is --------------------------------------------------------------------------------------------------

struct Guid {
    u64 low;
    u64 high;
    bool operator==(const Guid&) const = default;
};
// SMBIOS3_TABLE_GUID and SMBIOS_TABLE_GUID (UEFI 2.9, 4.6), as they lie in memory.
constexpr Guid kSmbios3{0x4a2c'9794'f2fd'1544, 0x94e3'20cf'bbe5'2e99};
constexpr Guid kSmbios2{0x11d3'2d88'eb9d'2d31, 0x4dc1'3f27'9000'169a};

struct ConfigurationTable {
    Guid vendor;
    u64 table;
};

/// UEFI 2.9, 4.3: only 64-bit firmware.
PhysicalAddress find_by_efi(const boot::Information& information, const FirmwareMemory& memory) {
    constexpr usize kSystemTableSize = 120;
    constexpr u64 kSignature = 0x5453'5953'2049'4249;  // "IBI SYST"
    constexpr u64 kCountOffset = 104;
    constexpr u64 kTablesOffset = 112;
    constexpr u64 kMostTables = 256;
    if (information.efi_system_table.value == 0 || !information.efi_is_64_bit) {
        return {};
    }
    Result<OwnArray<std::byte>> system = memory.copy(information.efi_system_table, kSystemTableSize);
    if (!system.ok() || load_at<u64>(system.value().span(), 0) != kSignature) {
        return {};
    }
    const u64 count = load_at<u64>(system.value().span(), kCountOffset).value_or(0);
    const PhysicalAddress list{load_at<u64>(system.value().span(), kTablesOffset).value_or(0)};
    if (count == 0 || count > kMostTables) {
        return {};
    }
    Result<OwnArray<std::byte>> tables = memory.copy(list, count * sizeof(ConfigurationTable));
    PhysicalAddress found;
    for (u64 i = 0; tables.ok() && i < count; ++i) {
        auto entry = load_at<ConfigurationTable>(tables.value().span(), i * sizeof(ConfigurationTable));
        if (entry && (entry->vendor == kSmbios3 || (entry->vendor == kSmbios2 && found.value == 0))) {
            found = {entry->table};
        }
    }
    return found;
}

/// On a 16-byte boundary of the BIOS's last 64 KiB (DSP0134, 5.2); the newer form is preferred.
PhysicalAddress find_in_bios(const FirmwareMemory& memory) {
    constexpr PhysicalAddress kBios{0xf0000};
    constexpr usize kBiosSize = 0x10000;
    Result<OwnArray<std::byte>> bios = memory.copy(kBios, kBiosSize);
    PhysicalAddress found;
    for (usize offset = 0; bios.ok() && offset < kBiosSize; offset += 16) {
        std::span<const std::byte> bytes = slice(bios.value().span(), offset, SmbiosEntryPoint::kLargest);
        if (!parse_entry_point(bytes)) {
            continue;
        }
        if (text_of(bytes).starts_with("_SM3_")) {
            return kBios + offset;
        }
        found = found.value == 0 ? kBios + offset : found;
    }
    return found;
}

// --- How it is shown ----------------------------------------------------------------------------------------------

template <OwnArray<std::byte> Smbios::* kBytes>
Result<usize> read_bytes(Smbios& smbios, u64 offset, std::span<std::byte> to, bool) {
    std::span<const std::byte> from = slice((smbios.*kBytes).span(), offset, to.size());
    std::copy(from.begin(), from.end(), to.begin());
    return from.size();
}
template <OwnArray<std::byte> Smbios::* kBytes>
u64 size_of(Smbios& smbios) {
    return (smbios.*kBytes).size();
}

constexpr devices::Attribute kTables[] = {
    devices::bytes<&read_bytes<&Smbios::table>, &size_of<&Smbios::table>>("DMI", 0400),
    devices::bytes<&read_bytes<&Smbios::entry_point>, &size_of<&Smbios::entry_point>>("smbios_entry_point", 0400),
};

/// The first structure of a type.
std::optional<SmbiosStructure> find_structure(const Smbios& smbios, u8 type) {
    usize offset = 0;
    while (std::optional<SmbiosStructure> found = next_structure(smbios.table.span(), offset)) {
        if (found->type == type) {
            return found;
        }
    }
    return std::nullopt;
}

constexpr u8 kFirmware = 0, kSystem = 1, kBoard = 2, kChassis = 3;

std::string_view string_of(const Smbios& smbios, u8 type, usize offset) {
    std::optional<SmbiosStructure> structure = find_structure(smbios, type);
    return structure ? structure->string(offset) : std::string_view();
}

template <u8 kType, usize kOffset>
Result<void> show_string(Smbios& smbios, TextBuffer& text) {
    text.append(string_of(smbios, kType, kOffset));
    text.append('\n');
    return {};
}
template <u8 kType, usize kOffset>
bool has_string(Smbios& smbios) {
    std::optional<SmbiosStructure> structure = find_structure(smbios, kType);
    return structure && kOffset < structure->formatted.size();  // a text that is not given is empty
}

/// The version of the firmware, and of the embedded controller's, as two bytes.
template <usize kOffset>
bool has_release(Smbios& smbios) {
    std::optional<SmbiosStructure> structure = find_structure(smbios, kFirmware);
    const u16 release = structure ? load_at<u16>(structure->formatted, kOffset).value_or(0xffff) : u16{0xffff};
    return release != 0xffff;
}
template <usize kOffset>
Result<void> show_release(Smbios& smbios, TextBuffer& text) {
    std::optional<SmbiosStructure> structure = find_structure(smbios, kFirmware);
    const u16 release = structure ? load_at<u16>(structure->formatted, kOffset).value_or(0) : u16{0};
    format_to(text, "{}.{}\n", release & 0xff, release >> 8);
    return {};
}
constexpr usize kFirmwareRelease = 20;
constexpr usize kControllerRelease = 22;

Result<void> show_chassis_type(Smbios& smbios, TextBuffer& text) {
    constexpr usize kOffset = 5;
    constexpr u8 kLocked = 0x80;
    std::optional<SmbiosStructure> chassis = find_structure(smbios, kChassis);
    const u8 type = chassis ? load_at<u8>(chassis->formatted, kOffset).value_or(0) : u8{0};
    format_to(text, "{}\n", type & ~kLocked);
    return {};
}
bool has_chassis(Smbios& smbios) {
    return find_structure(smbios, kChassis).has_value();
}

/// The first three fields are little-endian numbers since version 2.6 (DSP0134, 7.2.1).
Result<void> show_uuid(Smbios& smbios, TextBuffer& text) {
    constexpr usize kOffset = 8;
    constexpr u8 kOrder[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    std::optional<SmbiosStructure> system = find_structure(smbios, kSystem);
    for (usize i = 0; system && i < sizeof(kOrder); ++i) {
        text.append(i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "");
        format_to(text, "{:02x}", u32{load_at<u8>(system->formatted, kOffset + kOrder[i]).value_or(0)});
    }
    text.append('\n');
    return {};
}
/// All zeros or all ones stand for none.
bool has_uuid(Smbios& smbios) {
    constexpr usize kOffset = 8;
    std::optional<SmbiosStructure> system = find_structure(smbios, kSystem);
    const auto low = system ? load_at<u64>(system->formatted, kOffset) : std::nullopt;
    const auto high = system ? load_at<u64>(system->formatted, kOffset + 8) : std::nullopt;
    return low && high && !(*low == *high && (*low == 0 || *low == ~u64{0}));
}

/// Without blanks and what separates the fields (Linux: ascii_filter).
void write_alias_field(TextBuffer& text, std::string_view name, std::string_view value) {
    text.append(name);
    for (char c : value) {
        if (c > ' ' && c < 127 && c != ':') {
            text.append(c);
        }
    }
}
void write_alias(Smbios& smbios, TextBuffer& text) {
    struct Field {
        std::string_view name;
        u8 type;
        u8 offset;
    };
    constexpr u8 kRelease = 0xfe, kChassisType = 0xff;  // numbers
    constexpr Field kFields[] = {{":bvn", kFirmware, 4},
                                 {":bvr", kFirmware, 5},
                                 {":bd", kFirmware, 8},
                                 {":br", kRelease, kFirmwareRelease},
                                 {":efr", kRelease, kControllerRelease},
                                 {":svn", kSystem, 4},
                                 {":pn", kSystem, 5},
                                 {":pvr", kSystem, 6},
                                 {":rvn", kBoard, 4},
                                 {":rn", kBoard, 5},
                                 {":rvr", kBoard, 6},
                                 {":cvn", kChassis, 4},
                                 {":ct", kChassisType, 5},
                                 {":cvr", kChassis, 6},
                                 {":sku", kSystem, 25}};
    text.append("dmi");
    for (const Field& field : kFields) {
        const bool is_number = field.type == kRelease || field.type == kChassisType;
        const u8 type = field.type == kRelease ? kFirmware : field.type == kChassisType ? kChassis : field.type;
        std::optional<SmbiosStructure> structure = find_structure(smbios, type);
        if (!structure || field.offset >= structure->formatted.size()) {
            continue;
        }
        if (!is_number) {
            write_alias_field(text, field.name, structure->string(field.offset));
            continue;
        }
        const u16 number = load_at<u16>(structure->formatted, field.offset).value_or(0xffff);
        if (field.type == kChassisType) {
            format_to(text, "{}{}", field.name, number & 0x7f);
        } else if (number != 0xffff) {
            format_to(text, "{}{}.{}", field.name, number & 0xff, number >> 8);
        }
    }
    text.append(":\n");
}
Result<void> show_alias(Smbios& smbios, TextBuffer& text) {
    write_alias(smbios, text);
    return {};
}
Result<void> show_event(Smbios& smbios, TextBuffer& text) {
    text.append("MODALIAS=");
    write_alias(smbios, text);
    return {};
}

template <u8 kType, usize kOffset>
constexpr devices::Attribute field(std::string_view name, u16 permissions = 0444) {
    return devices::only_if<&has_string<kType, kOffset>>(
        devices::text<&show_string<kType, kOffset>>(name, permissions));
}

constexpr devices::Attribute kIdentity[] = {
    field<kFirmware, 8>("bios_date"),
    devices::only_if<&has_release<kFirmwareRelease>>(devices::text<&show_release<kFirmwareRelease>>("bios_release")),
    field<kFirmware, 4>("bios_vendor"),
    field<kFirmware, 5>("bios_version"),
    field<kBoard, 8>("board_asset_tag"),
    field<kBoard, 5>("board_name"),
    field<kBoard, 7>("board_serial", 0400),
    field<kBoard, 4>("board_vendor"),
    field<kBoard, 6>("board_version"),
    field<kChassis, 8>("chassis_asset_tag"),
    field<kChassis, 7>("chassis_serial", 0400),
    devices::only_if<&has_chassis>(devices::text<&show_chassis_type>("chassis_type")),
    field<kChassis, 4>("chassis_vendor"),
    field<kChassis, 6>("chassis_version"),
    devices::only_if<&has_release<kControllerRelease>>(
        devices::text<&show_release<kControllerRelease>>("ec_firmware_release")),
    devices::text<&show_alias>("modalias"),
    field<kSystem, 26>("product_family"),
    field<kSystem, 5>("product_name"),
    field<kSystem, 7>("product_serial", 0400),
    field<kSystem, 25>("product_sku"),
    devices::only_if<&has_uuid>(devices::text<&show_uuid>("product_uuid", 0400)),
    field<kSystem, 6>("product_version"),
    field<kSystem, 4>("sys_vendor"),
    devices::text<&show_event>("uevent"),
};

}  // namespace

Result<void> start_smbios(const boot::Information& information) {
    const FirmwareMemory memory(information.memory_map);
    PhysicalAddress where = find_by_efi(information, memory);
    where = where.value == 0 ? find_in_bios(memory) : where;
    if (where.value == 0) {
        return fail(Errno::enoent);
    }
    OwnArray<std::byte> bytes = TRY(memory.copy(where, SmbiosEntryPoint::kLargest));
    std::optional<SmbiosEntryPoint> entry = parse_entry_point(bytes.span());
    if (!entry) {
        return fail(Errno::einval);
    }
    Own<Smbios> smbios = TRY(try_new<Smbios>());
    smbios->entry_point = TRY(OwnArray<std::byte>::create(entry->size));
    std::copy_n(bytes.data(), entry->size, smbios->entry_point.data());
    smbios->table = TRY(memory.copy(entry->structures, entry->length));
    log_info("smbios", "{} {}, {} {}", string_of(*smbios, kSystem, 4), string_of(*smbios, kSystem, 5),
             string_of(*smbios, kFirmware, 4), string_of(*smbios, kFirmware, 5));
    devices::DeviceTree& tree = devices::tree();
    Ref<devices::Node> firmware = TRY(tree.make_path("firmware/dmi"));
    Ref<devices::Node> dmi = TRY(tree.make_path("devices/virtual/dmi"));
    Smbios* kept = smbios.release();
    [[maybe_unused]] Ref<devices::Node> tables = TRY(tree.add(*firmware, "tables", kTables, kept));
    Ref<devices::Node> identity = TRY(tree.add(*dmi, "id", kIdentity, kept));
    Ref<devices::Node> all = TRY(tree.make_path("class/dmi"));
    TRY(tree.add_link(*identity, "subsystem", *all));
    return tree.add_link(*all, "id", *identity);
}

}  // namespace cairn::firmware
