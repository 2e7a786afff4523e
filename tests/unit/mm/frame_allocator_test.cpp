#include "mm/frame_allocator.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "tests/unit/mm/memory_fixture.h"

namespace cairn::mm {
namespace {

FrameNumber take(FrameAllocator& frames, u32 order = 0, FrameFlags flags = FrameFlags::None) {
    Result<FrameNumber> result = frames.allocate(order, flags);
    EXPECT_TRUE(result.ok());
    return result.value();
}

TEST(FrameAllocator, EveryByteIsAccountedForFrom16MiBOn) {
    for (u64 size : {16 * kMiB, 17 * kMiB + 3 * kPageSize, 128 * kMiB, 900 * kMiB}) {
        SCOPED_TRACE(size);
        MemoryMachine machine(size);
        machine.early().reserve({{2 * kMiB}, {3 * kMiB}}, MemoryPurpose::KernelImage);
        machine.early().reserve({{5 * kMiB}, {5 * kMiB + 100}}, MemoryPurpose::Boot);
        FrameStatistics s = machine.frames().statistics();
        expect_consistent(s);
        EXPECT_EQ(s.total, size);
        EXPECT_EQ(s.firmware, kMiB);
        EXPECT_EQ(s.kernel_image, kMiB);
        EXPECT_EQ(s.boot, kPageSize);
        EXPECT_EQ(s.allocated, 0u);
        EXPECT_LT(s.metadata, size / 100 + 64 * kKiB);
        FrameNumber a = take(machine.frames(), 3);
        s = machine.frames().statistics();
        expect_consistent(s);
        EXPECT_EQ(s.allocated, 8 * kPageSize);
        machine.frames().free(a, 3);
    }
}

TEST(FrameAllocator, NeverHandsOutTheFirstMebibyteOrWhatIsReserved) {
    MemoryMachine machine(16 * kMiB);
    const PhysicalRange image{{4 * kMiB}, {6 * kMiB}};
    machine.early().reserve(image, MemoryPurpose::KernelImage);
    u64 count = 0;
    u64 available = machine.available();
    while (true) {
        Result<FrameNumber> frame = machine.frames().allocate(0);
        if (!frame.ok()) {
            break;
        }
        EXPECT_GE(frame.value().address().value, kMiB);
        EXPECT_FALSE(image.contains(frame.value().address()));
        ++count;
    }
    EXPECT_EQ(count * kPageSize, available);
}

TEST(FrameAllocator, BuddiesAreJoinedAgain) {
    MemoryMachine machine(64 * kMiB);
    FrameStatistics before = machine.frames().statistics();
    std::vector<FrameNumber> all;
    while (true) {
        Result<FrameNumber> frame = machine.frames().allocate(0);
        if (!frame.ok()) {
            break;
        }
        all.push_back(frame.value());
    }
    std::shuffle(all.begin(), all.end(), std::mt19937(3));
    for (FrameNumber frame : all) {
        machine.frames().free(frame, 0);
    }
    FrameStatistics after = machine.frames().statistics();
    for (u32 order = 0; order < kOrders; ++order) {
        EXPECT_EQ(before.free_blocks[order], after.free_blocks[order]) << order;
    }
    EXPECT_GE(after.free_blocks[kMaxOrder], 14u);
}

TEST(FrameAllocator, AgreesWithAModelUnderRandomOperations) {
    for (u32 seed = 0; seed < 4; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        MemoryMachine machine(24 * kMiB, {{{kMiB}, {9 * kMiB}}, {{11 * kMiB}, {24 * kMiB - kPageSize}}});
        PerCpu& first = machine.add_cpu();
        PerCpu& second = machine.add_cpu();
        const u64 available = machine.available();
        std::map<u64, u32> blocks;  // first frame -> order
        u64 taken = 0;
        for (int step = 0; step < 6000; ++step) {
            machine.use(random() % 2 == 0 ? first : second);
            if (blocks.empty() || random() % 100 < 52) {
                u32 order = random() % 4 == 0 ? random() % kOrders : 0;
                bool zeroed = random() % 3 == 0;
                Result<FrameNumber> block =
                    machine.frames().allocate(order, zeroed ? FrameFlags::Zeroed : FrameFlags::None);
                if (!block.ok()) {
                    continue;
                }
                u64 start = block.value().value;
                ASSERT_EQ(start % (u64{1} << order), 0u);
                auto next = blocks.lower_bound(start);
                ASSERT_TRUE(next == blocks.end() || next->first >= start + (u64{1} << order));
                if (next != blocks.begin()) {
                    --next;
                    ASSERT_LE(next->first + (u64{1} << next->second), start);
                }
                u8* memory = static_cast<u8*>(arch::direct_map(block.value().address()));
                if (zeroed) {
                    ASSERT_EQ(std::count(memory, memory + (kPageSize << order), 0), kPageSize << order);
                }
                std::memset(memory, 0x5a, kPageSize);
                blocks[start] = order;
                taken += u64{1} << order;
            } else {
                auto victim = std::next(blocks.begin(), random() % blocks.size());
                machine.frames().free({victim->first}, victim->second);
                taken -= u64{1} << victim->second;
                blocks.erase(victim);
            }
            if (step % 500 == 0) {
                expect_consistent(machine.frames().statistics());
                ASSERT_EQ(machine.available(), available - taken * kPageSize);
            }
        }
        for (auto [start, order] : blocks) {
            machine.frames().free({start}, order);
        }
        EXPECT_EQ(machine.available(), available);
    }
}

TEST(FrameAllocator, HolesCostNoMetadata) {
    constexpr u64 kFar = u64{1} << 40;  // 1 TiB
    MemoryMachine machine(kFar + 128 * kMiB, {{{0}, {16 * kMiB}}, {{kFar}, {kFar + 64 * kMiB}}});
    FrameAllocator& frames = machine.frames();
    FrameStatistics s = frames.statistics();
    expect_consistent(s);
    EXPECT_EQ(s.total, 80 * kMiB);
    EXPECT_LT(s.metadata, kMiB);
    FrameNumber high = take(frames);
    EXPECT_GE(high.address().value, kFar);
    EXPECT_EQ(frames.find_frame({kFar / kPageSize / 2}), nullptr);
    EXPECT_EQ(frames.find_frame({kFar}), nullptr);
    EXPECT_EQ(frames.find_frame({200 * kMiB / kPageSize}), nullptr);
    frames.free(high, 0);
    // The highest zone is used up first, then the lower one.
    std::vector<FrameNumber> blocks;
    while (true) {
        Result<FrameNumber> block = frames.allocate(kMaxOrder);
        if (!block.ok()) {
            break;
        }
        blocks.push_back(block.value());
    }
    EXPECT_LT(blocks.back().address().value, 16 * kMiB);
    for (FrameNumber block : blocks) {
        frames.free(block, kMaxOrder);
    }
    EXPECT_EQ(frames.statistics().free, s.free);
}

TEST(FrameAllocator, SixtyFourGiBStartWithoutTouchingMemory) {
    constexpr u64 kEnd = 66 * kGiB;
    MemoryMachine machine(kEnd, {{{0}, {3 * kGiB}}, {{4 * kGiB}, {kEnd}}});
    FrameAllocator& frames = machine.frames();
    FrameStatistics s = frames.statistics();
    expect_consistent(s);
    EXPECT_EQ(s.total, 65 * kGiB);
    EXPECT_LT(s.metadata, 65 * kGiB / 100);
    EXPECT_GT(s.free_blocks[kMaxOrder], 16000u);
    EXPECT_EQ(frames.find_frame({5 * kGiB / kPageSize}), nullptr);  // not initialised
    FrameNumber low = take(frames, 0, FrameFlags::Below4G | FrameFlags::Zeroed);
    EXPECT_LT(low.address().value, 4 * kGiB);
    FrameNumber high = take(frames, kMaxOrder);
    EXPECT_GE(high.address().value, 4 * kGiB);
    frames.free(low, 0);
    frames.free(high, kMaxOrder);
    EXPECT_EQ(frames.statistics().free, s.free);
}

TEST(FrameAllocator, BootMemoryIsReclaimed) {
    MemoryMachine machine(32 * kMiB);
    machine.early().reserve({{8 * kMiB}, {13 * kMiB + 1}}, MemoryPurpose::Boot);
    machine.early().add({{32 * kMiB}, {33 * kMiB}}, MemoryPurpose::Boot);
    FrameAllocator& frames = machine.frames();
    FrameStatistics before = frames.statistics();
    EXPECT_EQ(before.boot, 6 * kMiB + kPageSize);
    EXPECT_EQ(frames.reclaim_boot_memory(), 6 * kMiB + kPageSize);
    FrameStatistics after = frames.statistics();
    expect_consistent(after);
    EXPECT_EQ(after.boot, 0u);
    EXPECT_EQ(after.reclaimed, before.boot);
    EXPECT_EQ(after.free, before.free + before.boot);
    EXPECT_EQ(frames.reclaim_boot_memory(), 0u);
}

TEST(FrameAllocator, BootMemoryIsReclaimedPieceByPiece) {
    MemoryMachine machine(32 * kMiB);
    constexpr u64 kStart = 8 * kMiB + 3 * kPageSize;
    constexpr u64 kEnd = 14 * kMiB;
    machine.early().reserve({{kStart}, {kEnd}}, MemoryPurpose::Boot);
    FrameAllocator& frames = machine.frames();
    FrameStatistics before = frames.statistics();
    u64 reclaimed = 0;
    // Steps that begin and end within frames: what is cut apart stays until the end.
    for (u64 at = kStart + 100; at < kEnd; at += kMiB) {
        const u64 end = std::min(kEnd, at + kMiB);
        reclaimed += frames.reclaim_boot_memory({{at}, {end}});
        FrameStatistics now = frames.statistics();
        expect_consistent(now);
        EXPECT_EQ(now.free, before.free + reclaimed);
        EXPECT_EQ(now.total, before.total);
    }
    EXPECT_EQ(reclaimed, before.boot - 6 * kPageSize);
    EXPECT_EQ(frames.reclaim_boot_memory({{kStart}, {kStart + kMiB + kPageSize}}), 2 * kPageSize)
        << "the first, and a cut one";
    FrameNumber number = take(frames, 0);
    frames.free(number, 0);
    EXPECT_EQ(frames.reclaim_boot_memory(), 4 * kPageSize);
    EXPECT_EQ(frames.statistics().boot, 0u);
    EXPECT_EQ(frames.reclaim_boot_memory({{0}, {32 * kMiB}}), 0u) << "nothing is given twice";
}

TEST(FrameAllocator, CachesAreFilledAndDrainedInBatches) {
    MemoryMachine machine(256 * kMiB);
    PerCpu& cpu = machine.add_cpu();
    machine.use(cpu);
    FrameAllocator& frames = machine.frames();
    std::vector<FrameNumber> held;
    for (int i = 0; i < 200; ++i) {
        held.push_back(take(frames));
    }
    for (FrameNumber frame : held) {
        frames.free(frame, 0);
    }
    FrameStatistics s = frames.statistics();
    expect_consistent(s);
    EXPECT_GT(s.cached, 0u);
    EXPECT_LE(s.cached, CpuFrameCache::kCapacity * kPageSize);
    EXPECT_EQ(take(frames), held.back());  // the warmest one
    frames.free(held.back(), 0);
    frames.drain_this_cpu();
    EXPECT_EQ(frames.statistics().cached, 0u);
}

TEST(FrameAllocator, ACacheIsFilledWithWholeBlocksAndTheSmallestFirst) {
    MemoryMachine machine(256 * kMiB);
    machine.use(machine.add_cpu());
    FrameAllocator& frames = machine.frames();
    frames.free(take(frames), 0);
    frames.drain_this_cpu();
    // A piece of three frames that cannot grow, since its neighbour is kept.
    const FrameNumber block = take(frames, 2);
    const FrameNumber kept = block + 3;
    std::vector<FrameNumber> all;
    frames.free(block, 2);
    while (all.empty() || all.back() != kept) {
        all.push_back(take(frames));
    }
    all.pop_back();
    for (FrameNumber frame : all) {
        frames.free(frame, 0);
    }
    frames.drain_this_cpu();
    EXPECT_GE(frames.statistics().free_blocks[0], 1u);
    EXPECT_GE(frames.statistics().free_blocks[1], 1u);
    std::vector<FrameNumber> next;
    for (int i = 0; i < 32; ++i) {
        next.push_back(take(frames));
    }
    for (u64 i = 0; i < 3; ++i) {
        EXPECT_TRUE(std::ranges::find(next, block + i) != next.end()) << i;
    }
    std::ranges::sort(next);
    EXPECT_TRUE(std::ranges::adjacent_find(next) == next.end());
    expect_consistent(frames.statistics());
    for (FrameNumber frame : next) {
        frames.free(frame, 0);
    }
    frames.free(kept, 0);
}

TEST(FrameAllocator, ADrainedCacheCompletesABlock) {
    MemoryMachine machine(16 * kMiB, {{{4 * kMiB}, {12 * kMiB}}});
    PerCpu& cpu = machine.add_cpu();
    machine.use(cpu);
    FrameAllocator& frames = machine.frames();
    std::vector<std::pair<FrameNumber, u32>> held;
    for (u32 order = kOrders; order-- > 0;) {
        while (true) {
            Result<FrameNumber> block = frames.allocate(order);
            if (!block.ok()) {
                break;
            }
            held.push_back({block.value(), order});
        }
    }
    // Two buddies go into the cache; the request for both is met by draining it.
    FrameNumber pair = held.front().first;
    u32 order = held.front().second;
    frames.free(pair, order);
    std::vector<FrameNumber> singles;
    for (u64 i = 0; i < (u64{1} << order); ++i) {
        singles.push_back(take(frames));
    }
    frames.free(singles[0], 0);
    frames.free({singles[0].value ^ 1}, 0);
    EXPECT_TRUE(frames.allocate(1).ok());
    EXPECT_EQ(frames.allocate(1).error(), Errno::enomem);
}

TEST(FrameAllocator, AsksForReapingWhenShort) {
    MemoryMachine machine(16 * kMiB);
    FrameAllocator& frames = machine.frames();
    static FrameNumber spare;
    static FrameAllocator* allocator;
    allocator = &frames;
    spare = take(frames);
    bool done = false;
    while (frames.allocate(0).ok()) {
    }
    frames.set_reap(
        [](void* called) {
            if (*static_cast<bool*>(called)) {
                return false;
            }
            *static_cast<bool*>(called) = true;
            allocator->free(spare, 0);
            return true;
        },
        &done);
    EXPECT_EQ(take(frames), spare);
    EXPECT_EQ(frames.allocate(0).error(), Errno::enomem);
}

TEST(FrameAllocator, ReferencesKeepAFrame) {
    MemoryMachine machine(16 * kMiB);
    const u64 available = machine.available();
    FrameNumber block = take(machine.frames(), 2);
    machine.frames().add_reference(block);
    machine.frames().drop_reference(block);
    EXPECT_EQ(machine.available(), available - 4 * kPageSize);
    machine.frames().drop_reference(block);
    EXPECT_EQ(machine.available(), available);
}

TEST(FrameAllocator, FailureInjection) {
    MemoryMachine machine(16 * kMiB);
    FrameAllocator& frames = machine.frames();
    FailureInjector& injector = frames.failure_injector();
    const u64 available = machine.available();
    injector.fail_once_at(1);
    FrameNumber a = take(frames);
    EXPECT_EQ(frames.allocate(0).error(), Errno::enomem);
    FrameNumber b = take(frames);
    injector.fail_every(2);
    FrameNumber c = take(frames);
    EXPECT_FALSE(frames.allocate(0).ok());
    FrameNumber d = take(frames);
    EXPECT_FALSE(frames.allocate(0).ok());
    bool failing = true;
    injector.set_hook([](void* flag) { return *static_cast<bool*>(flag); }, &failing);
    EXPECT_FALSE(frames.allocate(0).ok());
    injector.disarm();
    FrameNumber e = take(frames);
    EXPECT_EQ(injector.failures(), 4u);
    EXPECT_EQ(injector.requests(), 9u);
    for (FrameNumber frame : {a, b, c, d, e}) {
        frames.free(frame, 0);
    }
    EXPECT_EQ(machine.available(), available);
}

TEST(FrameAllocatorDeath, BadFreesPanic) {
    MemoryMachine machine(16 * kMiB);
    FrameAllocator& frames = machine.frames();
    FrameNumber block = take(frames, 2);
    EXPECT_DEATH(frames.free(block + 1, 0), "");
    EXPECT_DEATH(frames.free(block, 1), "");
    EXPECT_DEATH(frames.free({1}, 0), "");
    frames.free(block, 2);
    EXPECT_DEATH(frames.free(block, 2), "");
    machine.add_cpu();
    FrameNumber single = take(frames);
    frames.free(single, 0);
    EXPECT_DEATH(frames.free(single, 0), "");
}

TEST(FrameAllocatorDeath, UseAfterFreeIsReported) {
    if (!CAIRN_ADDRESS_SANITIZER) {
        GTEST_SKIP() << "needs AddressSanitizer";
    }
    MemoryMachine machine(16 * kMiB);
    FrameNumber frame = take(machine.frames());
    u8* memory = static_cast<u8*>(arch::direct_map(frame.address()));
    *memory = 1;
    machine.frames().free(frame, 0);
    EXPECT_DEATH(*const_cast<volatile u8*>(memory) = 2, "use-after-poison");
}

}  // namespace
}  // namespace cairn::mm
