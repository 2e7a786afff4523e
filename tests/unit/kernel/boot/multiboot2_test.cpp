#include "kernel/boot/multiboot2.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/kernel/boot/boot_image.h"

namespace cairn::boot {
namespace {

using test::Blob;
using test::FakeMemory;
using test::Multiboot2Image;
using Kind = MemoryRegion::Kind;

constexpr PhysicalAddress kAddress{0x10000};

Blob e820(std::initializer_list<std::array<u64, 3>> entries, u32 entry_size = 24) {
    Blob body;
    body.add(entry_size).add(u32{0});
    for (const auto& [start, size, type] : entries) {
        body.add(start).add(size).add(static_cast<u32>(type)).add(u32{0});
        for (u32 i = 24; i < entry_size; ++i) {
            body.add(u8{0xee});
        }
    }
    return body;
}
/// Type, first page, pages, attributes.
Blob efi_map(std::initializer_list<std::array<u64, 4>> entries, u32 version = 1) {
    Blob body;
    body.add(u32{48}).add(version);
    for (const auto& [type, start, pages, attributes] : entries) {
        body.add(type).add(start * kPageSize).add(u64{0}).add(pages).add(attributes).add(u64{0});
    }
    return body;
}
Blob plain_map() {
    return e820({{0, kMiB, 1}});
}

class Multiboot2Test : public testing::Test {
protected:
    Result<void> parse(Multiboot2Image& image) {
        bytes = image.finish();
        return parse_multiboot2(bytes, kAddress, *information);
    }
    MemoryRegion only_region() {
        EXPECT_EQ(information->memory_map.regions().size(), 1u);
        return information->memory_map.regions()[0];
    }
    std::vector<std::byte> bytes;
    std::unique_ptr<Information> information = std::make_unique<Information>();
    Multiboot2Image image;
};

TEST_F(Multiboot2Test, ReadsWhatGrubTells) {
    Blob module;
    module.add(u32{0x200000}).add(u32{0x201234}).add_text("initrd quiet").add('\0');
    image.text(1, "loglevel=8 stress=3").text(2, "GRUB 2.06").tag(3, module);
    image.tag(6, e820({{0, 0x9fc00, 1},
                       {0x9fc00, 0x400, 2},
                       {0xf0000, 0x10000, 2},
                       {0x100000, 0x7ee0000, 1},
                       {0x7fe0000, 0x20000, 3},
                       {0x8000000, 0x1000, 4},
                       {0x8001000, 0x1000, 5}}));
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->command_line(), "loglevel=8 stress=3");
    EXPECT_EQ(information->boot_loader_name, "GRUB 2.06");
    ASSERT_EQ(information->modules().size(), 1u);
    EXPECT_EQ(information->modules()[0].range, (PhysicalRange{{0x200000}, {0x201234}}));
    EXPECT_EQ(information->modules()[0].command_line, "initrd quiet");
    const MemoryMap& map = information->memory_map;
    EXPECT_EQ(map.total(Kind::Usable), 0x9f000u + 0x7ee0000u);
    EXPECT_EQ(map.total(Kind::AcpiReclaimable), 0x20000u);
    EXPECT_EQ(map.total(Kind::AcpiNvs), 0x1000u);
    EXPECT_EQ(map.total(Kind::Bad), 0x1000u);
    ASSERT_EQ(information->reserved().size(), 2u);
    EXPECT_EQ(information->reserved()[0], (PhysicalRange{kAddress, kAddress + bytes.size()}));
    EXPECT_EQ(information->reserved()[1], information->modules()[0].range);
    log_information(*information);
}

TEST_F(Multiboot2Test, PrefersTheEfiMap) {
    image.tag(6, plain_map());
    image.tag(17, efi_map({{7, 0, 16, 0xf},
                           {1, 16, 1, 0xf},
                           {2, 17, 1, 0xf},
                           {3, 18, 1, 0xf},
                           {4, 19, 1, 0xf},
                           {5, 20, 1, 0xf},
                           {8, 21, 1, 0xf},
                           {9, 22, 1, 0xf},
                           {10, 23, 1, 0xf},
                           {11, 24, 1, 0xf},
                           {7, 25, 1, 0x40000}}));
    ASSERT_TRUE(parse(image).ok());
    const MemoryMap& map = information->memory_map;
    EXPECT_EQ(map.total(Kind::Usable), 16 * kPageSize);
    EXPECT_EQ(map.total(Kind::BootReclaimable), 4 * kPageSize);
    EXPECT_EQ(map.total(Kind::Reserved), 3 * kPageSize);
    EXPECT_EQ(map.total(Kind::Bad), kPageSize);
    EXPECT_EQ(map.total(Kind::AcpiReclaimable), kPageSize);
    EXPECT_EQ(map.total(Kind::AcpiNvs), kPageSize);
}

TEST_F(Multiboot2Test, BootServicesThatStillRunKeepTheirMemory) {
    image.tag(18, {});
    image.tag(17, efi_map({{7, 0, 16, 0xf}, {4, 16, 2, 0xf}}));
    ASSERT_TRUE(parse(image).ok());
    EXPECT_TRUE(information->efi_boot_services_active);
    EXPECT_EQ(information->memory_map.total(Kind::Reserved), 2 * kPageSize);
}

TEST_F(Multiboot2Test, FallsBackFromADamagedEfiMap) {
    for (const Blob& damaged : {efi_map({}), efi_map({{7, 0, 16, 0xf}}, 2), efi_map({{11, 0, 16, 0xf}})}) {
        Multiboot2Image other;
        information = std::make_unique<Information>();
        other.tag(17, damaged).tag(6, plain_map());
        ASSERT_TRUE(parse(other).ok());
        EXPECT_EQ(only_region(), (MemoryRegion{{{0}, {kMiB}}, Kind::Usable}));
    }
}

TEST_F(Multiboot2Test, HugeEfiPageCountsDoNotWrap) {
    image.tag(17, efi_map({{7, 0, 16, 0xf}, {11, 32, ~u64{0}, 0xf}}));
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->memory_map.regions().back().range.end, MemoryMap::kAddressLimit);
}

TEST_F(Multiboot2Test, HonoursTheEntrySize) {
    image.tag(6, e820({{0, kMiB, 1}, {kMiB, kMiB, 1}}, 32));
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(only_region(), (MemoryRegion{{{0}, {2 * kMiB}}, Kind::Usable}));
}

TEST_F(Multiboot2Test, UsesBasicMemoryWhenThereIsNothingBetter) {
    Blob basic;
    basic.add(u32{640}).add(u32{1024});
    image.tag(6, e820({{0, kMiB, 1}}, 8)).tag(4, basic);
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->memory_map.total(Kind::Usable), 640 * kKiB + kMiB);
}

TEST_F(Multiboot2Test, FailsWithoutAMemoryMap) {
    image.text(1, "hello").tag(6, e820({{0, kMiB, 2}}));
    EXPECT_EQ(parse(image).error(), Errno::enodata);
    EXPECT_EQ(information->command_line(), "hello");
    EXPECT_TRUE(information->memory_map.regions().empty());
}

TEST_F(Multiboot2Test, KeepsTheNewerRootPointer) {
    Blob old_pointer;
    old_pointer.add_text("RSD PTR old pointer.");
    Blob new_pointer;
    new_pointer.add_text("RSD PTR new pointer with its 36 bytes");
    image.tag(6, plain_map()).tag(14, old_pointer).tag(15, new_pointer).tag(14, old_pointer);
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->acpi.copy_size, 36u);
    EXPECT_EQ(information->acpi.copy[8], std::byte{'n'});
}

TEST_F(Multiboot2Test, ReadsTheOldRootPointer) {
    Blob damaged;
    damaged.add_text("too short");
    Blob pointer;
    pointer.add_text("RSD PTR old pointer.");
    image.tag(6, plain_map()).tag(14, pointer).tag(15, damaged);
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->acpi.copy_size, 20u);
}

TEST_F(Multiboot2Test, ReadsEfiPointers) {
    Blob wide;
    wide.add(u64{0x1'2345'6000});
    image.tag(6, plain_map()).tag(12, wide);
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->efi_system_table.value, 0x1'2345'6000u);
    EXPECT_TRUE(information->efi_is_64_bit);
    Multiboot2Image other;
    Blob narrow;
    narrow.add(u32{0x7000});
    other.tag(6, plain_map()).tag(11, narrow).tag(12, narrow);
    ASSERT_TRUE(parse(other).ok());
    EXPECT_EQ(information->efi_system_table.value, 0x7000u);
    EXPECT_FALSE(information->efi_is_64_bit);
}

Blob framebuffer(u64 address, u32 pitch, u32 width, u32 height, u8 bits, u8 type) {
    Blob body;
    return body.add(address).add(pitch).add(width).add(height).add(bits).add(type).add(u16{0});
}

TEST_F(Multiboot2Test, ReadsADirectColourFramebuffer) {
    Blob body = framebuffer(0xfd000000, 4096, 1024, 768, 32, 1);
    for (u8 value : {16, 8, 8, 8, 0, 8}) {
        body.add(value);
    }
    image.tag(6, plain_map()).tag(8, body);
    ASSERT_TRUE(parse(image).ok());
    const Framebuffer& screen = information->framebuffer;
    EXPECT_EQ(screen.format, Framebuffer::Format::DirectColor);
    EXPECT_EQ(screen.address.value, 0xfd000000u);
    EXPECT_EQ(screen.width, 1024u);
    EXPECT_EQ(screen.red.position, 16);
    EXPECT_EQ(screen.blue.position, 0);
    EXPECT_EQ(screen.green.size, 8);
    log_information(*information);
}

TEST_F(Multiboot2Test, ReadsATextScreen) {
    image.tag(6, plain_map()).tag(8, framebuffer(0xb8000, 160, 80, 25, 16, 2));
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->framebuffer.format, Framebuffer::Format::Text);
}

TEST_F(Multiboot2Test, RefusesImpossibleFramebuffers) {
    Blob bad_channel = framebuffer(0xfd000000, 4096, 1024, 768, 32, 1);
    for (u8 value : {30, 8, 8, 8, 0, 8}) {
        bad_channel.add(value);
    }
    Blob tiny;
    tiny.add(u32{1});
    for (const Blob& body :
         {tiny, bad_channel, framebuffer(0xfd000000, 4096, 1024, 768, 32, 1),
          framebuffer(0xfd000000, 4096, 1025, 768, 32, 0), framebuffer(0, 0, 0, 0, 0, 0),
          framebuffer(~u64{0}, 160, 80, 25, 16, 2), framebuffer(0xb8000, 160, 80, 25, 16, 3),
          framebuffer(0, ~u32{0}, 80, ~u32{0}, 16, 2), framebuffer(0xb8000, 160, 80, 20000, 16, 2)}) {
        Multiboot2Image other;
        information = std::make_unique<Information>();
        other.tag(6, plain_map()).tag(8, body);
        ASSERT_TRUE(parse(other).ok());
        EXPECT_EQ(information->framebuffer.format, Framebuffer::Format::None);
    }
}

TEST_F(Multiboot2Test, SkipsDamagedAndUnknownTags) {
    Blob backwards;
    backwards.add(u32{0x3000}).add(u32{0x2000}).add('\0');
    image.tag(3, {}).tag(3, backwards).tag(12, {}).tag(99, backwards).tag(17, {}).tag(6, plain_map());
    ASSERT_TRUE(parse(image).ok());
    EXPECT_TRUE(information->modules().empty());
}

TEST_F(Multiboot2Test, BoundsTheModules) {
    Blob module;
    module.add(u32{0x200000}).add(u32{0x201000}).add('\0');
    for (usize i = 0; i < Information::kMaxModules + 3; ++i) {
        image.tag(3, module);
    }
    image.tag(6, plain_map());
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->modules().size(), Information::kMaxModules);
}

TEST_F(Multiboot2Test, CutsAnEndlessCommandLine) {
    image.tag(6, plain_map()).text(1, std::string(5000, 'a'));
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->command_line(), std::string(4095, 'a'));
    EXPECT_EQ(information->command_line_storage[4095], '\0');
}

TEST_F(Multiboot2Test, TextWithoutAnEndStopsAtItsTag) {
    Blob open_end;
    open_end.add_text("abc");
    image.tag(6, plain_map()).tag(1, open_end).tag(2, {});
    ASSERT_TRUE(parse(image).ok());
    EXPECT_EQ(information->command_line(), "abc");
    EXPECT_EQ(information->boot_loader_name, "");
}

TEST_F(Multiboot2Test, ATagListThatBreaksOffKeepsWhatCameBefore) {
    image.tag(6, plain_map());
    usize broken = image.blob.data.size();
    for (u32 size : {0u, 7u, 0x7fff'ffffu, ~0u}) {
        Multiboot2Image other = image;
        other.text(1, "lost");
        other.blob.put(broken + 4, size);
        information = std::make_unique<Information>();
        EXPECT_EQ(parse(other).error(), Errno::einval);
        EXPECT_EQ(information->memory_map.total(Kind::Usable), kMiB);
        EXPECT_EQ(information->command_line(), "");
    }
    information = std::make_unique<Information>();
    EXPECT_EQ(parse_multiboot2(std::span(image.blob.data).first(8), kAddress, *information).error(), Errno::einval);
}

TEST_F(Multiboot2Test, NoTruncationReadsOutside) {
    image.text(1, "loglevel=8").tag(17, efi_map({{7, 0, 16, 0xf}})).tag(6, plain_map());
    std::vector<std::byte> whole = image.finish();
    for (usize size = 0; size < whole.size(); ++size) {
        // An allocation of exactly this size, so that AddressSanitizer sees a byte too much.
        std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        information = std::make_unique<Information>();
        EXPECT_FALSE(parse_multiboot2(part, kAddress, *information).ok());
    }
}

TEST_F(Multiboot2Test, ReadsFromPhysicalMemory) {
    image.tag(6, plain_map());
    image.finish();
    FakeMemory memory;
    memory.place(kAddress.value, image.blob);
    arch::BootHandover handover{arch::BootProtocol::Multiboot2, kAddress};
    EXPECT_TRUE(parse_handover(handover, memory, *information).ok());
    EXPECT_EQ(read_multiboot2(memory, {0x5000}, *information).error(), Errno::efault);
    EXPECT_EQ(read_multiboot2(memory, kAddress + 4, *information).error(), Errno::efault);
    image.blob.put(0, u32{1} << 30);
    memory.place(kAddress.value, image.blob);
    EXPECT_EQ(read_multiboot2(memory, kAddress, *information).error(), Errno::efault);
    image.blob.put(0, u32{0});
    memory.place(kAddress.value, image.blob);
    EXPECT_EQ(read_multiboot2(memory, kAddress, *information).error(), Errno::efault);
}

TEST_F(Multiboot2Test, AnUnknownProtocolIsRefused) {
    FakeMemory memory;
    arch::BootHandover handover{static_cast<arch::BootProtocol>(7), kAddress};
    EXPECT_EQ(parse_handover(handover, memory, *information).error(), Errno::eprotonosupport);
}

}  // namespace
}  // namespace cairn::boot
