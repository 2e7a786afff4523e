#include <cstring>
#include <random>

#include "kernel/base/heap.h"
#include "kernel/base/own.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn::mm {
namespace {

TEST(Slab, LayoutsWasteLittleAndFit) {
    for (usize size = 1; size <= SlabCache::kMaxObject; size += 7) {
        SlabLayout layout = SlabLayout::choose(size, 8);
        EXPECT_GE(layout.object_size, size);
        EXPECT_GT(layout.objects, 0u);
        EXPECT_LE(layout.objects * usize{layout.object_size}, layout.header_offset());
        EXPECT_LE(layout.header_offset() + layout.header_size(), layout.block_size());
    }
}

TEST(Slab, HeapServesEverySizeAndAlignment) {
    MemoryMachine machine(32 * kMiB);
    machine.add_cpu();
    SlabAllocator& slab = machine.slab();
    std::vector<std::tuple<u8*, usize, usize>> held;
    for (usize alignment = 1; alignment <= kPageSize; alignment *= 2) {
        for (usize size : {0, 1, 8, 9, 24, 100, 161, 640, 1500, 2048, 2049, 5000, 70000}) {
            u8* memory = static_cast<u8*>(heap_allocate(size, alignment));
            ASSERT_NE(memory, nullptr);
            ASSERT_EQ(reinterpret_cast<uptr>(memory) % alignment, 0u);
            std::memset(memory, static_cast<int>(held.size()), size);
            held.push_back({memory, size, alignment});
        }
    }
    EXPECT_GT(slab.large_bytes(), 0u);
    for (usize i = 0; i < held.size(); ++i) {
        auto [memory, size, alignment] = held[i];
        for (usize k = 0; k < size; ++k) {
            ASSERT_EQ(memory[k], static_cast<u8>(i));
        }
        heap_free(memory, size, alignment);
    }
    heap_free(nullptr, 8, 8);
    EXPECT_EQ(heap_allocate(5 * kMiB, 8), nullptr);
    EXPECT_EQ(slab.large_bytes(), 0u);
    EXPECT_EQ(slab.objects_in_use(), 0u);
}

TEST(Slab, RandomOperationsOnTwoCpusLeakNothing) {
    for (u32 seed = 0; seed < 3; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        MemoryMachine machine(32 * kMiB);
        PerCpu& first = machine.add_cpu();
        PerCpu& second = machine.add_cpu();
        SlabAllocator& slab = machine.slab();
        slab.drain_this_cpu();
        const u64 available = machine.available();
        {
            SlabCache named(slab, "named", 72, 8);
            std::vector<std::pair<u64*, u64>> objects;
            for (int step = 0; step < 20000; ++step) {
                machine.use(random() % 2 == 0 ? first : second);
                bool growing = (step / 2000) % 2 == 0;
                if (objects.empty() || random() % 10 < (growing ? 7u : 3u)) {
                    u64* object = static_cast<u64*>(named.allocate());
                    ASSERT_NE(object, nullptr);
                    u64 mark = random();
                    object[0] = object[8] = mark;
                    objects.push_back({object, mark});
                } else {
                    usize i = random() % objects.size();
                    ASSERT_EQ(objects[i].first[0], objects[i].second);
                    ASSERT_EQ(objects[i].first[8], objects[i].second);
                    named.free(objects[i].first);
                    objects[i] = objects.back();
                    objects.pop_back();
                }
                if (step % 1000 == 0) {
                    SlabStatistics s = named.statistics();
                    ASSERT_EQ(s.in_use, objects.size());
                    ASSERT_EQ(s.bytes, s.slabs * named.layout().block_size());
                    ASSERT_GE(s.slabs * named.layout().objects, s.in_use + s.cached);
                }
            }
            for (auto [object, mark] : objects) {
                named.free(object);
            }
            EXPECT_EQ(named.statistics().in_use, 0u);
        }
        for (PerCpu* cpu : {&first, &second}) {
            machine.use(*cpu);
            slab.drain_this_cpu();
        }
        slab.reap();
        EXPECT_EQ(machine.available(), available);
    }
}

TEST(Slab, EveryFailingAllocationIsClean) {
    MemoryMachine machine(32 * kMiB);
    machine.add_cpu();
    SlabAllocator& slab = machine.slab();
    FailureInjector& injector = machine.frames().failure_injector();
    for (u64 n = 0;; ++n) {
        slab.drain_this_cpu();
        slab.reap();
        const u64 available = machine.available();
        injector.fail_once_at(n);
        std::vector<void*> objects;
        bool failed = false;
        for (int i = 0; i < 100; ++i) {
            void* object = slab.allocate(1000, 8);
            failed = failed || object == nullptr;
            if (object != nullptr) {
                objects.push_back(object);
            }
        }
        for (void* object : objects) {
            slab.free(object, 1000, 8);
        }
        const bool reached = n < 100 || failed;
        injector.disarm();
        EXPECT_EQ(slab.objects_in_use(), 0u);
        slab.drain_this_cpu();
        slab.reap();
        ASSERT_EQ(machine.available(), available) << n;
        if (!reached && n > 150) {
            break;
        }
    }
}

TEST(Slab, ExhaustionReapsEmptySlabsForOthers) {
    MemoryMachine machine(16 * kMiB);
    machine.add_cpu();
    SlabAllocator& slab = machine.slab();
    std::vector<void*> objects;
    while (void* object = slab.allocate(2048, 8)) {
        objects.push_back(object);
    }
    EXPECT_GT(objects.size(), 5000u);
    for (void* object : objects) {
        slab.free(object, 2048, 8);
    }
    // Depots hold some objects; an exhausting request gets their memory too.
    std::vector<FrameNumber> held;
    while (true) {
        Result<FrameNumber> frame = machine.frames().allocate(0);
        if (!frame.ok()) {
            break;
        }
        held.push_back(frame.value());
    }
    u64 slabs = 0;
    slab.for_each_cache([&](const SlabStatistics& s) { slabs += s.name == "size-2048" ? s.slabs : 0; });
    EXPECT_LE(slabs, 2 * 6u);
    for (FrameNumber frame : held) {
        machine.frames().free(frame, 0);
    }
}

TEST(Slab, WorksWithoutCpuCaches) {
    MemoryMachine machine(16 * kMiB);
    machine.slab();
    Result<Own<u64>> object = try_new<u64>(7u);
    ASSERT_TRUE(object.ok());
    EXPECT_EQ(*object.value(), 7u);
}

TEST(SlabDeath, BadFreesPanic) {
    MemoryMachine machine(16 * kMiB);
    machine.add_cpu();
    SlabAllocator& slab = machine.slab();
    u8* object = static_cast<u8*>(slab.allocate(64, 8));
    EXPECT_DEATH(slab.free(object + 8, 64, 8), "");
    EXPECT_DEATH(slab.free(object, 128, 8), "");
    slab.free(object, 64, 8);
    EXPECT_DEATH(slab.free(object, 64, 8), "");
}

TEST(SlabDeath, UseAfterFreeIsReported) {
    if (!CAIRN_ADDRESS_SANITIZER) {
        GTEST_SKIP() << "needs AddressSanitizer";
    }
    MemoryMachine machine(16 * kMiB);
    machine.add_cpu();
    u8* object = static_cast<u8*>(machine.slab().allocate(64, 8));
    machine.slab().free(object, 64, 8);
    EXPECT_DEATH(*const_cast<volatile u8*>(object) = 1, "use-after-poison");
}

}  // namespace
}  // namespace cairn::mm
