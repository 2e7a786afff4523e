#pragma once
/// boot::Information: what the boot loader told the kernel, whichever protocol it speaks. Plain
/// data, filled in once on the boot CPU before there is an allocator, read-only afterwards. See
/// docs/boot-information.md.
///
/// Lifetime. The kernel's command line is copied in here and stays. Everything else that is text
/// (module command lines, the boot loader's name) and the modules themselves are where the boot
/// loader put them, seen through the PhysicalReader (the direct map): they are valid until mm
/// reclaims the ranges in `reserved()`. Whoever needs them longer copies them before that.
///
/// The object is about 44 KiB: too large for a boot stack, so it has static storage.

#include <cstddef>
#include <span>
#include <string_view>

#include "arch/platform.h"
#include "kernel/base/address.h"
#include "kernel/base/physical_reader.h"
#include "kernel/base/result.h"
#include "kernel/base/types.h"
#include "kernel/boot/memory_map.h"

namespace cairn::boot {

/// A file that the boot loader put into memory (the first one is the initial file system).
struct Module {
    PhysicalRange range;            // as loaded, not page-aligned
    std::string_view command_line;  // in place, see above
};

/// A linear framebuffer or a text screen that firmware or boot loader set up.
struct Framebuffer {
    enum class Format : u8 { None, Indexed, DirectColor, Text };
    /// Where a colour sits in a pixel, in bits.
    struct Channel {
        u8 position = 0;
        u8 size = 0;
    };
    Format format = Format::None;
    PhysicalAddress address;
    u32 pitch = 0;  // bytes from one line to the next
    u32 width = 0;  // pixels, or characters for Text
    u32 height = 0;
    u8 bits_per_pixel = 0;
    Channel red;  // DirectColor only
    Channel green;
    Channel blue;
};

/// ACPI's root system description pointer: either its address, or (multiboot2 tags 14 and 15)
/// the boot loader's copy of it. Both absent: drivers/acpi searches the BIOS area.
struct AcpiRoot {
    static constexpr usize kMaxSize = 36;  // ACPI 6.5, 5.2.5.3
    PhysicalAddress address;               // zero: not told
    usize copy_size = 0;                   // zero: no copy; else 20 (ACPI 1.0) or 36
    std::byte copy[kMaxSize] = {};
};

struct Information {
    /// As Linux's COMMAND_LINE_SIZE with the final zero; a longer one is cut, with a log line.
    static constexpr usize kMaxCommandLine = 4096;
    /// Further modules are left out, with a log line; their memory then counts as free.
    static constexpr usize kMaxModules = 64;
    /// The structures themselves, each module and each module's command line.
    static constexpr usize kMaxReserved = 2 * kMaxModules + 8;

    MemoryMap memory_map;
    Framebuffer framebuffer;
    AcpiRoot acpi;
    PhysicalAddress efi_system_table;  // zero: not started by EFI
    bool efi_is_64_bit = false;
    bool efi_boot_services_active = false;  // nobody called ExitBootServices
    std::string_view boot_loader_name;      // in place, see above; empty if not told

    std::string_view command_line() const { return {command_line_storage, command_line_size}; }
    std::span<const Module> modules() const { return {module_storage, module_count}; }
    /// What must not be handed out while start-up runs, besides the kernel's image: not sorted,
    /// not page-aligned, may overlap each other and any kind of region.
    std::span<const PhysicalRange> reserved() const { return {reserved_storage, reserved_count}; }

    // For the parsers only.
    void set_command_line(std::string_view text);
    void add_module(const Module& module);
    /// Ignores an empty range.
    void reserve(PhysicalRange range);
    /// Leaves out what cannot be, once everything was read: modules outside of memory, a screen in it.
    void check_against_memory();

    char command_line_storage[kMaxCommandLine] = {};
    usize command_line_size = 0;
    Module module_storage[kMaxModules];
    usize module_count = 0;
    PhysicalRange reserved_storage[kMaxReserved];
    usize reserved_count = 0;
};

/// Reads what `handover` points to into `information`, which is empty. On an error the part that
/// could be read is still there and a log line says what is wrong: EINVAL for a structure that is
/// not what the protocol says, EFAULT for one that cannot be read, ENODATA when it has no usable
/// memory map, EPROTONOSUPPORT for a version that is not known. The memory map is always finished.
Result<void> parse_handover(const arch::BootHandover& handover, PhysicalReader& memory, Information& information);

/// Logs the memory map, modules, framebuffer and boot loader, a line each.
void log_information(const Information& information);

}  // namespace cairn::boot
