/// Page tables in a recorded memory: every store is followed by a walk as the hardware might make
/// it at that moment.
#include "mm/page_table.h"

#include <functional>
#include <map>
#include <random>
#include <set>

#include "tests/unit/mm/memory_fixture.h"

namespace cairn::mm {

struct FlushDoneForTest {
    static FlushDone make() { return {}; }
};

namespace {

using Format = arch::PageTableFormat;

/// Tables in a map; fails allocations on request, and calls `after_store` after every change.
class RecordingMemory {
public:
    Result<PhysicalAddress> allocate_table() {
        if (left == 0) {
            return fail(Errno::enomem);
        }
        --left;
        PhysicalAddress table{next_};
        next_ += kPageSize;
        tables[table.value].assign(512, 0);
        return table;
    }
    void free_table(PhysicalAddress table) { ASSERT_EQ(tables.erase(table.value), 1u); }
    u64 load(PhysicalAddress table, u32 index) { return tables.at(table.value)[index]; }
    void store(PhysicalAddress table, u32 index, u64 entry) {
        tables.at(table.value)[index] = entry;
        if (after_store) {
            after_store();
        }
    }
    u64 exchange(PhysicalAddress table, u32 index, u64 entry) {
        u64 before = load(table, index);
        store(table, index, entry);
        return before;
    }
    bool compare_exchange(PhysicalAddress table, u32 index, u64 expected, u64 entry) {
        if (before_compare) {
            std::exchange(before_compare, nullptr)();
        }
        if (load(table, index) != expected) {
            return false;
        }
        store(table, index, entry);
        return true;
    }
    void set_removed_link(PhysicalAddress table, PhysicalAddress next) { store(table, 0, next.value); }
    PhysicalAddress removed_link(PhysicalAddress table) { return {load(table, 0)}; }

    std::map<u64, std::vector<u64>> tables;
    u64 left = ~u64{0};
    std::function<void()> after_store;
    std::function<void()> before_compare;

private:
    u64 next_ = 0x1000'0000;
};
using Table = PageTable<Format, RecordingMemory>;

constexpr Protection kUserData{.writable = true, .user = true};
constexpr Protection kUserCode{.executable = true, .user = true};

class PageTableTest : public ::testing::Test {
protected:
    PageTableTest() : machine(16 * kMiB), table(memory, memory.allocate_table().value()) {}

    /// Runs unmap in steps of `budget` and settles.
    void unmap(u64 start, u64 end, u32 budget = 1000, std::vector<u64>* removed = nullptr) {
        TlbFlush flush(machine.frames());
        for (VirtualAddress at{start}; at.value < end;) {
            at = table.unmap(at, {end}, flush, budget, EmptyTables::Free, [&](PhysicalAddress page, u32) {
                if (removed != nullptr) {
                    removed->push_back(page.value);
                }
            });
        }
        flush.settle(memory, FlushDoneForTest::make());
    }
    void protect(u64 start, u64 end, Protection protection) {
        TlbFlush flush(machine.frames());
        for (VirtualAddress at{start}; at.value < end;) {
            at = table.protect(at, {end}, protection, flush, 3);
        }
        flush.settle(memory, FlushDoneForTest::make());
    }
    u64 target(u64 address) {
        auto found = table.translate({address});
        return found ? found->address.value : ~u64{0};
    }

    MemoryMachine machine;
    RecordingMemory memory;
    Table table;
};

TEST_F(PageTableTest, UsesTheLargestPagesThatFit) {
    const u64 start = kGiB - 2 * kMiB - kPageSize;
    ASSERT_TRUE(table.map({start}, 2 * kGiB + 4 * kMiB, {start}, kUserData, 2).ok());
    EXPECT_EQ(table.translate({start})->level, 0u);
    EXPECT_EQ(table.translate({start + kPageSize})->level, 1u);
    EXPECT_EQ(table.translate({kGiB + 12345})->level, 2u);
    EXPECT_EQ(target(kGiB + 12345), kGiB + 12345);
    EXPECT_EQ(target(start - 1), ~u64{0});
    Protection found = table.translate({start})->protection;
    EXPECT_EQ(found, kUserData);
    EXPECT_EQ(table.map({2 * kGiB}, kPageSize, {0}, kUserData, 0).error(), Errno::eexist);
    unmap(start, start + 2 * kGiB + 4 * kMiB, 2);
    EXPECT_EQ(memory.tables.size(), 1u);
}

TEST_F(PageTableTest, UnalignedMemoryGetsSmallPages) {
    ASSERT_TRUE(table.map({4 * kMiB}, 2 * kMiB, {kPageSize}, kKernelDevice, 2).ok());
    auto found = table.translate({4 * kMiB + 5});
    EXPECT_EQ(found->level, 0u);
    EXPECT_EQ(found->address.value, kPageSize + 5);
    EXPECT_EQ(found->protection, kKernelDevice);
    unmap(4 * kMiB, 6 * kMiB);
}

TEST_F(PageTableTest, FailedPreparationLeavesNothing) {
    for (u64 n = 0;; ++n) {
        memory.left = n;
        const usize before = memory.tables.size();
        Result<void> result = table.map({kGiB - kPageSize}, 2 * kPageSize, {0}, kUserData, 0);
        if (result.ok()) {
            EXPECT_EQ(n, 5u);
            break;
        }
        EXPECT_EQ(memory.tables.size(), before);
        EXPECT_EQ(target(kGiB), ~u64{0});
    }
    memory.left = ~u64{0};
    unmap(kGiB - kPageSize, kGiB + kPageSize);
    EXPECT_EQ(memory.tables.size(), 1u);
}

TEST_F(PageTableTest, SplittingKeepsTranslations) {
    ASSERT_TRUE(table.map({kGiB}, kGiB, {3 * kGiB}, kUserData, 2).ok());
    memory.after_store = [&] {
        for (u64 offset : {u64{0}, 5 * kMiB + 1, 700 * kMiB + 4097, kGiB - 1}) {
            ASSERT_EQ(target(kGiB + offset), 3 * kGiB + offset);
        }
    };
    for (u64 n = 0; n < 2; ++n) {
        memory.left = n;
        EXPECT_EQ(table.split({kGiB + 5 * kMiB + kPageSize}).error(), Errno::enomem);
    }
    memory.left = ~u64{0};
    ASSERT_TRUE(table.split({kGiB + 5 * kMiB + kPageSize}).ok());
    ASSERT_TRUE(table.split({kGiB + 5 * kMiB + kPageSize}).ok());
    memory.after_store = nullptr;
    EXPECT_EQ(table.translate({kGiB + 5 * kMiB})->level, 0u);
    EXPECT_EQ(table.translate({kGiB + 8 * kMiB})->level, 1u);
    EXPECT_TRUE(table.translate({kGiB + 8 * kMiB})->dirty);
    EXPECT_TRUE(table.split({8 * kGiB}).ok());
    unmap(kGiB, 2 * kGiB);
    EXPECT_EQ(memory.tables.size(), 1u);
}

TEST_F(PageTableTest, ProtectKeepsWhatTheCpuSetsMeanwhile) {
    ASSERT_TRUE(table.map({kGiB}, 4 * kPageSize, {0}, kUserData, 0).ok());
    PhysicalAddress leaf{memory.tables.rbegin()->first};
    for (auto& [address, entries] : memory.tables) {
        if (entries[1] != 0 && (entries[1] & Format::kAddressMask) == kPageSize) {
            leaf = {address};
        }
    }
    memory.before_compare = [&] { memory.tables[leaf.value][0] |= Format::kDirty; };
    protect(kGiB - kPageSize, kGiB + 2 * kPageSize, kUserCode);
    EXPECT_TRUE(table.translate({kGiB})->dirty);
    EXPECT_EQ(table.translate({kGiB + kPageSize})->protection, kUserCode);
    EXPECT_EQ(table.translate({kGiB + 2 * kPageSize})->protection, kUserData);
    unmap(kGiB, kGiB + 4 * kPageSize);
}

TEST_F(PageTableTest, EveryStoreIsSafeForAWalker) {
    constexpr u64 kSpan = 8 * kMiB;
    constexpr u64 kBase = kGiB - kSpan / 2;
    for (u32 seed = 0; seed < 3; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        std::map<u64, u64> model;  // page -> target
        std::map<u64, u64> after;
        memory.after_store = [&] {
            for (int i = 0; i < 12; ++i) {
                u64 page = kBase + random() % (kSpan / kPageSize) * kPageSize;
                u64 now = target(page);
                u64 old_target = model.contains(page) ? model[page] : ~u64{0};
                u64 new_target = after.contains(page) ? after[page] : ~u64{0};
                ASSERT_TRUE(now == old_target || now == new_target);
            }
        };
        for (int step = 0; step < 60; ++step) {
            u64 start = kBase + random() % (kSpan / kPageSize) * kPageSize;
            if (random() % 2 == 0) {
                start = align_down(start, 2 * kMiB);
            }
            u64 size = std::min<u64>((1 + random() % 1024) * kPageSize, kBase + kSpan - start);
            after = model;
            bool free = model.lower_bound(start) == model.lower_bound(start + size);
            if (free) {
                for (u64 page = start; page < start + size; page += kPageSize) {
                    after[page] = page + 16 * kGiB;
                }
                ASSERT_TRUE(table.map({start}, size, {start + 16 * kGiB}, kUserData, 2).ok());
            } else if (random() % 3 == 0) {
                ASSERT_TRUE(table.split({start}).ok() && table.split({start + size}).ok());
                protect(start, start + size, kUserCode);
            } else {
                ASSERT_TRUE(table.split({start}).ok() && table.split({start + size}).ok());
                after.erase(after.lower_bound(start), after.lower_bound(start + size));
                unmap(start, start + size, 1 + random() % 700);
            }
            model = after;
            for (u64 page = kBase; page < kBase + kSpan; page += 7 * kPageSize) {
                ASSERT_EQ(target(page), model.contains(page) ? model[page] : ~u64{0});
            }
        }
        after.clear();
        unmap(kBase, kBase + kSpan);
        ASSERT_EQ(memory.tables.size(), 1u);
    }
}

TEST_F(PageTableTest, TablesAndFramesWaitForTheFlush) {
    FrameAllocator& frames = machine.frames();
    const u64 available = machine.available();
    constexpr u64 kPages = 700;  // more than fits inline
    for (u64 i = 0; i < kPages; ++i) {
        ASSERT_TRUE(
            table.map({kGiB + i * kPageSize}, kPageSize, frames.allocate(0).value().address(), kUserData, 0).ok());
    }
    const usize tables = memory.tables.size();
    TlbFlush flush(frames);
    EXPECT_TRUE(flush.empty());
    EXPECT_EQ(flush.page_count(), 0u);
    table.unmap({kGiB}, {kGiB + kPages * kPageSize}, flush, 100000, EmptyTables::Free,
                [&](PhysicalAddress page, u32) { flush.retire_frame(FrameNumber::containing(page)); });
    EXPECT_EQ(memory.tables.size(), tables);
    EXPECT_LE(machine.available(), available - kPages * kPageSize);
    EXPECT_FALSE(flush.empty());
    EXPECT_GE(flush.page_count(), kPages);
    flush.settle(memory, FlushDoneForTest::make());
    EXPECT_EQ(memory.tables.size(), 1u);
    EXPECT_EQ(machine.available(), available);
}

TEST_F(PageTableTest, AFullFlushStopsUnmapping) {
    FrameAllocator& frames = machine.frames();
    for (u64 i = 0; i < 20; ++i) {
        ASSERT_TRUE(
            table.map({kGiB + i * kPageSize}, kPageSize, frames.allocate(0).value().address(), kUserData, 0).ok());
    }
    frames.failure_injector().fail_every(1);  // no page for further frame numbers
    VirtualAddress at{kGiB};
    int rounds = 0;
    for (; at.value < kGiB + 20 * kPageSize; ++rounds) {
        TlbFlush flush(frames);
        at = table.unmap(at, {kGiB + 20 * kPageSize}, flush, 1000, EmptyTables::Keep,
                         [&](PhysicalAddress page, u32) { flush.retire_frame(FrameNumber::containing(page)); });
        flush.settle(memory, FlushDoneForTest::make());
    }
    EXPECT_EQ(rounds, 2);
    EXPECT_EQ(memory.tables.size(), 4u);  // kept
}

TEST_F(PageTableTest, PopulatedRootEntriesStay) {
    ASSERT_TRUE(table.populate_root({0xffff'c000'0000'0000}, {0xffff'c100'0000'0000}).ok());
    EXPECT_EQ(memory.tables.size(), 3u);
    ASSERT_TRUE(table.populate_root({0xffff'c000'0000'0000}, {0xffff'c100'0000'0000}).ok());
    memory.left = 0;
    EXPECT_EQ(table.populate_root({0xffff'8000'0000'0000}, {0xffff'8000'0000'1000}).error(), Errno::enomem);
}

TEST(TlbFlushDeath, ForgettingIsReported) {
    MemoryMachine machine(16 * kMiB);
    auto forget = [&] {
        alignas(TlbFlush) u8 storage[sizeof(TlbFlush)];
        auto* flush = new (storage) TlbFlush(machine.frames());
        std::destroy_at(flush);
    };
    EXPECT_DEATH(forget(), "");
}

}  // namespace
}  // namespace cairn::mm
