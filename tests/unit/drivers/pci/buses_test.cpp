/// What enumeration makes of sound and of damaged devices.

#include "drivers/pci/buses.h"

#include <gtest/gtest.h>

#include <string>

#include "drivers/pci/driver.h"
#include "tests/unit/drivers/pci/model_config.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn::pci {
namespace {

using test::ModelConfig;
using test::ModelFunction;

class PciBuses : public testing::Test {
protected:
    PciBuses() { machine.add_cpu(); }
    void enumerate() { ASSERT_TRUE(buses.enumerate(0, 0).ok()); }
    usize count() const {
        usize result = 0;
        for_each_device(buses, [&](Device&) { ++result; });
        return result;
    }
    Device& at(u8 bus, u8 device, u8 function = 0) {
        Device* found = buses.find({0, bus, device, function});
        EXPECT_NE(found, nullptr);
        return *found;
    }

    mm::MemoryMachine machine{16 * kMiB};
    ModelConfig config;
    Buses buses{config};
};

TEST_F(PciBuses, FindsDevicesAndFunctions) {
    config.add(0, 0, 0, 0x060000);
    config.add(0, 3, 0).put8(kHeaderType, kHeaderMultiFunction);
    config.add(0, 3, 5, 0x0c0330);
    config.add(0, 4, 2);  // without function 0 it is not there
    config.add(0, 5, 0);
    config.add(0, 5, 1);  // function 0 does not say so
    enumerate();
    EXPECT_EQ(count(), 4u);
    EXPECT_EQ(at(0, 3, 5).class_code(), 0x0c0330u);
    EXPECT_EQ(at(0, 3, 5).vendor(), 0x1af4);
    EXPECT_EQ(at(0, 3, 5).device(), 0x1234);
    EXPECT_EQ(at(0, 3, 5).revision(), 7);
    EXPECT_EQ(buses.find({0, 0, 5, 1}), nullptr);
}

TEST_F(PciBuses, LooksBehindBridges) {
    config.add_bridge(0, 1, 1, 3);
    config.add_bridge(1, 0, 2, 3);
    config.add_bridge(2, 7, 3, 3);
    config.add(3, 4, 0);
    enumerate();
    EXPECT_EQ(count(), 4u);
    EXPECT_EQ(at(3, 4).bridge(), &at(2, 7));
    EXPECT_EQ(at(1, 0).bridge(), &at(0, 1));
    EXPECT_EQ(at(0, 1).bridge(), nullptr);
    EXPECT_EQ(at(2, 7).secondary_bus(), 3);
}

TEST_F(PciBuses, RefusesBusNumbersThatCannotBe) {
    config.add_bridge(0, 1, 0, 0);  // not numbered, or back to where it is
    config.add_bridge(0, 2, 5, 4);  // ends before it begins
    config.add_bridge(0, 3, 1, 1);
    config.add_bridge(0, 4, 1, 1);                       // the same bus again
    config.add_bridge(1, 0, 1, 9);                       // itself
    config.add_bridge(0, 5, 6, 6).put8(kPrimaryBus, 2);  // says to be elsewhere
    config.add(5, 0, 0);
    config.add(6, 0, 0);
    enumerate();
    EXPECT_EQ(at(0, 1).secondary_bus(), 0);
    EXPECT_EQ(at(0, 2).secondary_bus(), 0);
    EXPECT_EQ(at(0, 3).secondary_bus(), 1);
    EXPECT_EQ(at(0, 4).secondary_bus(), 0);
    EXPECT_EQ(at(1, 0).secondary_bus(), 0);
    EXPECT_EQ(at(0, 5).secondary_bus(), 0);
    EXPECT_EQ(count(), 6u);
}

/// Each bus answers with a bridge to the next, and the last to the first.
TEST_F(PciBuses, EndsOnEveryBusNumbered) {
    for (u32 bus = 0; bus < 256; ++bus) {
        config.add_bridge(static_cast<u8>(bus), 0, static_cast<u8>(bus + 1), 255);
    }
    enumerate();
    EXPECT_EQ(count(), 256u);
}

TEST_F(PciBuses, SizesBarsAndPutsThemBack) {
    ModelFunction& model = config.add(0, 1, 0);
    model.put_writable(kFirstBar, 0xfebf'0000, 0xffff'f000);      // 4 KiB of memory
    model.put_writable(kFirstBar + 4, 0x0000'c041, 0x0000'ffe0);  // 32 ports, upper half not implemented
    model.put_writable(kFirstBar + 8, 0x8000'000c, 0x8000'0000);  // 64-bit, prefetchable, 2 GiB
    model.put_writable(kFirstBar + 12, 0x0000'0008, 0xffff'ffff);
    model.put_writable(kFirstBar + 20, 0, 0);            // not there
    model.put_writable(kRom, 0xfe80'0000, 0xffff'0001);  // 64 KiB
    enumerate();
    Device& device = at(0, 1);
    EXPECT_EQ(device.bar(0).kind, Bar::Kind::Memory);
    EXPECT_EQ(device.bar(0).address, 0xfebf'0000u);
    EXPECT_EQ(device.bar(0).size, 0x1000u);
    EXPECT_EQ(device.bar(1).kind, Bar::Kind::Io);
    EXPECT_EQ(device.bar(1).address, 0xc040u);
    EXPECT_EQ(device.bar(1).size, 32u);
    EXPECT_EQ(device.bar(2).kind, Bar::Kind::Memory);
    EXPECT_TRUE(device.bar(2).is_64_bit && device.bar(2).prefetchable);
    EXPECT_EQ(device.bar(2).address, 0x8'8000'0000u);
    EXPECT_EQ(device.bar(2).size, 0x8000'0000u);
    EXPECT_EQ(device.bar(3).kind, Bar::Kind::None);
    EXPECT_EQ(device.bar(5).kind, Bar::Kind::None);
    EXPECT_EQ(device.bar(Device::kRomBar).size, 0x10000u);
    EXPECT_EQ(model.read(kFirstBar, 4), 0xfebf'0000u);
    EXPECT_EQ(model.read(kFirstBar + 12, 4), 8u);
    EXPECT_EQ(device.map_bar(1).error(), Errno::enodev);
    EXPECT_EQ(device.map_bar(6).error(), Errno::enodev);
}

TEST_F(PciBuses, RefusesBarsThatAreNone) {
    ModelFunction& model = config.add(0, 1, 0);
    model.put_writable(kFirstBar, 0, 0x00ff'f0f0);           // holes in the mask
    model.put_writable(kFirstBar + 4, 0x1000, 0xffff'0000);  // an address that its size forbids
    enumerate();
    EXPECT_EQ(at(0, 1).bar(0).kind, Bar::Kind::None);
    EXPECT_EQ(at(0, 1).bar(1).kind, Bar::Kind::None);
}

TEST_F(PciBuses, BarsInMemoryLoseTheirAddresses) {
    ModelFunction& model = config.add(0, 1, 0);
    model.put_writable(kFirstBar, 0x0010'0000, 0xffff'f000);      // in memory
    model.put_writable(kFirstBar + 4, 0xfebf'0000, 0xffff'f000);  // where it should be
    model.put_writable(kFirstBar + 8, 0x0000'1001, 0x0000'fff0);  // ports are elsewhere
    enumerate();
    auto map = std::make_unique<boot::MemoryMap>();
    map->add({0}, 0x8000'0000, boot::MemoryRegion::Kind::Usable);
    map->finish();
    buses.check_against_memory(*map);
    EXPECT_EQ(at(0, 1).bar(0).address, 0u);
    EXPECT_EQ(at(0, 1).bar(0).size, 0x1000u);
    EXPECT_EQ(at(0, 1).map_bar(0).error(), Errno::enxio);
    EXPECT_EQ(at(0, 1).bar(1).address, 0xfebf'0000u);
    EXPECT_EQ(at(0, 1).bar(2).address, 0x1000u);
}

TEST_F(PciBuses, TheLineOfProc) {
    ModelFunction& model = config.add(0, 3, 2);
    config.add(0, 3, 0).put8(kHeaderType, kHeaderMultiFunction);
    model.put_writable(kFirstBar, 0xfebf'0000, 0xffff'f000);
    model.put_writable(kFirstBar + 4, 0x0000'c041, 0x0000'ffe0);
    enumerate();
    char storage[512];
    TextBuffer text{std::span(storage)};
    Buses::write_line(at(0, 3, 2), text);
    const std::string_view none = "\t               0";
    std::string expected = "001a\t1af41234\t0\t        febf0000\t            c041";
    for (u32 i = 0; i < 5; ++i) {
        expected += none;
    }
    expected += "\t            1000\t              20";
    for (u32 i = 0; i < 5; ++i) {
        expected += none;
    }
    EXPECT_EQ(text.view(), expected + "\t\n");
}

TEST_F(PciBuses, WalksCapabilities) {
    ModelFunction& model = config.add(0, 1, 0);
    model.put16(kStatus, kStatusCapabilities);
    model.put8(kFirstCapability, 0x41);  // the lowest bits mean nothing
    model.put16(0x40, 0x5000 | kCapabilityPower);
    model.put16(0x50, 0x4000 | kCapabilityMsi);  // and round again
    enumerate();
    EXPECT_EQ(at(0, 1).find_capability(kCapabilityPower), 0x40u);
    EXPECT_EQ(at(0, 1).find_capability(kCapabilityMsi), 0x50u);
    const usize before = config.reads;
    EXPECT_EQ(at(0, 1).find_capability(kCapabilityMsiX), 0u);
    EXPECT_LT(config.reads - before, 100u);
    EXPECT_EQ(at(0, 1).config_size(), 256u);
    EXPECT_EQ(at(0, 1).find_extended_capability(1), 0u);
}

TEST_F(PciBuses, ExtendedCapabilitiesOfExpress) {
    ModelFunction& model = config.add(0, 1, 0);
    model.put16(kStatus, kStatusCapabilities);
    model.put8(kFirstCapability, 0x40);
    model.put16(0x40, kCapabilityExpress);
    model.put32(0x100, 0x140'1'0001);
    model.put32(0x140, 0x100'1'0003);  // back to the first
    enumerate();
    EXPECT_EQ(at(0, 1).config_size(), 4096u);
    EXPECT_EQ(at(0, 1).find_extended_capability(3), 0x140u);
    EXPECT_EQ(at(0, 1).find_extended_capability(9), 0u);
}

TEST_F(PciBuses, PinsGoWhereTheFirmwareSays) {
    arch::PlatformDescription platform;
    platform.override_count = 1;
    platform.overrides[0] = {9, 20, arch::InterruptTrigger::LevelHigh};
    config.add(0, 1, 0).put16(kInterruptLine, 0x010b);
    config.add(0, 2, 0).put16(kInterruptLine, 0x0209);
    config.add(0, 3, 0).put16(kInterruptLine, 0x000b);  // no pin
    config.add(0, 4, 0).put16(kInterruptLine, 0x01ff);  // not known
    config.add(0, 5, 0).put16(kInterruptLine, 0x090b);  // no such pin
    enumerate();
    buses.route_pins(platform);
    EXPECT_EQ(at(0, 1).pin_line()->gsi, 11u);
    EXPECT_EQ(at(0, 1).pin_line()->trigger, arch::InterruptTrigger::LevelLow);
    EXPECT_EQ(at(0, 2).pin_line()->gsi, 20u);
    EXPECT_EQ(at(0, 2).pin_line()->trigger, arch::InterruptTrigger::LevelHigh);
    EXPECT_FALSE(at(0, 3).pin_line());
    EXPECT_FALSE(at(0, 4).pin_line());
    EXPECT_EQ(at(0, 5).interrupt_pin(), 0);
}

TEST_F(PciBuses, DriversMatchByClassOrIdentity) {
    config.add(0, 1, 0, 0x0c0330);
    enumerate();
    EXPECT_TRUE(Match::of_class(0x0c0330).fits(at(0, 1)));
    EXPECT_TRUE(Match::of_class(0x0c0300, 0xffff00).fits(at(0, 1)));
    EXPECT_FALSE(Match::of_class(0x0c0320).fits(at(0, 1)));
    EXPECT_TRUE(Match::of_device(0x1af4, 0x1234).fits(at(0, 1)));
    EXPECT_FALSE(Match::of_device(0x1af4, 0x1235).fits(at(0, 1)));
}

}  // namespace
}  // namespace cairn::pci
