/// Where the kernel's image is, and the layout of kernel addresses (drawn in docs/boot.md).

#include "arch/x86_64/memory/image.h"

#include "arch/arch.h"
#include "arch/x86_64/cpu/assembly_constants.h"

namespace cairn::arch {

// Of kernel.ld; only their addresses mean anything.
extern "C" {
extern const u8 text_start[];
extern const u8 text_end[];
extern const u8 bss_end[];
extern const u8 data_end[];
extern const u8 image_physical_start[];
extern const u8 boot_stack[];
extern const u8 boot_interrupt_stacks[];
extern const ImageSegment image_segments[];
extern const ImageSegment image_segments_end[];
}

namespace {

u64 address_of(const u8* symbol) {
    return reinterpret_cast<u64>(symbol);
}

constexpr u64 kMappingAreaStart = 0xffff'c900'0000'0000;
constexpr u64 kMappingAreaEnd = kMappingAreaStart + (u64{32} << 40);

}  // namespace

u64 boot_stack_top() {
    return address_of(boot_stack) + kBootStackSize;
}

u64 boot_interrupt_stack_top(u32 index) {
    constexpr u64 kStride = kPageSize + kBootInterruptStackSize;  // each has its guard page below it
    return address_of(boot_interrupt_stacks) + (index + 1) * kStride;
}

bool is_kernel_text(u64 address) {
    return address >= address_of(text_start) && address < address_of(text_end);
}

bool may_be_kernel_stack(u64 address) {
    return (address >= address_of(data_end) && address < address_of(bss_end)) ||
           (address >= kMappingAreaStart && address < kMappingAreaEnd);
}

std::span<const ImageSegment> kernel_image() {
    return {image_segments, image_segments_end};
}

PhysicalRange kernel_image_range() {
    // The first symbol is a physical address; the start-up code is linked where it is loaded.
    return {{address_of(image_physical_start)}, {address_of(bss_end) - kImageBase}};
}

PhysicalAddress boot_mapped_limit() {
    return {4 * kGiB};
}

VirtualRange kernel_mapping_area() {
    return {{kMappingAreaStart}, {kMappingAreaEnd}};
}

VirtualAddress user_space_end() {
    return {kUserSpaceEnd};
}

}  // namespace cairn::arch
