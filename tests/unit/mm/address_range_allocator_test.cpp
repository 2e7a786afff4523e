#include "mm/address_range_allocator.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace cairn::mm {
namespace {

TEST(AddressRangeAllocator, FirstFitAgreesWithAModel) {
    constexpr u64 kStart = 0xffff'c000'0000'0000;
    constexpr u64 kPages = 400;
    for (u32 seed = 0; seed < 5; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        AddressRangeAllocator allocator;
        allocator.initialize({kStart}, {kStart + kPages * kPageSize});
        std::vector<bool> used(kPages);
        std::vector<std::unique_ptr<AddressRange>> ranges;
        for (int step = 0; step < 3000; ++step) {
            if (random() % 2 == 0 || ranges.empty()) {
                u64 pages = 1 + random() % 20;
                u64 expected = 0;
                u64 run = 0;
                for (u64 page = 0; page < kPages && run < pages; ++page) {
                    run = used[page] ? 0 : run + 1;
                    expected = page + 1 - run;
                }
                auto range = std::make_unique<AddressRange>();
                Result<void> result = allocator.allocate(*range, pages * kPageSize);
                ASSERT_EQ(result.ok(), run == pages);
                if (result.ok()) {
                    ASSERT_EQ(range->start.value, kStart + expected * kPageSize);
                    ASSERT_EQ(allocator.find(range->start), range.get());
                    std::fill_n(used.begin() + expected, pages, true);
                    ranges.push_back(std::move(range));
                }
            } else {
                usize i = random() % ranges.size();
                u64 first = (ranges[i]->start.value - kStart) / kPageSize;
                std::fill_n(used.begin() + first, ranges[i]->size / kPageSize, false);
                allocator.free(*ranges[i]);
                ranges.erase(ranges.begin() + i);
            }
            ASSERT_EQ(allocator.bytes_in_use(), kPageSize * std::count(used.begin(), used.end(), true));
        }
        EXPECT_EQ(allocator.find({kStart + kPages * kPageSize}), nullptr);
        for (auto& range : ranges) {
            allocator.free(*range);
        }
    }
}

}  // namespace
}  // namespace cairn::mm
