/// Page faults that meet other faults, fork, unmapping and truncation.

#include <gtest/gtest.h>

#include "mm/address_space.h"
#include "mm/page_cache.h"
#include "tests/support/in_address_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using arch::host::user_load;
using arch::host::user_store;
using mm::AddressSpace;
using mm::MappingFlag;
using mm::MapRequest;
using mm::PageCache;
using sim::InAddressSpace;
using sim::Simulation;

constexpr VirtualAddress kPage{0x0000'0040'0000'0000};
constexpr u32 kReadWrite = mm::kAccessRead | mm::kAccessWrite;

Ref<AddressSpace> make_space(Simulation& sim) {
    auto space = AddressSpace::create();
    sim.check(space.ok(), "no address space");
    return std::move(space).value();
}

MapRequest request_at(VirtualAddress at, u64 pages) {
    MapRequest request{.address = at, .length = pages * kPageSize};
    request.placement = MapRequest::Placement::FixedNoReplace;
    request.access = kReadWrite;
    return request;
}

Ref<PageCache> make_file(Simulation& sim, u64 pages, u64 content) {
    auto created = PageCache::create(nullptr);
    sim.check(created.ok(), "page cache");
    Ref<PageCache> file = std::move(created).value();
    for (u64 i = 0; i < pages; ++i) {
        u64 word = content + i;
        auto source = mm::IoSource::from_kernel(std::as_bytes(std::span(&word, 1)));
        auto written = file->write(i * kPageSize, source);
        sim.check(written.ok() && written.value() == sizeof word, "write");
    }
    sim.check(file->resize(pages * kPageSize).ok(), "resize");
    return file;
}

TEST(PageFaultSim, TwoThreadsFaultOnOnePage) {
    EXPLORE("fault: one page", {.cpus = 3}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map(request_at(kPage, 2)).ok(), "map");
        for (u64 i = 0; i < 3; ++i) {
            sim.spawn("user", [&sim, &space = *space, i] {
                InAddressSpace inside(space);
                VirtualAddress own = kPage + i * sizeof(u64);
                if (sim.one_in(2)) {
                    sim.check(user_load<u64>(own) == 0, "fresh memory");
                }
                sim.check(user_store<u64>(own, i + 1), "store");
                sim.check(user_load<u64>(own) == i + 1, "what was stored is lost");
            });
        }
        sim.join();
        sim.check(space->resident_bytes() == kPageSize, "resident");
    });
}

TEST(PageFaultSim, ForkTakesASnapshotOfEachPage) {
    EXPLORE("fault: fork", {.cpus = 2}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map(request_at(kPage, 2)).ok(), "map");
        Atomic<u64> forked{0};
        sim.spawn("writer", [&] {
            InAddressSpace inside(*space);
            for (u64 round = 1; round <= 4; ++round) {
                sim.check(user_store<u64>(kPage, round), "store");
                sim.check(user_store<u64>(kPage + kPageSize, round), "store");
                sim.check(user_load<u64>(kPage) == round, "own store is lost");
            }
        });
        sim.spawn("forker", [&] {
            auto child = space->fork();
            sim.check(child.ok(), "fork");
            InAddressSpace inside(*child.value());
            auto before = user_load<u64>(kPage);
            auto second = user_load<u64>(kPage + kPageSize);
            sim.check(before && second && *second <= *before && *before <= *second + 1, "no snapshot");
            sched::yield();
            sim.check(user_load<u64>(kPage) == before, "the parent writes into the child");
            sim.check(user_store<u64>(kPage, 99), "store");
            sim.check(user_load<u64>(kPage) == 99, "child");
            forked.store(1, Order::seq_cst);
        });
        sim.join();
        InAddressSpace inside(*space);
        sim.check(user_load<u64>(kPage) == 4, "the child writes into the parent");
    });
}

TEST(PageFaultSim, AReaderNeverSeesAnOldCopy) {
    EXPLORE("fault: copy on write", {.cpus = 3}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map(request_at(kPage, 1)).ok(), "map");
        {
            InAddressSpace inside(*space);
            sim.check(user_store<u64>(kPage, 1), "store");
        }
        auto child = space->fork();
        sim.check(child.ok(), "fork");
        Atomic<u64> written{1};
        sim.spawn("writer", [&] {
            InAddressSpace inside(*space);
            for (u64 value = 2; value < 5; ++value) {
                sim.check(user_store<u64>(kPage, value), "store");
                written.store(value, Order::seq_cst);
            }
        });
        sim.spawn("reader", [&] {
            InAddressSpace inside(*space);
            for (int round = 0; round < 4; ++round) {
                u64 least = written.load(Order::seq_cst);
                auto seen = user_load<u64>(kPage);
                sim.check(seen && *seen >= least, "an old copy");
            }
        });
        sim.spawn("child", [&] {
            InAddressSpace inside(*child.value());
            sim.check(user_load<u64>(kPage) == 1, "the parent's");
            sim.check(user_store<u64>(kPage, 100), "store");
            sim.check(user_load<u64>(kPage) == 100, "own");
        });
        sim.join();
    });
}

TEST(PageFaultSim, UnmapAgainstFault) {
    EXPLORE("fault: unmap", {.cpus = 3}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map(request_at(kPage, 4)).ok(), "map");
        Atomic<bool> gone{false};
        for (int i = 0; i < 2; ++i) {
            sim.spawn("user", [&] {
                InAddressSpace inside(*space);
                for (u64 round = 0; round < 4; ++round) {
                    bool was_gone = gone.load(Order::seq_cst);
                    bool worked = user_store<u64>(kPage + (round % 4) * kPageSize, 1);
                    sim.check(!(was_gone && worked), "a page came back");
                }
            });
        }
        sim.spawn("unmapper", [&] {
            sim.check(space->unmap(kPage, 4 * kPageSize).ok(), "unmap");
            gone.store(true, Order::seq_cst);
        });
        sim.join();
        sim.check(space->resident_bytes() == 0, "resident");
    });
}

TEST(PageFaultSim, TruncationAgainstFault) {
    EXPLORE("fault: truncate", {.cpus = 3}, [](Simulation& sim) {
        Ref<PageCache> file = make_file(sim, 3, 10);
        Ref<AddressSpace> space = make_space(sim);
        for (int i = 0; i < 2; ++i) {
            MapRequest request = request_at(kPage + static_cast<u64>(i) * 4 * kPageSize, 3);
            request.object = &*file;
            request.flags = i == 0 ? mm::flag_bits(MappingFlag::Shared) : 0;
            sim.check(space->map(request).ok(), "map");
        }
        Atomic<bool> truncated{false};
        for (u64 i = 0; i < 2; ++i) {
            sim.spawn("user", [&, i] {
                InAddressSpace inside(*space);
                VirtualAddress mapping = kPage + i * 4 * kPageSize;
                for (int round = 0; round < 3; ++round) {
                    bool was = truncated.load(Order::seq_cst);
                    bool worked = sim.one_in(2) ? user_store<u64>(mapping + 2 * kPageSize, 12)
                                                : user_load<u64>(mapping + 2 * kPageSize).has_value();
                    sim.check(!(was && worked), "a page beyond the end");
                    auto kept = user_load<u64>(mapping);
                    sim.check(kept && *kept == 10, "a page before the end");
                }
            });
        }
        sim.spawn("truncater", [&] {
            sim.check(file->resize(kPageSize + 8).ok(), "resize");
            truncated.store(true, Order::seq_cst);
        });
        sim.join();
        sim.check(file->resident_pages() <= 2, "pages beyond the end");
    });
}

TEST(PageFaultSim, MovedPagesAreTruncatedToo) {
    EXPLORE("fault: move and truncate", {.cpus = 2}, [](Simulation& sim) {
        Ref<PageCache> file = make_file(sim, 2, 10);
        Ref<AddressSpace> space = make_space(sim);
        MapRequest request = request_at(kPage, 2);
        request.object = &*file;
        request.flags = mm::flag_bits(MappingFlag::Shared);
        sim.check(space->map(request).ok(), "map");
        constexpr VirtualAddress kElsewhere{0x50'0000'0000};
        {
            InAddressSpace inside(*space);
            sim.check(user_load<u64>(kPage + kPageSize) == 11, "load");
        }
        sim.spawn("mover", [&] {
            AddressSpace::RemapRequest move{.address = kPage, .old_size = 2 * kPageSize, .new_size = 2 * kPageSize};
            move.may_move = true;
            move.fixed = true;
            move.new_address = kElsewhere;
            sim.check(space->remap(move).ok(), "remap");
        });
        sim.spawn("truncater", [&] { sim.check(file->resize(kPageSize).ok(), "resize"); });
        sim.join();
        InAddressSpace inside(*space);
        sim.check(user_load<u64>(kElsewhere) == 10, "what stays");
        sim.check(!user_load<u64>(kElsewhere + kPageSize), "a page beyond the end");
    });
}

TEST(PageFaultSim, ReadsAndWritesWhileAFileIsMapped) {
    EXPLORE("fault: file", {.cpus = 2}, [](Simulation& sim) {
        Ref<PageCache> file = make_file(sim, 1, 5);
        Ref<AddressSpace> space = make_space(sim);
        MapRequest request = request_at(kPage, 1);
        request.object = &*file;
        request.flags = mm::flag_bits(MappingFlag::Shared);
        sim.check(space->map(request).ok(), "map");
        sim.spawn("mapper", [&] {
            InAddressSpace inside(*space);
            sim.check(user_store<u64>(kPage + 8, 7), "store");
            // The file is written from its own mapping: source and target are one page.
            auto source = mm::IoSource::from_user(kPage + 8, 8);
            auto written = file->write(16, source);
            sim.check(written.ok() && written.value() == 8, "write");
            sim.check(user_load<u64>(kPage + 16) == 7, "what was written is not in the mapping");
        });
        sim.spawn("reader", [&] {
            u64 words[3] = {};
            auto sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(words)));
            auto read = file->read(0, sink);
            sim.check(read.ok() && read.value() == sizeof words && words[0] == 5, "read");
            sim.check(words[2] == 0 || (words[2] == 7 && words[1] == 7) || words[1] == 0, "order");
        });
        sim.join();
    });
}

TEST(PageFaultSim, TheStackGrowsUpToItsLimit) {
    EXPLORE("fault: stack", {.cpus = 2}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        MapRequest request = request_at(kPage, 1);
        request.flags = mm::flag_bits(MappingFlag::GrowsDown) | mm::flag_bits(MappingFlag::Stack);
        sim.check(space->map(request).ok(), "map");
        space->set_stack_limit(8 * kPageSize);
        for (int i = 0; i < 2; ++i) {
            sim.spawn("user", [&] {
                InAddressSpace inside(*space);
                sim.check(user_store<u64>({kPage.value - 3 * kPageSize}, 1), "growth");
                sim.check(!user_store<u64>({kPage.value - 8 * kPageSize}, 1), "beyond the limit");
            });
        }
        sim.join();
        sim.check(space->statistics().stack == 4, "size of the stack");
    });
}

/// Each request for memory fails in turn, until none did: the call either works or changes nothing.
template <typename Call>
void fail_each_allocation(Simulation& sim, Call call) {
    for (u64 n = 0;; ++n) {
        auto& injector = g_kernel.frames->failure_injector();
        const u64 before = injector.failures();
        injector.fail_once_at(n);
        const bool ok = call();
        const bool failed = injector.failures() != before;
        injector.disarm();
        sim.check(ok || failed, "a failure without a cause");
        if (!failed) {
            return;
        }
    }
}

TEST(PageFaultSim, EveryAllocationOfForkMayFail) {
    EXPLORE(
        "fault: fork fails", {.cpus = 1},
        [](Simulation& sim) {
            Ref<PageCache> file = make_file(sim, 2, 10);
            Ref<AddressSpace> space = make_space(sim);
            InAddressSpace inside(*space);
            sim.check(space->map(request_at(kPage, 3)).ok(), "map");
            MapRequest request = request_at(kPage + 0x4000'0000, 2);
            request.object = &*file;
            sim.check(space->map(request).ok(), "map");
            for (u64 i = 0; i < 3; ++i) {
                sim.check(user_store<u64>(kPage + i * kPageSize, i), "store");
            }
            sim.check(user_store<u64>(request.address, 77), "store");
            fail_each_allocation(sim, [&] {
                auto child = space->fork();
                sim.check(user_load<u64>(kPage + kPageSize) == 1, "the parent has changed");
                sim.check(user_load<u64>(request.address) == 77, "the parent has changed");
                return child.ok();
            });
            sim.check(user_load<u64>(request.address + kPageSize) == 11, "the file");
        },
        20);
}

TEST(PageFaultSim, EveryAllocationOfMapAndUnmapMayFail) {
    EXPLORE(
        "fault: map fails", {.cpus = 1},
        [](Simulation& sim) {
            Ref<AddressSpace> space = make_space(sim);
            InAddressSpace inside(*space);
            sim.check(space->map(request_at(kPage, 8)).ok(), "map");
            sim.check(user_store<u64>(kPage + 3 * kPageSize, 3), "store");
            fail_each_allocation(sim, [&] {
                MapRequest request = request_at(kPage + 2 * kPageSize, 4);
                request.placement = MapRequest::Placement::Fixed;
                request.flags = mm::flag_bits(MappingFlag::Shared);
                const bool ok = space->map(request).ok();
                sim.check(ok || user_load<u64>(kPage + 3 * kPageSize) == 3, "half replaced");
                return ok;
            });
            fail_each_allocation(sim, [&] {
                const bool ok = space->unmap(kPage + kPageSize, kPageSize).ok();
                sim.check(space->find_mapping(kPage + kPageSize)->start == kPage + kPageSize || !ok ||
                              space->find_mapping(kPage + kPageSize)->start > kPage + kPageSize,
                          "mapping");
                return ok;
            });
            fail_each_allocation(sim, [&] { return user_store<u64>(kPage + 3 * kPageSize, 9); });
            sim.check(user_load<u64>(kPage + 3 * kPageSize) == 9, "shared memory");
        },
        20);
}

TEST(PageFaultSim, FaultsWithFailuresLeaveNothingBehind) {
    EXPLORE("fault: failures", {.cpus = 2, .allocation_failures = 8}, [](Simulation& sim) {
        for (int i = 0; i < 2; ++i) {
            sim.spawn("process", [&] {
                auto created = AddressSpace::create();
                if (!created.ok()) {
                    return;
                }
                Ref<AddressSpace> space = std::move(created).value();
                MapRequest request = request_at(kPage, 4);
                request.flags = sim.one_in(2) ? mm::flag_bits(MappingFlag::Shared) : 0;
                if (!space->map(request).ok()) {
                    return;
                }
                bool stored = false;
                {
                    InAddressSpace inside(*space);
                    stored = user_store<u64>(kPage + kPageSize, 5);
                }
                auto child = space->fork();
                if (child.ok()) {
                    InAddressSpace inside(*child.value());
                    auto seen = user_load<u64>(kPage + kPageSize);
                    sim.check(!seen || *seen == (stored ? 5u : 0u), "content");
                    static_cast<void>(user_store<u64>(kPage + kPageSize, 6));
                }
                static_cast<void>(space->unmap(kPage + kPageSize, kPageSize));
            });
        }
        sim.join();
    });
}

TEST(PageFaultSim, ADebuggersWriteCopiesPrivately) {
    EXPLORE("fault: remote", {.cpus = 2}, [](Simulation& sim) {
        Ref<PageCache> file = make_file(sim, 1, 5);
        Ref<AddressSpace> space = make_space(sim);
        MapRequest request = request_at(kPage, 1);
        request.object = &*file;
        request.access = mm::kAccessRead | mm::kAccessExecute;
        sim.check(space->map(request).ok(), "map");
        sim.spawn("debugger", [&] {
            u64 word = 0xcc;
            auto bytes = std::as_bytes(std::span(&word, 1));
            sim.check(space->write_memory(kPage, bytes) == 0, "a write without force");
            sim.check(space->write_memory(kPage, bytes, AddressSpace::RemoteAccess::Forced) == 8, "a forced write");
            u64 seen = 0;
            sim.check(space->read_memory(kPage, std::as_writable_bytes(std::span(&seen, 1))) == 8 && seen == 0xcc,
                      "read");
        });
        sim.spawn("program", [&] {
            InAddressSpace inside(*space);
            auto seen = user_load<u64>(kPage);
            sim.check(seen && (*seen == 5 || *seen == 0xcc), "load");
            sim.check(!user_store<u64>(kPage, 1), "store");
        });
        sim.join();
        u64 word = 0;
        auto sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(&word, 1)));
        sim.check(file->read(0, sink).ok() && word == 5, "the file has changed");
    });
}

TEST(PageFaultSim, WhereNobodyMaySleepNothingIsResolved) {
    EXPLORE(
        "fault: atomic", {.cpus = 1},
        [](Simulation& sim) {
            Ref<AddressSpace> space = make_space(sim);
            sim.check(space->map(request_at(kPage, 1)).ok(), "map");
            InAddressSpace inside(*space);
            u64 word = 1;
            {
                PreemptionGuard guard;
                sim.check(arch::copy_from_user(&word, kPage, sizeof word) == sizeof word, "resolved in atomic context");
            }
            sim.check(arch::copy_from_user(&word, kPage, sizeof word) == 0 && word == 0, "not resolved");
            {
                PreemptionGuard guard;
                sim.check(arch::copy_from_user(&word, kPage, sizeof word) == 0, "a page that is there");
            }
        },
        20);
}

TEST(PageFaultSim, FutexKeysNameTheWordAndNotTheAddress) {
    EXPLORE(
        "futex keys", {.cpus = 1},
        [](Simulation& sim) {
            using Scope = AddressSpace::FutexScope;
            Ref<PageCache> file = make_file(sim, 2, 10);
            Ref<AddressSpace> spaces[2] = {make_space(sim), make_space(sim)};
            for (u64 i = 0; i < 2; ++i) {
                MapRequest request = request_at(kPage + i * kPageSize, 1);
                request.object = &*file;
                request.offset = kPageSize;
                request.flags = mm::flag_bits(MappingFlag::Shared);
                sim.check(spaces[i]->map(request).ok(), "map");
                sim.check(spaces[i]->map(request_at(kPage + 8 * kPageSize, 1)).ok(), "map");
            }
            auto first = spaces[0]->futex_key(kPage + 8, Scope::Shared);
            auto second = spaces[1]->futex_key(kPage + kPageSize + 8, Scope::Shared);
            sim.check(first.ok() && second.ok() && first.value().same(second.value()), "one word, two keys");
            auto own = spaces[0]->futex_key(kPage + 8 * kPageSize, Scope::Shared);
            auto other = spaces[1]->futex_key(kPage + 8 * kPageSize, Scope::Shared);
            sim.check(own.ok() && other.ok() && !own.value().same(other.value()), "two words, one key");
            auto as_private = spaces[0]->futex_key(kPage + 8 * kPageSize, Scope::Private);
            // As on Linux: who waits privately is not found by a wake-up that might come from elsewhere.
            sim.check(as_private.ok() && !as_private.value().same(own.value()), "private memory");
            sim.check(spaces[0]->futex_key(kPage + 4 * kPageSize, Scope::Shared).error() == Errno::efault, "nothing");
        },
        20);
}

TEST(PageFaultSim, TheBreakMovesWithinItsLimits) {
    EXPLORE(
        "brk", {.cpus = 1},
        [](Simulation& sim) {
            Ref<AddressSpace> space = make_space(sim);
            InAddressSpace inside(*space);
            mm::SpaceLayout layout;
            layout.break_start = kPage + 100;
            space->set_layout(layout);
            sim.check(space->set_break({0}) == kPage + 100, "where it is");
            sim.check(space->set_break(kPage + 3 * kPageSize) == kPage + 3 * kPageSize, "grows");
            sim.check(user_store<u64>(kPage + 2 * kPageSize, 1), "store");
            sim.check(space->set_break(kPage + kPageSize) == kPage + kPageSize, "shrinks");
            sim.check(!user_load<u64>(kPage + 2 * kPageSize), "what was given back");
            sim.check(space->set_break(kPage + 3 * kPageSize) == kPage + 3 * kPageSize, "grows again");
            sim.check(user_load<u64>(kPage + 2 * kPageSize) == 0, "old contents");
            sim.check(space->map(request_at(kPage + 5 * kPageSize, 1)).ok(), "map");
            sim.check(space->set_break(kPage + 6 * kPageSize) == kPage + 3 * kPageSize, "into another mapping");
            sim.check(space->set_break(kPage + 4 * kPageSize, {.data = 3 * kPageSize}) == kPage + 3 * kPageSize,
                      "limit");
        },
        20);
}

}  // namespace
}  // namespace cairn
