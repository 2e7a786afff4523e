#include "kernel/boot/pvh.h"

#include <cstddef>

#include "kernel/base/bytes.h"
#include "kernel/base/log.h"

namespace cairn::boot {

namespace {

using Kind = MemoryRegion::Kind;

// start_info.h of Xen: all fields little-endian, naturally aligned.
struct StartInfo {
    u32 magic;
    u32 version;
    u32 flags;
    u32 module_count;
    u64 module_list;
    u64 command_line;
    u64 rsdp;
    u64 memory_map;  // this and what follows since version 1
    u32 memory_map_entries;
    u32 reserved;
};
constexpr usize kStartInfoVersion0Size = 40;
static_assert(sizeof(StartInfo) == 56 && offsetof(StartInfo, memory_map) == kStartInfoVersion0Size);
constexpr u32 kMagic = 0x336ec578;  // "xEn3" with the highest bit of "E" set

struct ModuleEntry {
    u64 address;
    u64 size;
    u64 command_line;
    u64 reserved;
};
struct MapEntry {
    u64 address;
    u64 size;
    u32 type;
    u32 reserved;
};

/// The longest text that is looked for a final zero; longer ones count as not ended.
constexpr usize kMaxText = 64 * kKiB;
/// A bound for a count out of the structure: no machine reports more, and it keeps the scan short.
constexpr u32 kMaxMapEntries = 4096;

Kind kind_of_map_type(u32 type) {
    switch (type) {
        case 1:
            return Kind::Usable;
        case 3:
            return Kind::AcpiReclaimable;
        case 4:
            return Kind::AcpiNvs;
        case 5:
            return Kind::Bad;
        default:  // also 6, disabled, and 7, persistent memory
            return Kind::Reserved;
    }
}

class Reader {
public:
    Reader(PhysicalReader& memory, Information& information) : memory_(memory), information_(information) {}

    Result<void> read(PhysicalAddress address);

private:
    /// The text at `address`, whose memory is then reserved; empty when there is none.
    std::string_view read_text(u64 address);
    void read_modules(const StartInfo& start);
    Result<void> read_memory_map(const StartInfo& start);

    PhysicalReader& memory_;
    Information& information_;
};

std::string_view Reader::read_text(u64 address) {
    usize length = 0;
    bool ended = false;
    while (address != 0 && !ended && length < kMaxText) {
        // Page by page, since the text may end right before memory that cannot be read.
        usize step = kPageSize - static_cast<usize>((address + length) % kPageSize);
        std::span<const std::byte> part = memory_.view({address + length}, step);
        if (part.empty()) {
            break;
        }
        usize size = 0;
        while (size < part.size() && part[size] != std::byte{0}) {
            ++size;
        }
        length += size;
        ended = size < part.size();
    }
    std::span<const std::byte> whole = ended ? memory_.view({address}, length + 1) : std::span<const std::byte>{};
    if (whole.empty()) {
        if (address != 0) {
            log_warning("boot", "pvh: text at {:#x} has no end", address);
        }
        return {};
    }
    information_.reserve({{address}, {address + whole.size()}});
    // SAFETY: char may alias anything; the view is one shorter than the span.
    return {reinterpret_cast<const char*>(whole.data()), length};
}

void Reader::read_modules(const StartInfo& start) {
    u64 list_size = 0;
    u32 count = start.module_count;
    if (count > Information::kMaxModules) {
        count = Information::kMaxModules;
        log_warning("boot", "pvh: {} modules, only the first {} are used", start.module_count, count);
    }
    for (u32 i = 0; i < count; ++i) {
        PhysicalAddress at{start.module_list + u64{i} * sizeof(ModuleEntry)};
        std::optional<ModuleEntry> entry = load_at<ModuleEntry>(memory_.view(at, sizeof(ModuleEntry)), 0);
        if (!entry) {
            log_warning("boot", "pvh: module list at {:#x} cannot be read", start.module_list);
            break;
        }
        list_size += sizeof(ModuleEntry);
        u64 room = MemoryMap::kAddressLimit.value;
        if (entry->address >= room || entry->size > room - entry->address) {
            log_warning("boot", "pvh: damaged module {}", i);
            continue;
        }
        information_.add_module({{{entry->address}, {entry->address + entry->size}}, read_text(entry->command_line)});
    }
    information_.reserve({{start.module_list}, {start.module_list + list_size}});
}

Result<void> Reader::read_memory_map(const StartInfo& start) {
    MemoryMap& map = information_.memory_map;
    u32 count = start.memory_map_entries < kMaxMapEntries ? start.memory_map_entries : kMaxMapEntries;
    std::span<const std::byte> entries = memory_.view({start.memory_map}, count * sizeof(MapEntry));
    for (u32 i = 0; i < count; ++i) {
        std::optional<MapEntry> entry = load_at<MapEntry>(entries, u64{i} * sizeof(MapEntry));
        if (entry) {
            map.add({entry->address}, entry->size, kind_of_map_type(entry->type));
        }
    }
    map.finish();
    if (map.total(Kind::Usable) == 0) {
        map.clear();
        log_error("boot", "pvh: no usable memory map");
        return fail(Errno::enodata);
    }
    information_.reserve({{start.memory_map}, {start.memory_map + entries.size()}});
    return {};
}

Result<void> Reader::read(PhysicalAddress address) {
    StartInfo start = {};
    std::span<const std::byte> header = memory_.view(address, kStartInfoVersion0Size);
    if (header.empty()) {
        log_error("boot", "pvh: start information at {} cannot be read", address);
        return fail(Errno::efault);
    }
    __builtin_memcpy(&start, header.data(), kStartInfoVersion0Size);
    if (start.magic != kMagic) {
        log_error("boot", "pvh: {} is no start information (magic {:#x})", address, start.magic);
        return fail(Errno::einval);
    }
    if (start.version == 0) {
        log_error("boot", "pvh: version 0 has no memory map; at least version 1 is needed");
        return fail(Errno::eprotonosupport);
    }
    // Later versions only append fields.
    std::optional<StartInfo> whole = load_at<StartInfo>(memory_.view(address, sizeof(StartInfo)), 0);
    if (!whole) {
        log_error("boot", "pvh: start information at {} cannot be read", address);
        return fail(Errno::efault);
    }
    start = *whole;
    information_.reserve({address, address + sizeof(StartInfo)});
    information_.boot_loader_name = "PVH";
    information_.acpi.address = {start.rsdp};
    information_.set_command_line(read_text(start.command_line));
    read_modules(start);
    return read_memory_map(start);
}

}  // namespace

Result<void> read_pvh(PhysicalReader& memory, PhysicalAddress address, Information& information) {
    return Reader(memory, information).read(address);
}

}  // namespace cairn::boot
