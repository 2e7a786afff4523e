#include "drivers/acpi/platform.h"

#include <gtest/gtest.h>

#include <memory>

#include "drivers/acpi/fadt.h"
#include "drivers/acpi/soft_off.h"
#include "drivers/acpi/tables.h"
#include "tests/unit/kernel/boot/boot_image.h"

namespace cairn::acpi {
namespace {

using arch::InterruptTrigger;
using test::Blob;
using test::FakeMemory;

void fix_sum(Blob& blob, usize at, usize size) {
    u8 sum = 0;
    blob.put(at, u8{0});
    for (usize i = 0; i < size; ++i) {
        sum = static_cast<u8>(sum + static_cast<u8>(blob.data[i]));
    }
    blob.put(at, static_cast<u8>(-sum));
}

Blob table(std::string_view signature, const Blob& body, u8 revision = 6) {
    Blob blob;
    blob.add_text(signature).add(static_cast<u32>(36 + body.data.size())).add(revision).add(u8{0});
    blob.add_text("CAIRN ").add_text("TESTTEST").add(u32{1}).add(u32{1}).add(u32{1}).add_bytes(body);
    fix_sum(blob, 9, blob.data.size());
    return blob;
}

Blob root_pointer(u32 rsdt, u64 xsdt, u8 revision) {
    Blob blob;
    blob.add_text("RSD PTR ").add(u8{0}).add_text("CAIRN ").add(revision).add(rsdt).add(u32{36}).add(xsdt).add(u32{0});
    fix_sum(blob, 8, 20);
    fix_sum(blob, 32, 36);
    return blob;
}

Blob soft_off_aml() {
    Blob aml;
    aml.add_text("junk_S5_").add(u8{0x08}).add_text("_S5_").add(u8{0x12}).add(u8{7}).add(u8{4});
    return aml.add(u8{0x0a}).add(u8{5}).add(u8{0x01}).add(u8{0}).add(u8{0});
}

class AcpiTest : public testing::Test {
protected:
    /// Places the tables, an XSDT and RSDT that list them, and the root pointer.
    void place(std::initializer_list<Blob> tables) {
        Blob wide, narrow;
        u64 address = 0x100000;
        for (const Blob& each : tables) {
            memory.place(address, each);
            wide.add(address);
            narrow.add(static_cast<u32>(address));
            address += 0x10000;
        }
        memory.place(0x80000, table("XSDT", wide));
        memory.place(0x90000, table("RSDT", narrow));
        memory.place(0xf0000, root_pointer(0x90000, 0x80000, 2));
        root.address = {0xf0000};
    }
    Result<void> describe(u32 boot_cpu = 0) { return describe_platform(root, memory, boot_cpu, platform); }

    static Blob local_apic(u8 id, u32 flags = 1) { return Blob().add(u8{0}).add(u8{8}).add(id).add(id).add(flags); }
    static Blob local_x2apic(u32 id, u32 flags = 1) {
        return Blob().add(u8{9}).add(u8{16}).add(u16{0}).add(id).add(flags).add(u32{0});
    }
    static Blob override_of(u8 source, u32 gsi, u16 flags, u8 bus = 0) {
        return Blob().add(u8{2}).add(u8{10}).add(bus).add(source).add(gsi).add(flags);
    }
    static Blob madt(std::initializer_list<Blob> entries, u32 flags = 1) {
        Blob body;
        body.add(u32{0xfee00000}).add(flags);
        for (const Blob& entry : entries) {
            body.add_bytes(entry);
        }
        return table("APIC", body);
    }
    /// A FADT of revision 6 as of a PC; offsets from the start of the table.
    static Blob fadt_body() {
        Blob body;
        body.data.resize(276 - 36);
        put(body, 40, u32{0x200000});
        put(body, 64, u32{0x604});
        put(body, 76, u32{0x608});
        put(body, 89, u8{2});
        put(body, 91, u8{4});
        put(body, 108, u8{0x32});
        put(body, 112, u32{1u << 8 | 1u << 10});
        put_register(body, 116, 1, 8, 0xcf9);
        put(body, 128, u8{0xf});
        return body;
    }
    template <typename T>
    static void put(Blob& body, usize offset, T value) {
        body.put(offset - 36, value);
    }
    static void put_register(Blob& body, usize offset, u8 space, u8 width, u64 address) {
        put(body, offset, space);
        put(body, offset + 1, width);
        put(body, offset + 4, address);
    }
    std::vector<u32> cpus() const { return {platform.cpu_hardware_id, platform.cpu_hardware_id + platform.cpu_count}; }

    FakeMemory memory;
    boot::AcpiRoot root;
    arch::PlatformDescription platform;
};
using Ids = std::vector<u32>;

TEST_F(AcpiTest, WithoutTablesThereIsAPlainPc) {
    platform.hpet = {5};
    EXPECT_EQ(describe(7).error(), Errno::enoent);
    EXPECT_EQ(cpus(), Ids{7});
    EXPECT_TRUE(platform.has_legacy_pics);
    EXPECT_TRUE(platform.has_cmos_clock);
    EXPECT_EQ(platform.hpet.value, 0u);
    EXPECT_EQ(platform.local_apic.value, 0xfee00000u);
}

TEST_F(AcpiTest, ReadsTheWholeMachine) {
    Blob hpet;
    hpet.add(u32{0x8086a201}).add(u8{0}).add(u8{64}).add(u16{0}).add(u64{0xfed00000}).add(u32{0});
    place({madt({local_apic(0), local_apic(1),
                 Blob().add(u8{1}).add(u8{12}).add(u8{4}).add(u8{0}).add(u32{0xfec00000}).add(u32{0}),
                 override_of(0, 2, 0), override_of(9, 9, 0xd)}),
           table("FACP", fadt_body()), table("HPET", hpet)});
    memory.place(0x200000, table("DSDT", soft_off_aml()));
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(cpus(), (Ids{0, 1}));
    ASSERT_EQ(platform.io_controller_count, 1u);
    EXPECT_EQ(platform.io_controllers[0].address.value, 0xfec00000u);
    EXPECT_EQ(platform.io_controllers[0].id, 4u);
    ASSERT_EQ(platform.override_count, 2u);
    EXPECT_EQ(platform.overrides[0].gsi, 2u);
    EXPECT_EQ(platform.overrides[0].trigger, InterruptTrigger::EdgeHigh);
    EXPECT_EQ(platform.overrides[1].trigger, InterruptTrigger::LevelHigh);
    EXPECT_EQ(platform.hpet.value, 0xfed00000u);
    EXPECT_EQ(platform.pm_timer_port, 0x608);
    EXPECT_TRUE(platform.pm_timer_is_32_bit);
    EXPECT_EQ(platform.pm1a_control.address, 0x604u);
    EXPECT_EQ(platform.pm1a_control.width, 16);
    EXPECT_EQ(platform.pm1b_control.width, 0);
    EXPECT_EQ(platform.century_register, 0x32);
    EXPECT_EQ(platform.reset_register.address, 0xcf9u);
    EXPECT_EQ(platform.reset_value, 0xf);
    EXPECT_TRUE(platform.soft_off_known);
    EXPECT_EQ(platform.soft_off_type_a, 5);
    EXPECT_EQ(platform.soft_off_type_b, 1);
}

TEST_F(AcpiTest, TheBootCpuComesFirstAndOnlyOnce) {
    place({madt({local_apic(0), local_apic(2), local_apic(4), local_x2apic(2), local_x2apic(300)})});
    ASSERT_TRUE(describe(4).ok());
    EXPECT_EQ(cpus(), (Ids{4, 0, 2, 300}));
}

TEST_F(AcpiTest, CpusThatAreNotEnabledDoNotCount) {
    place({madt(
        {local_apic(0), local_apic(1, 0), local_apic(2, 2), local_apic(0xff), local_x2apic(~0u), local_x2apic(9, 0)},
        0)});
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(cpus(), Ids{0});
    EXPECT_FALSE(platform.has_legacy_pics);
}

TEST_F(AcpiTest, CountsCpusBeyondTheBound) {
    Blob many;
    for (u32 id = 0; id < kMaxCpus + 5; ++id) {
        many.add_bytes(local_x2apic(id));
    }
    place({madt({many})});
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(platform.cpu_count, kMaxCpus);
    EXPECT_EQ(platform.cpus_ignored, 5u);
}

TEST_F(AcpiTest, BoundsControllersAndOverrides) {
    Blob many;
    for (u32 i = 0; i < 70; ++i) {
        many.add(u8{1}).add(u8{12}).add(u8{4}).add(u8{0}).add(u32{0xfec00000}).add(u32{i * 24});
        many.add_bytes(override_of(3, i, 0xf));
    }
    place({madt({many, override_of(16, 1, 0), override_of(1, 1, 0, 1)})});
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(platform.io_controller_count, 64u);
    EXPECT_EQ(platform.override_count, 64u);
    EXPECT_EQ(platform.overrides[0].trigger, InterruptTrigger::LevelLow);
}

TEST_F(AcpiTest, RegistersInMemoryAreNotUsed) {
    auto map = std::make_unique<boot::MemoryMap>();
    map->add({0x100000}, 0x700000, boot::MemoryRegion::Kind::Usable);
    map->add({0xfed00000}, 0x1000, boot::MemoryRegion::Kind::Reserved);
    map->finish();
    constexpr u8 kMemory = 0, kPort = 1;
    platform.io_controllers[0] = {{0x200000}, 0, 1};
    platform.io_controllers[1] = {{0xfec00000}, 24, 2};
    platform.io_controller_count = 2;
    platform.local_apic = {0x300000};
    platform.hpet = {0xfed00000};
    platform.pm1a_event = {kMemory, 32, 0x7fffff};
    platform.has_power_button = true;
    platform.pm1a_control = {kPort, 16, 0x604};
    platform.reset_register = {kMemory, 8, 0x900000};
    check_against_memory(*map, platform);
    ASSERT_EQ(platform.io_controller_count, 1u);
    EXPECT_EQ(platform.io_controllers[0].id, 2u);
    EXPECT_EQ(platform.local_apic.value, 0xfee00000u);
    EXPECT_EQ(platform.hpet.value, 0xfed00000u);
    EXPECT_EQ(platform.pm1a_event.width, 0);
    EXPECT_FALSE(platform.has_power_button);
    EXPECT_EQ(platform.pm1a_control.address, 0x604u);
    EXPECT_EQ(platform.reset_register.address, 0x900000u);

    platform.hpet = {0x100000};
    check_against_memory(*map, platform);
    EXPECT_EQ(platform.hpet.value, 0u);
}

TEST_F(AcpiTest, DamagedMadtEntriesEndTheReading) {
    place({madt({override_of(1, 1, 7), Blob().add(u8{5}).add(u8{12}).add(u16{0}).add(u64{0xfee10000}),
                 Blob().add(u8{0}).add(u8{2}), Blob().add(u8{1}).add(u8{2}), Blob().add(u8{77}).add(u8{3}).add(u8{0}),
                 Blob().add(u8{0}).add(u8{0}), local_apic(1)})});
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(platform.local_apic.value, 0xfee10000u);
    EXPECT_EQ(platform.overrides[0].trigger, InterruptTrigger::EdgeLow);
    EXPECT_EQ(cpus(), Ids{0});
    place({table("APIC", Blob().add(u8{1}))});
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(cpus(), Ids{0});
}

TEST_F(AcpiTest, FindsTheRootPointerInTheBiosArea) {
    place({madt({local_apic(0), local_apic(1)})});
    root = {};
    Blob area;
    area.data.resize(0x20000);
    Blob pointer = root_pointer(0x90000, 0, 0);
    std::copy(pointer.data.begin(), pointer.data.end(), area.data.begin() + 0x1230);
    FakeMemory bios = memory;
    bios.place(0xe0000, area);
    EXPECT_TRUE(describe_platform(root, bios, 0, platform).ok());
    EXPECT_EQ(cpus(), (Ids{0, 1}));
    bios = memory;  // in the extended BIOS data area
    bios.place(0x400, Blob().add(u64{0}).add(u32{0}).add(u16{0}).add(u16{0x9fc0}));
    Blob ebda;
    ebda.data.resize(kKiB);
    std::copy(pointer.data.begin(), pointer.data.begin() + 20, ebda.data.end() - 32);
    bios.place(0x9fc00, ebda);
    EXPECT_TRUE(describe_platform(root, bios, 0, platform).ok());
}

TEST_F(AcpiTest, ChecksTheRootPointer) {
    Blob pointer = root_pointer(0x1000, 0x2000, 2);
    auto tables = parse_root_pointer(pointer.data);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->xsdt.value, 0x2000u);
    pointer.put(30, u8{9});  // breaks the extended sum only
    tables = parse_root_pointer(pointer.data);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->xsdt.value, 0u);
    EXPECT_EQ(tables->rsdt.value, 0x1000u);
    pointer.put(16, u8{9});
    EXPECT_FALSE(parse_root_pointer(pointer.data));
    EXPECT_FALSE(parse_root_pointer(std::span(pointer.data).first(19)));
    EXPECT_FALSE(parse_root_pointer({}));
}

TEST_F(AcpiTest, UsesTheBootLoadersCopy) {
    place({madt({local_apic(0), local_apic(1)})});
    root = {};
    Blob pointer = root_pointer(0x90000, 0x80000, 2);
    std::memcpy(root.copy, pointer.data.data(), 36);
    for (usize size : {20u, 36u}) {
        root.copy_size = size;
        ASSERT_TRUE(describe().ok());
        EXPECT_EQ(platform.cpu_count, 2u);
    }
}

TEST_F(AcpiTest, FallsBackToTheRsdtAndThenGivesUp) {
    place({madt({local_apic(0), local_apic(1)})});
    Blob broken = table("XSDT", {});
    broken.put(9, u8{1});
    memory.place(0x80000, broken);
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(platform.cpu_count, 2u);
    memory.place(0x90000, broken);
    EXPECT_EQ(describe().error(), Errno::einval);
    EXPECT_EQ(platform.cpu_count, 1u);
}

TEST_F(AcpiTest, TablesWithWrongLengthOrSumAreLeftOut) {
    Blob good = madt({local_apic(0), local_apic(1)});
    for (u32 length : {0u, 35u, 1u << 20, ~0u}) {
        Blob bad = good;
        bad.put(4, length);
        place({bad, table("XXXX", {}), good});
        ASSERT_TRUE(describe().ok());
        EXPECT_EQ(platform.cpu_count, 2u) << length;
    }
    Blob bad = good;
    bad.put(9, u8{0x55});
    place({bad});
    ASSERT_TRUE(describe().ok());
    EXPECT_EQ(platform.cpu_count, 1u);
}

TEST_F(AcpiTest, ExtendedRegistersWin) {
    Blob body = fadt_body();
    put(body, 140, u64{0x300000});
    put(body, 109, u16{1u << 5});
    put(body, 108, u8{200});
    put_register(body, 172, 1, 16, 0x1604);
    put_register(body, 184, 0, 16, 0xfed80000);
    put_register(body, 208, 0, 32, 0xfed80008);  // a timer in memory is not used
    EXPECT_EQ(read_fadt(table("FACP", body).data, platform).value, 0x300000u);
    EXPECT_EQ(platform.pm1a_control.address, 0x1604u);
    EXPECT_EQ(platform.pm1b_control.space, 0);
    EXPECT_EQ(platform.pm_timer_port, 0);
    EXPECT_FALSE(platform.has_cmos_clock);
    EXPECT_EQ(platform.century_register, 0);
}

TEST_F(AcpiTest, ReducedHardwareHasSleepRegistersOnly) {
    Blob body = fadt_body();
    put(body, 112, u32{1u << 20});
    put_register(body, 244, 0, 8, 0x9000000);
    read_fadt(table("FACP", body).data, platform);
    EXPECT_EQ(platform.pm1a_control.width, 0);
    EXPECT_EQ(platform.pm_timer_port, 0);
    EXPECT_EQ(platform.reset_register.width, 0);
    EXPECT_EQ(platform.sleep_control.address, 0x9000000u);
}

TEST_F(AcpiTest, AnOldFadtHasNoBootFlags) {
    Blob body = fadt_body();
    put(body, 109, u16{1u << 5});
    body.data.resize(116 - 36);
    EXPECT_EQ(read_fadt(table("FACP", body, 1).data, platform).value, 0x200000u);
    EXPECT_TRUE(platform.has_cmos_clock);
    EXPECT_EQ(platform.pm1a_control.address, 0x604u);
}

TEST_F(AcpiTest, SoftOffMayBeInAnSsdt) {
    place({table("SSDT", Blob().add(u8{0})), table("FACP", fadt_body()), table("SSDT", soft_off_aml())});
    memory.place(0x200000, table("DSDT", Blob().add_text("nothing")));
    ASSERT_TRUE(describe().ok());
    EXPECT_TRUE(platform.soft_off_known);
    place({table("FACP", fadt_body())});
    ASSERT_TRUE(describe().ok());
    EXPECT_FALSE(platform.soft_off_known);
}

std::optional<SoftOff> search(std::initializer_list<int> after_name, std::string_view before = "\x08") {
    Blob aml;
    aml.add_text(before).add_text("_S5_");
    for (int byte : after_name) {
        aml.add(static_cast<u8>(byte));
    }
    return find_soft_off(aml.data);
}

TEST(SoftOff, EncodingsOfIntegersAndLengths) {
    EXPECT_EQ(search({0x12, 4, 2, 0, 1})->type_b, 1);
    EXPECT_EQ(search({0x12, 7, 2, 0x0b, 7, 0, 0x0a, 3})->type_a, 7);
    EXPECT_EQ(search({0x12, 9, 2, 0x0c, 6, 0, 0, 0, 0x0a, 0x0b})->type_b, 3);  // three bits
    EXPECT_EQ(search({0x12, 0x45, 0, 2, 0x01, 0x00})->type_a, 1);              // two-byte length
    EXPECT_EQ(search({0x12, 3, 1, 1})->type_b, 0);                             // one element
    EXPECT_TRUE(search({0x12, 4, 2, 0, 1}, "\x08\\"));
    EXPECT_TRUE(search({0x12, 4, 2, 0, 1}, "\x08^^"));
}

TEST(SoftOff, WhatIsNotAConstantPackageIsNotFound) {
    EXPECT_FALSE(search({0x12, 4, 2, 0, 1}, ""));
    EXPECT_FALSE(search({0x12, 4, 2, 0, 1}, "^^"));
    EXPECT_FALSE(search({0x12, 4, 2, 0, 1}, "\x14"));
    EXPECT_FALSE(search({}));
    EXPECT_FALSE(search({0x11, 4, 2, 0, 1}));
    EXPECT_FALSE(search({0x12}));
    EXPECT_FALSE(search({0x12, 0x40}));
    EXPECT_FALSE(search({0x12, 0}));
    EXPECT_FALSE(search({0x12, 40, 2, 0, 1}));
    EXPECT_FALSE(search({0x12, 2, 0}));
    EXPECT_FALSE(search({0x12, 1}));
    EXPECT_FALSE(search({0x12, 2, 1}));
    EXPECT_FALSE(search({0x12, 4, 2, 0x5c, 1}));
    EXPECT_FALSE(search({0x12, 4, 2, 0, 0x0c}));
}

}  // namespace
}  // namespace cairn::acpi
