/// A file's pages in memory, which others read and map while the file grows and memory's shortage takes pages away.

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"
#include "mm/page_cache.h"
#include "tests/support/in_address_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using arch::host::user_load;
using mm::AddressSpace;
using mm::MapRequest;
using mm::PageCache;
using sim::InAddressSpace;
using sim::Simulation;

constexpr VirtualAddress kStart{0x0000'0040'0000'0000};
constexpr u64 kPages = 3;
constexpr u64 kFirstWord = 100;

/// Each page begins with a word that says which one it is.
class NumberedStore final : public mm::PageStore {
public:
    Result<void> read_page(u64 index, FrameNumber frame) override {
        const u64 word = kFirstWord + index;
        std::memcpy(arch::direct_map(frame.address()), &word, sizeof word);
        return {};
    }
};

/// A space in which all of the file's pages are at kStart.
Ref<AddressSpace> map_file(Simulation& sim, PageCache& file, u32 access, u32 flags) {
    auto space = AddressSpace::create();
    sim.check(space.ok(), "no address space");
    MapRequest request{.address = kStart, .length = kPages * kPageSize};
    request.placement = MapRequest::Placement::FixedNoReplace;
    request.access = access;
    request.flags = flags;
    request.object = &file;
    sim.check(space.value()->map(request).ok(), "map");
    return std::move(space).value();
}

/// Takes what it gets, and uses it for something else.
void reclaim_and_overwrite(Simulation& sim) {
    g_kernel.memory->reclaim(kPages);
    std::vector<FrameNumber> taken;
    for (u64 i = 0; i < kPages; ++i) {
        Result<FrameNumber> frame = g_kernel.frames->allocate(0);
        sim.check(frame.ok(), "no frame");
        std::memset(arch::direct_map(frame.value().address()), 0xee, kPageSize);
        taken.push_back(frame.value());
    }
    for (FrameNumber frame : taken) {
        g_kernel.frames->free(frame, 0);
    }
}

TEST(PageCacheSim, FaultsAndReadsFindTheirPageWhileMemoryIsShort) {
    EXPLORE("fault: reclaim", {.cpus = 3}, [](Simulation& sim) {
        NumberedStore store;
        auto created = PageCache::create(&store, kPages * kPageSize);
        sim.check(created.ok(), "page cache");
        Ref<PageCache> file = std::move(created).value();
        const Ref<AddressSpace> space = map_file(sim, *file, mm::kAccessRead, 0);
        sim.spawn("user", [&] {
            InAddressSpace inside(*space);
            for (int round = 0; round < 3; ++round) {
                for (u64 i = 0; i < kPages; ++i) {
                    sim.check(user_load<u64>(kStart + i * kPageSize) == kFirstWord + i, "another page is mapped");
                }
                constexpr i32 kDontNeed = 4;
                sim.check(space->advise(kStart, kPages * kPageSize, kDontNeed).ok(), "madvise");
            }
        });
        sim.spawn("reader", [&] {
            std::vector<std::byte> bytes(kPages * kPageSize);
            for (int round = 0; round < 3; ++round) {
                auto sink = mm::IoSink::to_kernel(bytes);
                auto read = file->read(0, sink);
                sim.check(read.ok() && read.value() == bytes.size(), "read");
                for (u64 i = 0; i < kPages; ++i) {
                    u64 word = 0;
                    std::memcpy(&word, bytes.data() + i * kPageSize, sizeof word);
                    sim.check(word == kFirstWord + i, "another page is read");
                }
            }
        });
        sim.spawn("shortage", [&] {
            for (int round = 0; round < 4; ++round) {
                reclaim_and_overwrite(sim);
            }
        });
        sim.join();
    });
}

/// Tells the page's word late, so that others come by while it is read.
class SlowStore final : public mm::PageStore {
public:
    Result<void> read_page(u64 index, FrameNumber frame) override {
        Atomic<u32> steps{0};
        while (steps.fetch_add(1, Order::relaxed) < 5) {
        }
        const u64 word = kFirstWord + index;
        std::memcpy(arch::direct_map(frame.address()), &word, sizeof word);
        return {};
    }
};

/// The frame that a page has lost is often the one that it is read into again.
TEST(PageCacheSim, APageThatIsReadAgainIsNotFoundBeforeItIsThere) {
    EXPLORE("page cache: the same frame again", {.cpus = 3}, [](Simulation& sim) {
        SlowStore store;
        auto created = PageCache::create(&store, 2 * kPageSize);
        sim.check(created.ok(), "page cache");
        Ref<PageCache> file = std::move(created).value();
        const auto read = [&](u64 first, u64 pages) {
            std::vector<std::byte> bytes(pages * kPageSize);
            auto sink = mm::IoSink::to_kernel(bytes);
            auto done = file->read(first * kPageSize, sink);
            sim.check(done.ok() && done.value() == bytes.size(), "read");
            for (u64 i = 0; i < pages; ++i) {
                u64 word = 0;
                std::memcpy(&word, bytes.data() + i * kPageSize, sizeof word);
                sim.check(word == kFirstWord + first + i, "the page was not there yet");
            }
        };
        sim.spawn("reader of a page", [&] {
            for (int round = 0; round < 3; ++round) {
                read(1, 1);
            }
        });
        sim.spawn("reader of pages", [&] {
            for (int round = 0; round < 3; ++round) {
                read(0, 2);
            }
        });
        sim.spawn("shortage", [&] {
            for (int round = 0; round < 3; ++round) {
                g_kernel.memory->reclaim(1);
                read(1, 1);
            }
        });
        sim.join();
    });
}

/// A file of one page has no tree; with its second page it gets one.
TEST(PageCacheSim, TheFirstPageIsThereWhileTheFileGrows) {
    EXPLORE("page cache: growth", {.cpus = 3}, [](Simulation& sim) {
        auto created = PageCache::create(nullptr);
        sim.check(created.ok(), "page cache");
        Ref<PageCache> file = std::move(created).value();
        const auto write = [&](u64 index) {
            const u64 word = kFirstWord + index;
            auto source = mm::IoSource::from_kernel(std::as_bytes(std::span(&word, 1)));
            sim.check(file->write(index * kPageSize, source).ok(), "write");
        };
        write(0);
        sim.check(file->resize(2 * kPageSize).ok(), "resize");
        sim.spawn("writer", [&] {
            for (u64 index : {u64{1}, u64{100}, u64{5000}}) {
                write(index);
            }
        });
        const auto read = [&](usize size) {
            std::vector<std::byte> bytes(size);
            auto sink = mm::IoSink::to_kernel(bytes);
            auto done = file->read(0, sink);
            u64 word = 0;
            std::memcpy(&word, bytes.data(), sizeof word);
            sim.check(done.ok() && done.value() >= sizeof word && word == kFirstWord, "the page was not there");
        };
        sim.spawn("reader of a word", [&] {
            for (int round = 0; round < 3; ++round) {
                read(sizeof(u64));
            }
        });
        sim.spawn("reader of pages", [&] {
            for (int round = 0; round < 3; ++round) {
                read(2 * kPageSize);
            }
        });
        sim.join();
    });
}

/// What a mapping shows is what the file has, whatever became of its pages while they were mapped.
TEST(PageCacheSim, HolesReachTheMappings) {
    EXPLORE("page cache: holes and mappings", {.cpus = 3}, [](Simulation& sim) {
        auto created = PageCache::create(nullptr, kPages * kPageSize);
        sim.check(created.ok(), "page cache");
        Ref<PageCache> file = std::move(created).value();
        const auto write = [&](u64 index) {
            const u64 word = kFirstWord + index;
            auto source = mm::IoSource::from_kernel(std::as_bytes(std::span(&word, 1)));
            sim.check(file->write(index * kPageSize, source).ok(), "write");
        };
        const auto read = [&](u64 index) {
            u64 word = 0;
            auto sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(&word, 1)));
            sim.check(file->read(index * kPageSize, sink).ok(), "read");
            return word;
        };
        for (u64 i = 0; i < kPages; ++i) {
            write(i);
        }
        constexpr u32 kReadWrite = mm::kAccessRead | mm::kAccessWrite;
        const Ref<AddressSpace> space = map_file(sim, *file, kReadWrite, mm::flag_bits(mm::MappingFlag::Shared));
        sim.spawn("user", [&] {
            InAddressSpace inside(*space);
            for (int round = 0; round < 4; ++round) {
                for (u64 i = 0; i < kPages; ++i) {
                    const auto word = user_load<u64>(kStart + i * kPageSize);
                    sim.check(word && (*word == 0 || *word == kFirstWord + i), "another page is mapped");
                }
            }
        });
        sim.spawn("reader", [&] {
            for (int round = 0; round < 4; ++round) {
                for (u64 i = 0; i < kPages; ++i) {
                    const u64 word = read(i);
                    sim.check(word == 0 || word == kFirstWord + i, "another page is read");
                }
            }
        });
        sim.spawn("puncher", [&] {
            for (int round = 0; round < 2; ++round) {
                sim.check(file->punch_hole(0, kPages * kPageSize).ok(), "hole");
                for (u64 i = 0; i < kPages; ++i) {
                    write(i);
                }
            }
        });
        sim.join();
        InAddressSpace inside(*space);
        for (u64 i = 0; i < kPages; ++i) {
            sim.check(arch::host::user_store<u64>(kStart + i * kPageSize, 7 + i) && read(i) == 7 + i,
                      "the mapping has a page of its own");
        }
    });
}

}  // namespace
}  // namespace cairn
