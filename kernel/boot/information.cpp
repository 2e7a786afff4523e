#include "kernel/boot/information.h"

#include "kernel/base/log.h"
#include "kernel/boot/multiboot2.h"
#include "kernel/boot/pvh.h"

namespace cairn::boot {

namespace {

std::string_view kind_name(MemoryRegion::Kind kind) {
    switch (kind) {
        case MemoryRegion::Kind::Usable:
            return "usable";
        case MemoryRegion::Kind::BootReclaimable:
            return "boot loader";
        case MemoryRegion::Kind::AcpiReclaimable:
            return "acpi tables";
        case MemoryRegion::Kind::AcpiNvs:
            return "acpi nvs";
        case MemoryRegion::Kind::Reserved:
            return "reserved";
        case MemoryRegion::Kind::Bad:
            return "bad";
    }
    return "?";
}

}  // namespace

void Information::set_command_line(std::string_view text) {
    constexpr usize kMost = kMaxCommandLine - 1;
    if (text.size() > kMost) {
        log_warning("boot", "command line of {} bytes cut to {}", text.size(), kMost);
        text = {text.data(), kMost};
    }
    if (!text.empty()) {  // an empty view may have no address, which memcpy must not be given
        __builtin_memcpy(command_line_storage, text.data(), text.size());
    }
    command_line_storage[text.size()] = '\0';
    command_line_size = text.size();
}

void Information::add_module(const Module& module) {
    if (module_count == kMaxModules) {
        log_warning("boot", "more than {} modules; left out: {}", kMaxModules, module.command_line);
        return;
    }
    module_storage[module_count++] = module;
    reserve(module.range);
}

void Information::reserve(PhysicalRange range) {
    if (range.size() == 0) {
        return;
    }
    // The parsers reserve two ranges for a module and five structures at the most.
    ASSERT(reserved_count < kMaxReserved);
    reserved_storage[reserved_count++] = range;
}

void Information::check_against_memory() {
    usize kept = 0;
    for (const Module& module : modules()) {
        if (memory_map.is_ram(module.range)) {
            module_storage[kept++] = module;
        } else {
            log_warning("boot", "a module outside of memory, at {:#x}: left out", module.range.start);
        }
    }
    module_count = kept;
    const u64 size = u64{framebuffer.pitch} * framebuffer.height;
    if (size != 0 && memory_map.has_ram({framebuffer.address, framebuffer.address + size})) {
        log_warning("boot", "a screen in the middle of memory, at {:#x}: left out", framebuffer.address);
        framebuffer = {};
    }
}

namespace {

Result<void> read_handover(const arch::BootHandover& handover, PhysicalReader& memory, Information& information) {
    switch (handover.protocol) {
        case arch::BootProtocol::Multiboot2:
            return read_multiboot2(memory, handover.information, information);
        case arch::BootProtocol::Pvh:
            return read_pvh(memory, handover.information, information);
    }
    log_error("boot", "unknown boot protocol {}", static_cast<u8>(handover.protocol));
    return fail(Errno::eprotonosupport);
}

}  // namespace

Result<void> parse_handover(const arch::BootHandover& handover, PhysicalReader& memory, Information& information) {
    Result<void> read = read_handover(handover, memory, information);
    information.check_against_memory();
    return read;
}

void log_information(const Information& information) {
    if (!information.boot_loader_name.empty()) {
        log_info("boot", "loaded by {}", information.boot_loader_name);
    }
    log_info("boot", "command line: {}", information.command_line());
    for (const MemoryRegion& region : information.memory_map.regions()) {
        log_info("boot", "memory {:#016x}-{:#016x} {}", region.range.start.value, region.range.end.value - 1,
                 kind_name(region.kind));
    }
    for (const Module& module : information.modules()) {
        log_info("boot", "module {:#x}-{:#x} {}", module.range.start, module.range.end.value - 1, module.command_line);
    }
    const Framebuffer& screen = information.framebuffer;
    if (screen.format != Framebuffer::Format::None) {
        log_info("boot", "screen {}x{}, {} bits, at {}", screen.width, screen.height, screen.bits_per_pixel,
                 screen.address);
    }
}

}  // namespace cairn::boot
