#include "mm/early_memory.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "tests/support/arena.h"

namespace cairn::mm {
namespace {

constexpr PhysicalRange range_of(u64 start, u64 end) {
    return {{start}, {end}};
}

TEST(EarlyMemory, RoundsMemoryInwardAndReservationsOutward) {
    auto memory = std::make_unique<EarlyMemory>();
    memory->add(range_of(100, 10 * kPageSize + 5), MemoryPurpose::Free);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Free), 9 * kPageSize);
    memory->reserve(range_of(3 * kPageSize + 1, 4 * kPageSize + 1), MemoryPurpose::KernelImage);
    EXPECT_EQ(memory->bytes(MemoryPurpose::KernelImage), 2 * kPageSize);
    EXPECT_EQ(memory->pieces().size(), 3u);
    memory->add(range_of(kPageSize + 1, 2 * kPageSize - 1), MemoryPurpose::Free);  // nothing remains
    memory->add(range_of(~u64{0} - 5, ~u64{0}), MemoryPurpose::Free);
    EXPECT_EQ(memory->pieces().size(), 3u);
    memory->reserve(range_of(9 * kPageSize, ~u64{0}), MemoryPurpose::Boot);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Boot), kPageSize);
}

TEST(EarlyMemory, OverlapsCountOnce) {
    auto memory = std::make_unique<EarlyMemory>();
    memory->add(range_of(2 * kMiB, 4 * kMiB), MemoryPurpose::Free);
    memory->add(range_of(0, 8 * kMiB), MemoryPurpose::Boot);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Free), 2 * kMiB);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Boot), 6 * kMiB);
    memory->reserve(range_of(kMiB, 3 * kMiB), MemoryPurpose::KernelImage);
    memory->reserve(range_of(kMiB, 3 * kMiB), MemoryPurpose::Firmware);
    EXPECT_EQ(memory->bytes(MemoryPurpose::KernelImage), 2 * kMiB);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Firmware), 0u);
    EXPECT_EQ(memory->end().value, 8 * kMiB);
}

// UEFI's map has what the loader put there, our image too, as the loader's own, to be had once it has been read.
TEST(EarlyMemory, AnImageInTheBootLoadersMemoryIsNotGivenBack) {
    auto memory = std::make_unique<EarlyMemory>();
    memory->add(range_of(0, 8 * kMiB), MemoryPurpose::Boot);
    memory->reserve(range_of(2 * kMiB, 3 * kMiB), MemoryPurpose::KernelImage);
    memory->reserve(range_of(kMiB, 5 * kMiB), MemoryPurpose::Boot);
    EXPECT_EQ(memory->bytes(MemoryPurpose::KernelImage), kMiB);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Boot), 7 * kMiB);
}

TEST(EarlyMemory, AllocatesFromTheTopBelowTheLimit) {
    test::Arena arena(64 * kMiB);
    auto memory = std::make_unique<EarlyMemory>();
    memory->add(range_of(kMiB, 64 * kMiB), MemoryPurpose::Free);
    memory->set_limit({32 * kMiB});
    EXPECT_EQ(memory->allocate(1, 1, MemoryPurpose::Early).value().value, 32 * kMiB - kPageSize);
    EXPECT_EQ(memory->allocate(kPageSize, 2 * kMiB, MemoryPurpose::Early).value().value, 30 * kMiB);
    memory->set_limit({~u64{0}});
    EXPECT_EQ(memory->allocate(3 * kPageSize, 1, MemoryPurpose::Early).value().value, 64 * kMiB - 3 * kPageSize);
    EXPECT_EQ(memory->allocate(64 * kMiB, 1, MemoryPurpose::Early).error(), Errno::enomem);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Early), 5 * kPageSize);
    memory->relabel({{0}, {~u64{0}}}, MemoryPurpose::Early, MemoryPurpose::Free);
    EXPECT_EQ(memory->pieces().size(), 1u);
}

TEST(EarlyMemory, AFullTableLosesMemoryButUsesNoneTwice) {
    auto memory = std::make_unique<EarlyMemory>();
    const u64 end = 4096 * kPageSize;
    memory->add(range_of(0, end), MemoryPurpose::Free);
    for (u64 i = 0; i < 1000; ++i) {
        memory->reserve(range_of((2 * i + 1) * kPageSize, (2 * i + 2) * kPageSize),
                        i % 2 == 0 ? MemoryPurpose::Boot : MemoryPurpose::KernelImage);
    }
    EXPECT_LE(memory->pieces().size(), EarlyMemory::kMaxPieces);
    EXPECT_EQ(memory->bytes(MemoryPurpose::Free) + memory->bytes(MemoryPurpose::Boot) +
                  memory->bytes(MemoryPurpose::KernelImage),
              end);
    for (u64 i = 0; i < 1000; ++i) {
        EXPECT_NE(memory->find_piece_after({(2 * i + 1) * kPageSize})->purpose, MemoryPurpose::Free);
    }
    auto full = std::make_unique<EarlyMemory>();
    for (u64 i = 0; i < 600; ++i) {
        full->add(range_of(2 * i * kPageSize, (2 * i + 1) * kPageSize), MemoryPurpose::Free);
    }
    EXPECT_EQ(full->bytes(MemoryPurpose::Free), EarlyMemory::kMaxPieces * kPageSize);
}

TEST(EarlyMemory, AgreesWithAModel) {
    for (u32 seed = 0; seed < 20; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        constexpr u64 kPages = 512;
        constexpr int kBoot = static_cast<int>(MemoryPurpose::Boot);
        std::vector<int> model(kPages, -1);
        auto memory = std::make_unique<EarlyMemory>();
        for (int step = 0; step < 100; ++step) {
            u64 first = random() % kPages;
            u64 last = std::min<u64>(kPages, first + random() % 40);
            auto purpose = static_cast<MemoryPurpose>(1 + random() % 5);
            bool adding = random() % 2 == 0;
            if (adding) {
                memory->add(range_of(first * kPageSize, last * kPageSize), MemoryPurpose::Free);
            } else {
                memory->reserve(range_of(first * kPageSize, last * kPageSize), purpose);
            }
            for (u64 page = first; page < last; ++page) {
                if (adding && model[page] == -1) {
                    model[page] = 0;
                } else if (!adding && (model[page] == 0 || (model[page] == kBoot && purpose != MemoryPurpose::Boot))) {
                    model[page] = static_cast<int>(purpose);
                }
            }
        }
        for (u64 page = 0; page < kPages; ++page) {
            const EarlyMemory::Piece* piece = memory->find_piece_after({page * kPageSize});
            bool known = piece != nullptr && piece->range.start.value <= page * kPageSize;
            ASSERT_EQ(known ? static_cast<int>(piece->purpose) : -1, model[page]) << page;
        }
    }
}

}  // namespace
}  // namespace cairn::mm
