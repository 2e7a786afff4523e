/// In which order and how deep ranges of addresses are shown.

#include "drivers/devices/address_ranges.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/devices/device_tree.h"
#include "tests/support/simulation.h"

namespace cairn::devices {
namespace {

using sim::Simulation;
using Lines = std::vector<std::string>;

/// "level:first-last name" of each.
Lines listed(AddressRanges& ranges, RangeKind kind = RangeKind::Memory) {
    Lines result;
    ranges.for_each(kind, [&](u32 level, u64 first, u64 last, std::string_view name) {
        char text[80];
        TextBuffer line{std::span(text)};
        format_to(line, "{}:{:x}-{:x} {}", level, first, last, name);
        result.emplace_back(line.view());
    });
    return result;
}

void expect(Simulation& sim, const Lines& seen, const Lines& wanted) {
    std::string all;
    for (const std::string& line : seen) {
        all += line + "; ";
    }
    sim.check(seen == wanted, all);
}

/// On one CPU: what is told apart is order and depth.
template <typename Body>
void with_ranges(const char* name, Body body) {
    EXPLORE(
        name, {.cpus = 1, .memory = 12 * kMiB},
        [body](Simulation& sim) {
            must(DeviceTree::initialize(), "device tree");
            body(sim, address_ranges());
            sim.keep_what_exists();
        },
        2);
}

TEST(AddressRangesSim, SortsAndNests) {
    with_ranges("addresses: SortsAndNests", [](Simulation& sim, AddressRanges& ranges) {
        ranges.add(RangeKind::Memory, 0x3000, 0x1000, "inner");
        ranges.add(RangeKind::Memory, 0x9000, 0x1000, "last");
        ranges.add(RangeKind::Memory, 0x1000, 0x7000, "outer");
        ranges.add(RangeKind::Memory, 0x1000, 0x1000, "first inner");
        ranges.add(RangeKind::Memory, 0x3000, 0x1000, "its driver");
        expect(sim, listed(ranges),
               (Lines{"0:1000-7fff outer", "1:1000-1fff first inner", "1:3000-3fff inner", "2:3000-3fff its driver",
                      "0:9000-9fff last"}));
    });
}

TEST(AddressRangesSim, WhatOverlapsIsNotWithin) {
    with_ranges("addresses: WhatOverlapsIsNotWithin", [](Simulation& sim, AddressRanges& ranges) {
        ranges.add(RangeKind::Memory, 0x1000, 0x2000, "one");
        ranges.add(RangeKind::Memory, 0x2000, 0x2000, "other");
        expect(sim, listed(ranges), (Lines{"0:1000-2fff one", "0:2000-3fff other"}));
    });
}

TEST(AddressRangesSim, PortsAreApart) {
    with_ranges("addresses: PortsAreApart", [](Simulation& sim, AddressRanges& ranges) {
        ranges.add(RangeKind::Ports, 0x20, 2, "pic1");
        ranges.add(RangeKind::Memory, 0x20, 2, "memory");
        expect(sim, listed(ranges, RangeKind::Ports), Lines{"0:20-21 pic1"});
        expect(sim, listed(ranges), Lines{"0:20-21 memory"});
    });
}

TEST(AddressRangesSim, NothingTakesNoRoomAndDepthIsBounded) {
    with_ranges("addresses: NothingTakesNoRoomAndDepthIsBounded", [](Simulation& sim, AddressRanges& ranges) {
        ranges.add(RangeKind::Memory, 0x1000, 0, "nothing");
        for (u64 i = 0; i < 8; ++i) {
            ranges.add(RangeKind::Memory, 0x1000, 0x1000 * (8 - i), "x");
        }
        const Lines lines = listed(ranges);
        sim.check(lines.size() == 8, "all are listed");
        sim.check(lines[4] == "4:1000-4fff x", lines[4]);
        sim.check(lines[7] == "4:1000-1fff x", lines[7]);
    });
}

TEST(AddressRangesSim, TheEndOfAllAddresses) {
    with_ranges("addresses: TheEndOfAllAddresses", [](Simulation& sim, AddressRanges& ranges) {
        ranges.add(RangeKind::Memory, ~u64{0} - 0xfff, 0x1000, "a name that is much longer than there is room");
        expect(sim, listed(ranges), Lines{"0:fffffffffffff000-ffffffffffffffff a name that is much longer than"});
    });
}

TEST(AddressRangesSim, TheMemoryMap) {
    with_ranges("addresses: TheMemoryMap", [](Simulation& sim, AddressRanges& ranges) {
        arch::PlatformDescription platform;
        auto information = std::make_unique<boot::Information>();
        using Kind = boot::MemoryRegion::Kind;
        information->memory_map.add({0}, 0x9f000, Kind::Usable);
        information->memory_map.add({0x100000}, 0x100000, Kind::Usable);
        information->memory_map.add({0x200000}, 0x100000, Kind::BootReclaimable);
        information->memory_map.add({0x300000}, 0x1000, Kind::AcpiReclaimable);
        information->memory_map.add({0xfec00000}, 0x1000, Kind::Reserved);
        information->memory_map.finish();
        platform.io_controllers[platform.io_controller_count++] = {{0xfec00000}, 0, 0};
        platform.pm1a_event = {1, 32, 0x600};
        platform.has_legacy_pics = false;
        ranges.add_machine(platform, *information);
        expect(
            sim, listed(ranges),
            (Lines{"0:0-9efff System RAM", "0:100000-2fffff System RAM", "0:300000-300fff ACPI Tables",
                   "0:fec00000-fec00fff Reserved", "1:fec00000-fec003ff IOAPIC 0", "0:fee00000-fee00fff Local APIC"}));
        expect(sim, listed(ranges, RangeKind::Ports), Lines{"0:600-603 ACPI PM1a_EVT_BLK"});
    });
}

}  // namespace
}  // namespace cairn::devices
