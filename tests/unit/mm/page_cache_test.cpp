#include "mm/page_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/unit/mm/memory_fixture.h"

namespace cairn::mm {
namespace {

class PageCacheTest : public testing::Test {
protected:
    PageCacheTest() : machine(64 * kMiB) {
        machine.add_cpu();
        machine.system_memory();
    }
    std::vector<u8> read(PageCache& cache, u64 offset, usize size) {
        std::vector<u8> bytes(size);
        IoSink sink = IoSink::to_kernel(std::as_writable_bytes(std::span(bytes)));
        Result<usize> count = cache.read(offset, sink);
        EXPECT_TRUE(count.ok());
        bytes.resize(count.ok() ? count.value() : 0);
        return bytes;
    }
    Result<usize> write(PageCache& cache, u64 offset, const std::vector<u8>& bytes) {
        IoSource source = IoSource::from_kernel(std::as_bytes(std::span(bytes)));
        return cache.write(offset, source);
    }
    MemoryMachine machine;
};

/// A disk in memory that counts what is done to it.
class FakeStore final : public PageStore {
public:
    Result<void> read_page(u64 index, FrameNumber frame) override {
        ++reads;
        if (broken.contains(index)) {
            return fail(Errno::eio);
        }
        if (pages.contains(index)) {
            std::memcpy(arch::direct_map(frame.address()), pages[index].data(), kPageSize);
        }
        return {};
    }
    Result<void> write_page(u64 index, FrameNumber frame) override {
        ++writes;
        if (broken.contains(index)) {
            return fail(Errno::eio);
        }
        const u8* memory = static_cast<const u8*>(arch::direct_map(frame.address()));
        pages[index].assign(memory, memory + kPageSize);
        return {};
    }
    std::map<u64, std::vector<u8>> pages;
    std::set<u64> broken;
    int reads = 0;
    int writes = 0;
};

/// tmpfs with a limit.
class LimitedStore final : public PageStore {
public:
    explicit LimitedStore(int limit_) : limit(limit_) {}
    Result<void> reserve_page() override {
        if (used == limit) {
            return fail(Errno::enospc);
        }
        ++used;
        return {};
    }
    void release_page() override { --used; }
    bool is_persistent() const override { return false; }
    int used = 0;
    int limit;
};

TEST_F(PageCacheTest, RandomOperationsAgreeWithAVector) {
    const u64 before = machine.available();
    for (u32 seed = 0; seed < 20; ++seed) {
        std::mt19937_64 random(seed);
        Ref<PageCache> cache = std::move(PageCache::create(nullptr)).value();
        std::vector<u8> model;
        constexpr u64 kLimit = 40 * kPageSize;
        for (int step = 0; step < 300; ++step) {
            const u64 offset = random() % kLimit;
            const u64 length = random() % (random() % 2 == 0 ? 100 : 5 * kPageSize);
            switch (random() % 6) {
                case 0:
                case 1: {
                    std::vector<u8> bytes(length);
                    for (u8& byte : bytes) {
                        byte = static_cast<u8>(random());
                    }
                    ASSERT_EQ(write(*cache, offset, bytes).value(), length);
                    if (length != 0) {
                        model.resize(std::max<u64>(model.size(), offset + length));
                        std::copy(bytes.begin(), bytes.end(), model.begin() + static_cast<long>(offset));
                    }
                    break;
                }
                case 2:
                    ASSERT_TRUE(cache->resize(offset).ok());
                    model.resize(offset);
                    break;
                case 3: {
                    ASSERT_TRUE(cache->punch_hole(offset, length).ok());
                    const u64 end = std::min<u64>(model.size(), offset + length);
                    for (u64 i = offset; i < end; ++i) {
                        model[i] = 0;
                    }
                    break;
                }
                case 4:
                    if (length != 0) {
                        const bool keep = random() % 2 == 0;
                        ASSERT_TRUE(
                            cache->allocate(offset, length, keep ? PageCache::KeepSize::Yes : PageCache::KeepSize::No)
                                .ok());
                        model.resize(keep ? model.size() : std::max<u64>(model.size(), offset + length));
                    }
                    break;
                default: {
                    std::vector<u8> expected;
                    if (offset < model.size()) {
                        const u64 end = std::min<u64>(model.size(), offset + length);
                        expected.assign(model.begin() + static_cast<long>(offset),
                                        model.begin() + static_cast<long>(end));
                    }
                    ASSERT_EQ(read(*cache, offset, length), expected);
                }
            }
            ASSERT_EQ(cache->size(), model.size());
        }
        ASSERT_EQ(read(*cache, 0, kLimit * 2), model);
    }
    machine.slab().drain_this_cpu();
    machine.slab().reap();
    EXPECT_NEAR(static_cast<double>(machine.available()), static_cast<double>(before), 16 * kPageSize);
    EXPECT_EQ(g_kernel.memory->report().shared, 0u);
}

TEST_F(PageCacheTest, HolesAreFoundAndTakeNoMemory) {
    Ref<PageCache> cache = std::move(PageCache::create(nullptr)).value();
    ASSERT_TRUE(cache->resize(u64{1} << 50).ok());
    EXPECT_EQ(cache->resident_pages(), 0u);
    EXPECT_EQ(cache->seek_hole(0).value(), 0u);
    EXPECT_EQ(cache->seek_data(0).error(), Errno::enxio);
    const u64 far = (u64{1} << 49) + 5 * kPageSize;
    ASSERT_EQ(write(*cache, far + 10, {1, 2, 3}).value(), 3u);
    EXPECT_EQ(cache->resident_pages(), 1u);
    EXPECT_EQ(cache->seek_data(100).value(), far);
    EXPECT_EQ(cache->seek_data(far + 20).value(), far + 20);
    EXPECT_EQ(cache->seek_hole(far).value(), far + kPageSize);
    EXPECT_EQ(cache->seek_hole(u64{1} << 50).error(), Errno::enxio);
    EXPECT_EQ(read(*cache, far + 9, 5), (std::vector<u8>{0, 1, 2, 3, 0}));
    ASSERT_TRUE(cache->resize(3).ok());
    EXPECT_EQ(cache->resident_pages(), 0u);
}

TEST_F(PageCacheTest, ALimitIsKeptAndGivenBack) {
    LimitedStore store(3);
    {
        Ref<PageCache> cache = std::move(PageCache::create(&store)).value();
        EXPECT_EQ(write(*cache, 0, std::vector<u8>(5 * kPageSize, 7)).value(), 3 * kPageSize);
        EXPECT_EQ(cache->size(), 3 * kPageSize);
        EXPECT_EQ(write(*cache, 4 * kPageSize, {1}).error(), Errno::enospc);
        EXPECT_EQ(cache->allocate(0, 4 * kPageSize, PageCache::KeepSize::No).error(), Errno::enospc);
        EXPECT_EQ(store.used, 3);
        ASSERT_TRUE(cache->punch_hole(kPageSize, kPageSize).ok());
        EXPECT_EQ(store.used, 2);
        ASSERT_TRUE(cache->allocate(0, 3 * kPageSize, PageCache::KeepSize::No).ok());
        EXPECT_EQ(store.used, 3);
    }
    EXPECT_EQ(store.used, 0);
}

TEST_F(PageCacheTest, AStoreIsReadOnceAndWrittenBackWhenDirty) {
    FakeStore store;
    store.pages[0] = std::vector<u8>(kPageSize, 1);
    store.pages[1] = std::vector<u8>(kPageSize, 2);
    Ref<PageCache> cache = std::move(PageCache::create(&store, 2 * kPageSize)).value();
    EXPECT_EQ(read(*cache, kPageSize - 1, 2), (std::vector<u8>{1, 2}));
    EXPECT_EQ(read(*cache, kPageSize - 1, 2), (std::vector<u8>{1, 2}));
    EXPECT_EQ(store.reads, 2);
    ASSERT_TRUE(cache->write_back(0, 2).ok());
    EXPECT_EQ(store.writes, 0);
    ASSERT_EQ(write(*cache, 5, {9}).value(), 1u);
    ASSERT_TRUE(cache->write_back(0, 2).ok());
    ASSERT_TRUE(cache->write_back(0, 2).ok());
    EXPECT_EQ(store.writes, 1);
    EXPECT_EQ(store.pages[0][5], 9);
}

TEST_F(PageCacheTest, AnErrorOfTheStoreIsReportedAndTheDirtyMarkStays) {
    FakeStore store;
    store.broken = {1};
    Ref<PageCache> cache = std::move(PageCache::create(&store, 2 * kPageSize)).value();
    u8 byte = 0;
    IoSink sink = IoSink::to_kernel(std::as_writable_bytes(std::span(&byte, 1)));
    EXPECT_EQ(cache->read(kPageSize, sink).error(), Errno::eio);
    EXPECT_EQ(cache->resident_pages(), 0u);
    store.broken = {};
    ASSERT_EQ(write(*cache, kPageSize, {3}).value(), 1u);
    store.broken = {1};
    EXPECT_EQ(cache->write_back(0, 2).error(), Errno::eio);
    store.broken = {};
    ASSERT_TRUE(cache->write_back(0, 2).ok());
    EXPECT_EQ(store.pages[1][0], 3);
}

TEST_F(PageCacheTest, CleanPagesAreReclaimedDirtyAndUsedOnesStay) {
    FakeStore store;
    Ref<PageCache> cache = std::move(PageCache::create(&store, 8 * kPageSize)).value();
    EXPECT_EQ(read(*cache, 0, 8 * kPageSize).size(), 8 * kPageSize);
    ASSERT_EQ(write(*cache, 0, {1}).value(), 1u);
    FrameNumber held = cache->acquire_page(3, PageAccess::Read).value();
    EXPECT_EQ(g_kernel.memory->reclaim(100), 6u);
    EXPECT_EQ(cache->resident_pages(), 2u);
    g_kernel.frames->drop_reference(held);
    EXPECT_EQ(read(*cache, 0, 1), std::vector<u8>{1});
}

TEST_F(PageCacheTest, MemoryThatRunsOutIsTakenFromCleanPages) {
    FakeStore store;
    const u64 pages = machine.available() / kPageSize * 2;
    Ref<PageCache> cache = std::move(PageCache::create(&store, pages * kPageSize)).value();
    u8 byte = 0;
    for (u64 i = 0; i < pages; ++i) {
        IoSink sink = IoSink::to_kernel(std::as_writable_bytes(std::span(&byte, 1)));
        ASSERT_TRUE(cache->read(i * kPageSize, sink).ok()) << i;
    }
}

TEST_F(PageCacheTest, EveryAllocationOfAWriteMayFail) {
    for (u64 n = 0;; ++n) {
        Ref<PageCache> cache = std::move(PageCache::create(nullptr)).value();
        ASSERT_EQ(write(*cache, 0, {1}).value(), 1u);
        FailureInjector& injector = g_kernel.frames->failure_injector();
        const u64 failures = injector.failures();
        injector.fail_once_at(n);
        Result<usize> written = write(*cache, 3 * kPageSize + 10, std::vector<u8>(2 * kPageSize, 5));
        const bool failed = injector.failures() != failures;
        injector.disarm();
        if (!failed) {
            EXPECT_EQ(written.value(), 2 * kPageSize);
            break;
        }
        if (written.ok()) {
            EXPECT_EQ(cache->size(), 3 * kPageSize + 10 + written.value());
        } else {
            EXPECT_EQ(written.error(), Errno::enomem);
            EXPECT_EQ(cache->size(), 1u);
        }
        EXPECT_EQ(read(*cache, 0, 1), std::vector<u8>{1});
    }
}

TEST(IndexTreeTest, RandomOperationsAgreeWithAMap) {
    MemoryMachine machine(64 * kMiB);
    machine.add_cpu();
    IndexTree tree;
    std::map<u64, u64> model;
    std::mt19937_64 random(3);
    const auto random_index = [&] { return random() % 2 == 0 ? random() % 300 : random() >> (random() % 64); };
    for (int step = 0; step < 20000; ++step) {
        const u64 index = random_index();
        if (random() % 2 == 0 && !model.contains(index)) {
            const u64 word = (random() | 2) & ~u64{1};
            ASSERT_TRUE(tree.insert(index, word).ok());
            model[index] = word;
        } else if (!model.empty()) {
            auto at = model.lower_bound(index);
            const u64 victim = at == model.end() ? model.begin()->first : at->first;
            ASSERT_EQ(tree.erase(victim), model[victim]);
            model.erase(victim);
        }
        const u64 probe = random_index();
        ASSERT_EQ(tree.find(probe), model.contains(probe) ? model[probe] : 0);
        auto next = model.lower_bound(probe);
        ASSERT_EQ(tree.next_present(probe), next == model.end() ? std::nullopt : std::optional(next->first));
        u64 absent = probe;
        while (model.contains(absent)) {
            ++absent;
        }
        ASSERT_EQ(tree.next_absent(probe), absent);
        u64 at = probe;
        for (const Atomic<u64>& place : tree.find_slots(probe)) {
            ASSERT_EQ(place.load(Order::relaxed), model.contains(at) ? model[at] : 0);
            ++at;
        }
        ASSERT_TRUE(at != probe || !model.contains(probe));
    }
    for (auto& [index, word] : model) {
        EXPECT_EQ(tree.erase(index), word);
    }
    EXPECT_TRUE(tree.empty());
}

TEST(IoBufferTest, SegmentsAreOneStream) {
    std::byte memory[10] = {};
    IoSink sink = IoSink::to_kernel(memory);
    EXPECT_EQ(sink.put("abc").value(), 3u);
    EXPECT_EQ(sink.put_zeros(2).value(), 2u);
    EXPECT_EQ(sink.truncate(1), 4u);
    EXPECT_EQ(sink.put("xyz").value(), 1u);
    EXPECT_EQ(sink.remaining(), 0u);
    sink.expand(4);
    sink.revert(1);
    EXPECT_EQ(sink.put("zyxwvu").value(), 5u);
    EXPECT_EQ(std::memcmp(memory, "abc\0\0zyxwv", 10), 0);
}

}  // namespace
}  // namespace cairn::mm
