#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

#include "mm/memory_object.h"

namespace cairn::mm {
namespace {

constexpr u64 kLow = 0x10000;
constexpr u64 kHigh = 0x10000 + 400 * kPageSize;

/// A tree of mappings, and a model that knows of each page whether it is taken.
class MappingTreeTest : public testing::Test {
protected:
    ~MappingTreeTest() override {
        for (auto& [start, mapping] : mappings) {
            tree.remove(*mapping);
        }
    }
    // The tree never looks at the space.
    AddressSpace& space() { return *reinterpret_cast<AddressSpace*>(this); }
    void add(u64 start, u64 pages, u32 flags = 0) {
        MappingProperties properties{kAccessRead, kAccessAll, flags, nullptr};
        auto mapping = std::make_unique<Mapping>(space(), VirtualAddress{start},
                                                 VirtualAddress{start + pages * kPageSize}, properties);
        tree.insert(*mapping);
        mappings[start] = std::move(mapping);
    }
    bool free(u64 start, u64 size) const {
        for (auto& [at, mapping] : mappings) {
            if (mapping->guarded_start() < start + size && start < mapping->end.value) {
                return false;
            }
        }
        return true;
    }
    std::optional<u64> slow_below(u64 size, u64 low, u64 high) const {
        for (u64 at = high - size; at >= low && at <= high; at -= kPageSize) {
            if (free(at, size)) {
                return at;
            }
        }
        return std::nullopt;
    }
    std::optional<u64> slow_above(u64 size, u64 low, u64 high) const {
        for (u64 at = low; at + size <= high; at += kPageSize) {
            if (free(at, size)) {
                return at;
            }
        }
        return std::nullopt;
    }
    static std::optional<u64> value(Result<VirtualAddress> found) {
        return found.ok() ? std::optional<u64>(found.value().value) : std::nullopt;
    }

    MappingTree tree;
    std::map<u64, std::unique_ptr<Mapping>> mappings;
};

TEST_F(MappingTreeTest, RandomOperationsAgreeWithTheModel) {
    std::mt19937_64 random(1);
    for (int step = 0; step < 3000; ++step) {
        u64 start = kLow + random() % 400 * kPageSize;
        u64 pages = 1 + random() % 6;
        if (random() % 3 != 0) {
            if (start + pages * kPageSize <= kHigh && free(start, pages * kPageSize)) {
                add(start, pages);
            }
        } else if (!mappings.empty()) {
            auto victim = std::next(mappings.begin(), static_cast<long>(random() % mappings.size()));
            tree.remove(*victim->second);
            mappings.erase(victim);
        } else {
            continue;
        }
        u64 size = (1 + random() % 12) * kPageSize;
        u64 low = kLow + random() % 200 * kPageSize;
        u64 high = low + size + random() % 200 * kPageSize;
        ASSERT_EQ(value(tree.find_gap_below(size, low, high)), slow_below(size, low, high)) << step;
        ASSERT_EQ(value(tree.find_gap_above(size, low, high)), slow_above(size, low, high)) << step;
        ASSERT_EQ(tree.count(), mappings.size());
        VirtualAddress probe{kLow + random() % 400 * kPageSize};
        auto after = mappings.upper_bound(probe.value);
        Mapping* expected = nullptr;
        if (after != mappings.begin() && std::prev(after)->second->end > probe) {
            expected = std::prev(after)->second.get();
        } else if (after != mappings.end()) {
            expected = after->second.get();
        }
        ASSERT_EQ(tree.at_or_after(probe), expected);
    }
}

TEST_F(MappingTreeTest, ARangeThatShrinksOrGrowsIsSeen) {
    add(kLow, 10);
    add(kLow + 20 * kPageSize, 10);
    EXPECT_EQ(value(tree.find_gap_above(15 * kPageSize, kLow, kHigh)), kLow + 30 * kPageSize);
    Mapping& second = *mappings[kLow + 20 * kPageSize];
    second.start = {kLow + 26 * kPageSize};
    tree.refresh(second);
    EXPECT_EQ(value(tree.find_gap_above(15 * kPageSize, kLow, kHigh)), kLow + 10 * kPageSize);
}

TEST_F(MappingTreeTest, TheGuardOfAStackIsNotFree) {
    constexpr u64 kStack = 0x100'0000;
    add(kStack, 4, flag_bits(MappingFlag::GrowsDown));
    EXPECT_EQ(value(tree.find_gap_below(kPageSize, kLow, kStack + kPageSize)),
              kStack - Mapping::kStackGuard - kPageSize);
}

TEST_F(MappingTreeTest, NoRoomIsAnError) {
    add(kLow, 400);
    EXPECT_EQ(tree.find_gap_below(kPageSize, kLow, kHigh).error(), Errno::enomem);
    EXPECT_EQ(tree.find_gap_above(kPageSize, kLow, kHigh).error(), Errno::enomem);
}

}  // namespace
}  // namespace cairn::mm
