#include "kernel/boot/memory_map.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace cairn::boot {
namespace {

using Kind = MemoryRegion::Kind;

class MemoryMapTest : public testing::Test {
protected:
    /// Adds [start, end) in pages.
    void add(u64 start, u64 end, Kind kind) { map->add({start * kPageSize}, (end - start) * kPageSize, kind); }
    std::vector<MemoryRegion> finish() {
        map->finish();
        return {map->regions().begin(), map->regions().end()};
    }
    static MemoryRegion pages(u64 start, u64 end, Kind kind) {
        return {{{start * kPageSize}, {end * kPageSize}}, kind};
    }
    std::unique_ptr<MemoryMap> map = std::make_unique<MemoryMap>();
};
using Regions = std::vector<MemoryRegion>;

TEST_F(MemoryMapTest, IsEmptyWithoutEntries) {
    EXPECT_EQ(finish(), Regions{});
}

TEST_F(MemoryMapTest, SortsAndMergesNeighbours) {
    add(30, 40, Kind::Usable);
    add(10, 20, Kind::Usable);
    add(20, 30, Kind::Usable);
    EXPECT_EQ(finish(), (Regions{pages(10, 40, Kind::Usable)}));
}

TEST_F(MemoryMapTest, KeepsHoles) {
    add(0, 10, Kind::Usable);
    add(20, 30, Kind::Usable);
    EXPECT_EQ(finish(), (Regions{pages(0, 10, Kind::Usable), pages(20, 30, Kind::Usable)}));
}

TEST_F(MemoryMapTest, TheMostRestrictiveKindWins) {
    add(0, 100, Kind::Usable);
    add(10, 20, Kind::Reserved);
    add(15, 30, Kind::AcpiReclaimable);
    add(18, 19, Kind::Bad);
    add(90, 120, Kind::AcpiNvs);
    EXPECT_EQ(finish(), (Regions{pages(0, 10, Kind::Usable), pages(10, 18, Kind::Reserved), pages(18, 19, Kind::Bad),
                                 pages(19, 20, Kind::Reserved), pages(20, 30, Kind::AcpiReclaimable),
                                 pages(30, 90, Kind::Usable), pages(90, 120, Kind::AcpiNvs)}));
}

TEST_F(MemoryMapTest, UsableMemoryShrinksToPagesAndReservedGrows) {
    map->add({0}, 0x9fc00, Kind::Usable);
    map->add({0x9fc00}, 0x400, Kind::Reserved);
    EXPECT_EQ(finish(), (Regions{pages(0, 0x9f, Kind::Usable), pages(0x9f, 0xa0, Kind::Reserved)}));
}

TEST_F(MemoryMapTest, LessThanAPageIsNothing) {
    map->add({0x1800}, 0x900, Kind::Usable);
    map->add({0x5000}, 0, Kind::Reserved);
    map->add({0x5800}, 0, Kind::Reserved);
    EXPECT_EQ(finish(), Regions{});
}

TEST_F(MemoryMapTest, AcpiTablesThatShareAPageAreNeverReclaimed) {
    map->add({0x1800}, 0x1000, Kind::AcpiReclaimable);
    map->add({0x8000}, 0x1000, Kind::AcpiReclaimable);
    EXPECT_EQ(finish(), (Regions{pages(1, 3, Kind::AcpiNvs), pages(8, 9, Kind::AcpiReclaimable)}));
}

TEST_F(MemoryMapTest, CutsWhatNoAddressCanReach) {
    u64 limit = MemoryMap::kAddressLimit.value / kPageSize;
    map->add({~u64{0} - 100}, 50, Kind::Usable);
    map->add(MemoryMap::kAddressLimit, kPageSize, Kind::Usable);
    map->add({kPageSize}, ~u64{0}, Kind::Reserved);
    EXPECT_EQ(finish(), (Regions{pages(1, limit, Kind::Reserved)}));
}

TEST_F(MemoryMapTest, CountsBytesByKind) {
    add(0, 10, Kind::Usable);
    add(10, 13, Kind::BootReclaimable);
    add(13, 15, Kind::AcpiReclaimable);
    add(20, 21, Kind::Reserved);
    finish();
    EXPECT_EQ(map->total(Kind::Usable), 10 * kPageSize);
    EXPECT_EQ(map->total(Kind::Reserved), kPageSize);
    EXPECT_EQ(map->total_ram(), 15 * kPageSize);
}

TEST_F(MemoryMapTest, ClearForgets) {
    add(0, 10, Kind::Usable);
    finish();
    map->clear();
    EXPECT_TRUE(map->regions().empty());
    EXPECT_EQ(finish(), Regions{});
}

TEST_F(MemoryMapTest, AFullMapForgetsTheSmallestUsableEntry) {
    add(5, 6, Kind::Usable);
    for (u64 i = 1; i < MemoryMap::kMaxEntries; ++i) {
        add(10 * i, 10 * i + 2, Kind::Usable);
    }
    add(100000, 100001, Kind::Usable);  // no larger than the smallest: not taken
    add(100010, 100020, Kind::Usable);
    Regions regions = finish();
    EXPECT_EQ(regions.size(), MemoryMap::kMaxEntries);
    EXPECT_EQ(regions.front(), pages(10, 12, Kind::Usable));
    EXPECT_EQ(regions.back(), pages(100010, 100020, Kind::Usable));
    EXPECT_EQ(map->overflow_count(), 2u);
}

TEST_F(MemoryMapTest, AFullMapNeverForgetsReservedMemory) {
    add(0, 1, Kind::Usable);
    for (u64 i = 1; i < MemoryMap::kMaxEntries; ++i) {
        add(10 * i, 10 * i + 1, Kind::Reserved);
    }
    add(100000, 100001, Kind::Reserved);  // replaces the usable entry
    add(100010, 100011, Kind::Bad);       // widens the last one
    add(100020, 100030, Kind::Usable);    // cannot be kept
    finish();
    EXPECT_EQ(map->total(Kind::Usable), 0u);
    auto covered = [&](u64 page) {
        for (const MemoryRegion& region : map->regions()) {
            if (region.range.contains({page * kPageSize})) {
                return true;
            }
        }
        return false;
    };
    EXPECT_TRUE(covered(10));
    EXPECT_TRUE(covered(100000));
    EXPECT_TRUE(covered(100010));
}

/// The worst case of the bound on regions: entries nested like the skins of an onion.
TEST_F(MemoryMapTest, NestedEntriesFit) {
    for (u64 i = 0; i < MemoryMap::kMaxEntries; ++i) {
        add(i, 2000 - i, i % 2 == 0 ? Kind::Usable : Kind::Reserved);
    }
    Regions regions = finish();
    EXPECT_EQ(regions,
              (Regions{pages(0, 1, Kind::Usable), pages(1, 1999, Kind::Reserved), pages(1999, 2000, Kind::Usable)}));
    map->clear();
    for (u64 i = 0; i + 1 < MemoryMap::kMaxEntries; ++i) {
        add(2 * i + 1, 2 * i + 2, Kind::Reserved);
    }
    add(0, 2000, Kind::Usable);
    EXPECT_EQ(finish().size(), MemoryMap::kMaxRegions);
}

TEST_F(MemoryMapTest, AgreesWithAnArrayOfPages) {
    std::mt19937 random(11);
    constexpr u64 kPages = 200;
    for (int round = 0; round < 300; ++round) {
        map->clear();
        std::vector<int> model(kPages, -1);
        for (u64 n = random() % 30; n > 0; --n) {
            u64 start = random() % kPages;
            u64 end = start + random() % (kPages - start + 1);
            int kind = static_cast<int>(random() % MemoryRegion::kKinds);
            add(start, end, static_cast<Kind>(kind));
            for (u64 page = start; page < end; ++page) {
                model[page] = std::max(model[page], kind);
            }
        }
        std::vector<int> found(kPages, -1);
        u64 previous_end = 0;
        for (const MemoryRegion& region : finish()) {
            ASSERT_LE(previous_end, region.range.start.value);
            previous_end = region.range.end.value;
            for (u64 page = region.range.start.value / kPageSize; page < previous_end / kPageSize; ++page) {
                found[page] = static_cast<int>(region.kind);
            }
        }
        ASSERT_EQ(found, model);
    }
}

}  // namespace
}  // namespace cairn::boot
