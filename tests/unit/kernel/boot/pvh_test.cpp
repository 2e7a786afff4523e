#include "kernel/boot/pvh.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/kernel/boot/boot_image.h"

namespace cairn::boot {
namespace {

using test::Blob;
using test::FakeMemory;
using Kind = MemoryRegion::Kind;

constexpr PhysicalAddress kStart{0x6000};

class PvhTest : public testing::Test {
protected:
    struct Start {
        u32 magic = 0x336ec578;
        u32 version = 1;
        u32 flags = 0;
        u32 module_count = 0;
        u64 module_list = 0;
        u64 command_line = 0;
        u64 rsdp = 0;
        u64 memory_map = 0x7000;
        u32 memory_map_entries = 2;
        u32 reserved = 0;
    };
    void SetUp() override { place_map({{0, 0x9fc00, 1}, {kMiB, 127 * kMiB, 1}}); }

    void place_map(std::initializer_list<std::array<u64, 3>> entries) {
        Blob map;
        for (const auto& [address, size, type] : entries) {
            map.add(address).add(size).add(static_cast<u32>(type)).add(u32{0});
        }
        memory.place(0x7000, map);
        start.memory_map_entries = static_cast<u32>(entries.size());
    }
    Result<void> read() {
        memory.place(kStart.value, Blob().add(start));
        information = std::make_unique<Information>();
        return parse_handover({arch::BootProtocol::Pvh, kStart}, memory, *information);
    }
    static Blob text(std::string_view characters, usize padding = kPageSize) {
        Blob blob;
        return blob.add_text(characters).add('\0').pad_to(padding);
    }
    bool reserves(u64 address) {
        for (const PhysicalRange& range : information->reserved()) {
            if (range.contains({address})) {
                return true;
            }
        }
        return false;
    }
    Start start;
    FakeMemory memory;
    std::unique_ptr<Information> information;
};

TEST_F(PvhTest, ReadsWhatQemuTells) {
    memory.place(0x8000, text("loglevel=8 nosmp"));
    memory.place(0x9000, text("initrd"));
    Blob modules;
    modules.add(u64{0x1000000}).add(u64{0x1234}).add(u64{0x9000}).add(u64{0});
    modules.add(u64{0x2000000}).add(u64{0x1000}).add(u64{0}).add(u64{0});
    memory.place(0xa000, modules);
    start.command_line = 0x8000;
    start.module_list = 0xa000;
    start.module_count = 2;
    start.rsdp = 0xf5a20;
    ASSERT_TRUE(read().ok());
    EXPECT_EQ(information->command_line(), "loglevel=8 nosmp");
    EXPECT_EQ(information->acpi.address.value, 0xf5a20u);
    EXPECT_EQ(information->boot_loader_name, "PVH");
    ASSERT_EQ(information->modules().size(), 2u);
    EXPECT_EQ(information->modules()[0].command_line, "initrd");
    EXPECT_EQ(information->modules()[1].command_line, "");
    EXPECT_EQ(information->memory_map.total(Kind::Usable), 0x9f000 + 127 * kMiB);
    for (u64 address : {kStart.value, u64{0x7000}, u64{0x8005}, u64{0x9000}, u64{0xa020}, u64{0x1001233}}) {
        EXPECT_TRUE(reserves(address)) << std::hex << address;
    }
    EXPECT_FALSE(reserves(0x1001234));
}

TEST_F(PvhTest, KnowsAllKindsOfMemory) {
    place_map({{0, 0x1000, 1},
               {0x1000, 0x1000, 2},
               {0x2000, 0x1000, 3},
               {0x3000, 0x1000, 4},
               {0x4000, 0x1000, 5},
               {0x5000, 0x1000, 6},
               {0x6000, 0x1000, 7},
               {0x7000, 0x1000, 77}});
    ASSERT_TRUE(read().ok());
    const MemoryMap& map = information->memory_map;
    EXPECT_EQ(map.total(Kind::Usable), kPageSize);
    EXPECT_EQ(map.total(Kind::AcpiReclaimable), kPageSize);
    EXPECT_EQ(map.total(Kind::AcpiNvs), kPageSize);
    EXPECT_EQ(map.total(Kind::Bad), kPageSize);
    EXPECT_EQ(map.total(Kind::Reserved), 4 * kPageSize);
}

TEST_F(PvhTest, RefusesWhatItDoesNotKnow) {
    start.magic = 1;
    EXPECT_EQ(read().error(), Errno::einval);
    start = {};
    start.version = 0;
    EXPECT_EQ(read().error(), Errno::eprotonosupport);
    EXPECT_EQ(read_pvh(memory, {0x100000}, *information).error(), Errno::efault);
    Blob old_form;
    old_form.add(start);
    old_form.put(4, u32{1});
    old_form.data.resize(40);
    memory.place(kStart.value, old_form);
    EXPECT_EQ(read_pvh(memory, kStart, *information).error(), Errno::efault);
}

TEST_F(PvhTest, NeedsAMemoryMap) {
    start.memory_map = 0x50000;
    EXPECT_EQ(read().error(), Errno::enodata);
    start = {};
    start.memory_map_entries = ~u32{0};
    EXPECT_EQ(read().error(), Errno::enodata);
    place_map({{0, kMiB, 2}});
    EXPECT_EQ(read().error(), Errno::enodata);
    EXPECT_TRUE(information->memory_map.regions().empty());
}

TEST_F(PvhTest, TextMayCrossPagesAndEndAtTheEndOfMemory) {
    std::string longer(kPageSize + 99, 'x');
    Blob blob;
    blob.add_text(longer).add('\0').pad_to(kPageSize);
    memory.place(0x20000 - 0, blob);
    start.command_line = 0x20000;
    ASSERT_TRUE(read().ok());
    EXPECT_EQ(information->command_line().size(), Information::kMaxCommandLine - 1);
}

TEST_F(PvhTest, TextWithoutAnEndIsLeftOut) {
    Blob endless;
    endless.add_text(std::string(100 * kKiB, 'x')).pad_to(kPageSize);
    memory.place(0x20000, endless);
    start.command_line = 0x20000;
    ASSERT_TRUE(read().ok());
    EXPECT_EQ(information->command_line(), "");
    Blob short_one;
    short_one.add_text(std::string(kPageSize, 'x'));
    memory.place(0x60000, short_one);
    start.command_line = 0x60000;
    ASSERT_TRUE(read().ok());
    EXPECT_EQ(information->command_line(), "");
    start.command_line = ~u64{0} - 5;
    ASSERT_TRUE(read().ok());
    EXPECT_EQ(information->command_line(), "");
}

TEST_F(PvhTest, DamagedModulesAreLeftOut) {
    Blob modules;
    modules.add(u64{0x1000000}).add(~u64{0}).add(u64{0}).add(u64{0});
    modules.add(~u64{0}).add(u64{1}).add(u64{0}).add(u64{0});
    modules.add(u64{0x2000000}).add(u64{0x1000}).add(u64{0}).add(u64{0});
    memory.place(0xa000, modules);
    start.module_list = 0xa000;
    start.module_count = 5;
    ASSERT_TRUE(read().ok());
    ASSERT_EQ(information->modules().size(), 1u);
    EXPECT_EQ(information->modules()[0].range.start.value, 0x2000000u);
}

TEST_F(PvhTest, BoundsTheModules) {
    memory.place(0x9000, text("name"));
    Blob modules;
    for (usize i = 0; i < 100; ++i) {
        modules.add(u64{0x1000000}).add(u64{0x1000}).add(u64{0x9000}).add(u64{0});
    }
    memory.place(0xa000, modules);
    memory.place(0x8000, text("x"));
    start.command_line = 0x8000;
    start.module_list = 0xa000;
    for (u32 count : {100u, ~0u}) {
        start.module_count = count;
        ASSERT_TRUE(read().ok());
        EXPECT_EQ(information->modules().size(), Information::kMaxModules);
    }
}

}  // namespace
}  // namespace cairn::boot
