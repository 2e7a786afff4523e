#include "kernel/boot/multiboot2.h"

#include <array>

#include "kernel/base/bytes.h"
#include "kernel/base/log.h"

namespace cairn::boot {

namespace {

using Bytes = std::span<const std::byte>;
using Kind = MemoryRegion::Kind;

// The structures of section 3.6, packed as they are in memory.
struct Header {
    u32 total_size;
    u32 reserved;
};
struct TagHeader {
    u32 type;
    u32 size;  // with this header, without the padding behind the tag
};
enum TagType : u32 {
    kTagEnd = 0,
    kTagCommandLine = 1,
    kTagBootLoaderName = 2,
    kTagModule = 3,
    kTagBasicMemory = 4,
    kTagMemoryMap = 6,
    kTagFramebuffer = 8,
    kTagEfi32 = 11,
    kTagEfi64 = 12,
    kTagOldRsdp = 14,
    kTagNewRsdp = 15,
    kTagEfiMemoryMap = 17,
    kTagEfiBootServices = 18,
};
constexpr u64 kTagAlignment = 8;

struct ModuleRange {
    u32 start;
    u32 end;
};
struct BasicMemory {
    u32 lower_kib;  // from address 0
    u32 upper_kib;  // from 1 MiB, up to the first hole
};
struct MapHeader {
    u32 entry_size;
    u32 entry_version;
};
struct MapEntry {
    u64 address;
    u64 length;
    u32 type;
    u32 reserved;
};
struct EfiDescriptor {  // UEFI 2.10, 7.2.3
    u32 type;
    u32 padding;
    u64 physical_start;
    u64 virtual_start;
    u64 page_count;
    u64 attributes;
};
constexpr u64 kEfiSpecificPurpose = 0x40000;
struct FramebufferHeader {
    u64 address;
    u32 pitch;
    u32 width;
    u32 height;
    u8 bits_per_pixel;
    u8 type;
    u16 reserved;
};
constexpr usize kFramebufferHeaderSize = 24;
static_assert(sizeof(FramebufferHeader) == kFramebufferHeaderSize && sizeof(EfiDescriptor) == 40);

/// The characters up to the first zero, or all.
std::string_view text_of(Bytes bytes) {
    // SAFETY: char may alias anything; the view stays inside the span.
    const char* characters = reinterpret_cast<const char*>(bytes.data());
    usize length = 0;
    while (length < bytes.size() && characters[length] != '\0') {
        ++length;
    }
    return {characters, length};
}

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
        default:
            return Kind::Reserved;
    }
}

/// UEFI 2.10, table 7.10 ("Memory Type Usage after ExitBootServices").
Kind kind_of_descriptor(const EfiDescriptor& descriptor, bool boot_services_active) {
    if ((descriptor.attributes & kEfiSpecificPurpose) != 0) {
        return Kind::Reserved;
    }
    switch (descriptor.type) {
        case 1:  // EfiLoaderCode, EfiLoaderData: the boot loader's and what it loaded
        case 2:
            return Kind::BootReclaimable;
        case 3:  // EfiBootServicesCode and -Data: the firmware goes on using them until told
        case 4:
            return boot_services_active ? Kind::Reserved : Kind::BootReclaimable;
        case 7:  // EfiConventionalMemory
            return Kind::Usable;
        case 8:  // EfiUnusableMemory
            return Kind::Bad;
        case 9:  // EfiACPIReclaimMemory
            return Kind::AcpiReclaimable;
        case 10:  // EfiACPIMemoryNVS
            return Kind::AcpiNvs;
        default:
            return Kind::Reserved;
    }
}

class Parser {
public:
    Parser(Information& information) : information_(information) {}

    /// Visits each tag; EINVAL when the list is broken off.
    Result<void> read_tags(Bytes data);
    /// Once all tags were seen: chooses the memory map.
    Result<void> build_memory_map();

private:
    void read_tag(u32 type, Bytes body);
    void read_module(Bytes body);
    void read_framebuffer(Bytes body);
    void read_root_pointer(Bytes body);
    void read_efi_pointer(Bytes body, bool is_64_bit);
    bool use_efi_map();
    bool use_memory_map();
    bool use_basic_memory();
    void damaged(std::string_view tag) { log_warning("boot", "multiboot2: damaged {} tag", tag); }

    Information& information_;
    // Bodies of the tags that can only be judged together.
    Bytes efi_map_;
    Bytes memory_map_;
    Bytes basic_memory_;
};

Result<void> Parser::read_tags(Bytes data) {
    u64 offset = sizeof(Header);
    while (std::optional<TagHeader> tag = load_at<TagHeader>(data, offset)) {
        if (tag->type == kTagEnd) {
            return {};
        }
        if (tag->size < sizeof(TagHeader) || tag->size > data.size() - offset) {
            log_error("boot", "multiboot2: tag {} at offset {} claims {} bytes", tag->type, offset, tag->size);
            return fail(Errno::einval);
        }
        read_tag(tag->type, slice(data, offset + sizeof(TagHeader), tag->size - sizeof(TagHeader)));
        offset = align_up(offset + tag->size, kTagAlignment);
    }
    log_error("boot", "multiboot2: no end tag");
    return fail(Errno::einval);
}

void Parser::read_tag(u32 type, Bytes body) {
    switch (type) {
        case kTagCommandLine:
            return information_.set_command_line(text_of(body));
        case kTagBootLoaderName:
            information_.boot_loader_name = text_of(body);
            return;
        case kTagModule:
            return read_module(body);
        case kTagBasicMemory:
            basic_memory_ = body;
            return;
        case kTagMemoryMap:
            memory_map_ = body;
            return;
        case kTagFramebuffer:
            return read_framebuffer(body);
        case kTagEfi32:
        case kTagEfi64:
            return read_efi_pointer(body, type == kTagEfi64);
        case kTagOldRsdp:
        case kTagNewRsdp:
            return read_root_pointer(body);
        case kTagEfiMemoryMap:
            efi_map_ = body;
            return;
        case kTagEfiBootServices:
            information_.efi_boot_services_active = true;
            return;
        default:  // ELF sections, VBE, APM, SMBIOS, network …: not needed
            return;
    }
}

void Parser::read_module(Bytes body) {
    std::optional<ModuleRange> range = load_at<ModuleRange>(body, 0);
    if (!range || range->end < range->start) {
        return damaged("module");
    }
    information_.add_module({{{range->start}, {range->end}}, text_of(slice(body, sizeof(ModuleRange)))});
}

void Parser::read_framebuffer(Bytes body) {
    std::optional<FramebufferHeader> header = load_at<FramebufferHeader>(body, 0);
    if (!header || header->type > 2) {
        return damaged("framebuffer");
    }
    Framebuffer screen;
    screen.address = {header->address};
    screen.pitch = header->pitch;
    screen.width = header->width;
    screen.height = header->height;
    screen.bits_per_pixel = header->bits_per_pixel;
    constexpr Framebuffer::Format kFormats[] = {Framebuffer::Format::Indexed, Framebuffer::Format::DirectColor,
                                                Framebuffer::Format::Text};
    screen.format = kFormats[header->type];
    u64 bytes_per_line = (u64{screen.width} * screen.bits_per_pixel + 7) / 8;
    // Far beyond any screen, and little enough to be mapped on any machine: 2 GiB.
    constexpr u32 kMostPixels = 16384, kMostPitch = 8 * kMostPixels;
    bool fits = screen.width <= kMostPixels && screen.height <= kMostPixels && screen.pitch <= kMostPitch &&
                screen.pitch != 0 && screen.height != 0 && bytes_per_line != 0 && bytes_per_line <= screen.pitch &&
                u64{screen.pitch} * screen.height < MemoryMap::kAddressLimit.value &&
                screen.address < MemoryMap::kAddressLimit;
    if (!fits) {
        return damaged("framebuffer");
    }
    if (screen.format == Framebuffer::Format::DirectColor) {
        auto channels = load_at<std::array<Framebuffer::Channel, 3>>(body, kFramebufferHeaderSize);
        if (!channels) {
            return damaged("framebuffer");
        }
        for (const Framebuffer::Channel& channel : *channels) {
            if (channel.size > 32 || channel.position + channel.size > screen.bits_per_pixel) {
                return damaged("framebuffer");
            }
        }
        screen.red = (*channels)[0];
        screen.green = (*channels)[1];
        screen.blue = (*channels)[2];
    }
    information_.framebuffer = screen;
}

void Parser::read_root_pointer(Bytes body) {
    constexpr usize kOldSize = 20;  // ACPI 1.0 has no XSDT and ends here
    AcpiRoot& root = information_.acpi;
    usize size = body.size() >= AcpiRoot::kMaxSize ? AcpiRoot::kMaxSize : kOldSize;
    if (body.size() < kOldSize) {
        return damaged("ACPI");
    }
    if (size >= root.copy_size) {  // both tags may be there: the newer one is the longer one
        __builtin_memcpy(root.copy, body.data(), size);
        root.copy_size = size;
    }
}

void Parser::read_efi_pointer(Bytes body, bool is_64_bit) {
    std::optional<u64> wide = load_at<u64>(body, 0);
    std::optional<u32> narrow = load_at<u32>(body, 0);
    if (is_64_bit ? !wide : !narrow) {
        return damaged("EFI");
    }
    information_.efi_system_table = {is_64_bit ? *wide : *narrow};
    information_.efi_is_64_bit = is_64_bit;
}

Result<void> Parser::build_memory_map() {
    if (use_efi_map() || use_memory_map() || use_basic_memory()) {
        return {};
    }
    information_.memory_map.clear();
    log_error("boot", "multiboot2: no usable memory map");
    return fail(Errno::enodata);
}

bool Parser::use_efi_map() {
    std::optional<MapHeader> header = load_at<MapHeader>(efi_map_, 0);
    if (!header) {
        return false;
    }
    MemoryMap& map = information_.memory_map;
    bool sane = header->entry_version == 1 && header->entry_size >= sizeof(EfiDescriptor);
    if (sane) {
        u64 offset = sizeof(MapHeader);
        while (std::optional<EfiDescriptor> descriptor = load_at<EfiDescriptor>(efi_map_, offset)) {
            // More pages than there are addresses would wrap: MemoryMap cuts the rest.
            constexpr u64 kMostPages = MemoryMap::kAddressLimit.value / kPageSize;
            u64 pages = descriptor->page_count < kMostPages ? descriptor->page_count : kMostPages;
            map.add({descriptor->physical_start}, pages * kPageSize,
                    kind_of_descriptor(*descriptor, information_.efi_boot_services_active));
            offset += header->entry_size;
        }
        map.finish();
        sane = map.total(Kind::Usable) != 0;
    }
    if (!sane) {
        damaged("EFI memory map");
    }
    return sane;
}

bool Parser::use_memory_map() {
    std::optional<MapHeader> header = load_at<MapHeader>(memory_map_, 0);
    if (!header) {
        return false;
    }
    MemoryMap& map = information_.memory_map;
    map.clear();
    bool sane = header->entry_size >= sizeof(MapEntry);
    if (sane) {
        u64 offset = sizeof(MapHeader);
        while (std::optional<MapEntry> entry = load_at<MapEntry>(memory_map_, offset)) {
            map.add({entry->address}, entry->length, kind_of_map_type(entry->type));
            offset += header->entry_size;
        }
        map.finish();
        sane = map.total(Kind::Usable) != 0;
    }
    if (!sane) {
        damaged("memory map");
    }
    return sane;
}

bool Parser::use_basic_memory() {
    std::optional<BasicMemory> sizes = load_at<BasicMemory>(basic_memory_, 0);
    if (!sizes) {
        return false;
    }
    MemoryMap& map = information_.memory_map;
    map.clear();
    map.add({0}, u64{sizes->lower_kib} * kKiB, Kind::Usable);
    map.add({kMiB}, u64{sizes->upper_kib} * kKiB, Kind::Usable);
    map.finish();
    return map.total(Kind::Usable) != 0;
}

}  // namespace

Result<void> parse_multiboot2(std::span<const std::byte> data, PhysicalAddress address, Information& information) {
    std::optional<Header> header = load_at<Header>(data, 0);
    if (!header || header->total_size < sizeof(Header)) {
        log_error("boot", "multiboot2: no information structure");
        return fail(Errno::einval);
    }
    data = slice(data, 0, header->total_size);
    information.reserve({address, address + data.size()});
    Parser parser(information);
    Result<void> tags = parser.read_tags(data);
    Result<void> map = parser.build_memory_map();
    return tags.ok() ? map : tags;
}

Result<void> read_multiboot2(PhysicalReader& memory, PhysicalAddress address, Information& information) {
    std::optional<Header> header = load_at<Header>(memory.view(address, sizeof(Header)), 0);
    if (!header || !is_aligned(address.value, kTagAlignment)) {
        log_error("boot", "multiboot2: no information structure at {}", address);
        return fail(Errno::efault);
    }
    std::span<const std::byte> data = memory.view(address, header->total_size);
    if (data.empty()) {
        log_error("boot", "multiboot2: {} bytes at {} cannot be read", header->total_size, address);
        return fail(Errno::efault);
    }
    return parse_multiboot2(data, address, information);
}

}  // namespace cairn::boot
