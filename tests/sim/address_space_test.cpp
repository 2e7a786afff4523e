/// Address spaces: changes on one CPU while user programs on others use the mappings.

#include <gtest/gtest.h>

#include "mm/address_space.h"
#include "mm/system_memory.h"
#include "tests/support/in_address_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using arch::host::user_load;
using arch::host::user_store;
using mm::AddressSpace;
using mm::Protection;
using sim::InAddressSpace;
using sim::Simulation;

constexpr VirtualAddress kPage{0x0000'0040'0000'0000};
constexpr Protection kReadWrite{.writable = true, .user = true};
constexpr Protection kReadOnly{.user = true};

Ref<AddressSpace> make_space(Simulation& sim) {
    auto space = AddressSpace::create();
    sim.check(space.ok(), "no address space");
    return std::move(space).value();
}

FrameNumber frame_behind(Simulation& sim, AddressSpace& space, VirtualAddress address) {
    auto translation = space.translate(address);
    sim.check(translation.has_value(), "nothing is mapped");
    return FrameNumber::containing(translation->address);
}

TEST(AddressSpaceSim, AfterUnmapNoAccessSucceeds) {
    EXPLORE("shoot-down: unmap", {.cpus = 3}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map_anonymous(kPage, kPageSize, kReadWrite).ok(), "map");
        FrameNumber frame = frame_behind(sim, *space, kPage);
        Atomic<bool> unmapped{false};
        for (int i = 0; i < 2; ++i) {
            sim.spawn("user", [&] {
                InAddressSpace inside(*space);
                for (int round = 0; round < 6; ++round) {
                    bool gone = unmapped.load(Order::seq_cst);
                    bool worked = sim.one_in(2) ? user_store<u64>(kPage, 7) : user_load<u64>(kPage).has_value();
                    sim.check(!(gone && worked), "access after unmap");
                }
            });
        }
        sim.spawn("unmapper", [&] {
            sim.check(space->unmap(kPage, kPageSize).ok(), "unmap");
            unmapped.store(true, Order::seq_cst);
            sim.check(g_kernel.frames->find_frame(frame) != nullptr, "frame");
        });
        sim.join();
    });
}

TEST(AddressSpaceSim, AfterProtectNoStoreSucceeds) {
    EXPLORE("shoot-down: protect", {.cpus = 2}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map_anonymous(kPage, 2 * kPageSize, kReadWrite).ok(), "map");
        Atomic<bool> read_only{false};
        sim.spawn("user", [&] {
            InAddressSpace inside(*space);
            for (int round = 0; round < 6; ++round) {
                VirtualAddress address = kPage + sim.random(2) * kPageSize;
                bool forbidden = read_only.load(Order::seq_cst);
                bool stored = user_store<u64>(address, 7);
                sim.check(!(forbidden && stored), "store after protect");
                sim.check(user_load<u64>(address).has_value(), "load");
            }
        });
        sim.spawn("protector", [&] {
            sim.check(space->protect(kPage, 2 * kPageSize, kReadOnly).ok(), "protect");
            read_only.store(true, Order::seq_cst);
        });
        sim.join();
    });
}

TEST(AddressSpaceSim, AReusedFrameIsNotSeenThroughTheOldMapping) {
    EXPLORE("shoot-down: reuse", {.cpus = 2}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        sim.check(space->map_anonymous(kPage, kPageSize, kReadWrite).ok(), "map");
        sim.spawn("user", [&] {
            InAddressSpace inside(*space);
            for (int round = 0; round < 8; ++round) {
                auto value = user_load<u64>(kPage);
                sim.check(!value || *value == 0, "saw another's data");
            }
        });
        sim.spawn("recycler", [&] {
            for (int round = 0; round < 2; ++round) {
                sim.check(space->unmap(kPage, kPageSize).ok(), "unmap");
                auto frame = g_kernel.frames->allocate(0);
                sim.check(frame.ok(), "out of memory");
                *static_cast<u64*>(arch::direct_map(frame.value().address())) = 0x5ec2e7;
                arch::interleave();
                sim.check(space->map_anonymous(kPage, kPageSize, kReadWrite).ok(), "map again");
                g_kernel.frames->free(frame.value(), 0);
            }
        });
        sim.join();
    });
}

TEST(AddressSpaceSim, TwoSpacesOnAllCpusStayApart) {
    EXPLORE("address spaces: switch", {.cpus = 2}, [](Simulation& sim) {
        Ref<AddressSpace> spaces[2] = {make_space(sim), make_space(sim)};
        for (u64 i = 0; i < 2; ++i) {
            sim.check(spaces[i]->map_anonymous(kPage, kPageSize, kReadWrite).ok(), "map");
            for (int k = 0; k < 2; ++k) {
                sim.spawn("user", [&sim, &space = *spaces[i], i] {
                    InAddressSpace inside(space);
                    for (int round = 0; round < 3; ++round) {
                        sim.check(user_store<u64>(kPage, i + 1), "store");
                        sched::yield();
                        sim.check(user_load<u64>(kPage) == i + 1, "saw the other space");
                    }
                });
            }
        }
        sim.join();
    });
}

TEST(AddressSpaceSim, ASpaceMayGoWhileItsTagsAreStillAround) {
    EXPLORE("address spaces: destroy", {.cpus = 2}, [](Simulation& sim) {
        for (int i = 0; i < 2; ++i) {
            sim.spawn("process", [&] {
                for (int round = 0; round < 3; ++round) {
                    Ref<AddressSpace> space = make_space(sim);
                    sim.check(space->map_anonymous(kPage, 3 * kPageSize, kReadWrite).ok(), "map");
                    InAddressSpace inside(*space);
                    sim.check(user_load<u64>(kPage + kPageSize) == 0, "fresh memory");
                    sim.check(user_store<u64>(kPage + kPageSize, 1), "store");
                }
            });
        }
        sim.join();
    });
}

TEST(AddressSpaceSim, ConcurrentChangesOfOneSpace) {
    EXPLORE("address spaces: concurrent changes", {.cpus = 3}, [](Simulation& sim) {
        Ref<AddressSpace> space = make_space(sim);
        for (u64 i = 0; i < 3; ++i) {
            sim.spawn("thread", [&sim, &space = *space, i] {
                InAddressSpace inside(space);
                VirtualAddress own = kPage + i * 2 * kPageSize;
                for (int round = 0; round < 2; ++round) {
                    sim.check(space.map_anonymous(own, 2 * kPageSize, kReadWrite).ok(), "map");
                    sim.check(user_store<u64>(own + kPageSize, i), "store");
                    sim.check(user_load<u64>(own + kPageSize) == i, "load");
                    sim.check(space.unmap(own, 2 * kPageSize).ok(), "unmap");
                    sim.check(!user_load<u64>(own + kPageSize), "still there");
                }
            });
        }
        sim.join();
        sim.check(space->resident_bytes() == 0, "resident");
    });
}

/// Pages in tables of their own at each level, and many in one table: fork and the end see each of them, and no other.
TEST(AddressSpaceSim, ForkAndTheEndFindEachPage) {
    EXPLORE("address spaces: far apart", {.cpus = 1}, [](Simulation& sim) {
        constexpr u64 kFar[] = {0, 7 * kPageSize, 2 * kMiB, 3 * kMiB, 5 * kGiB, u64{3} << 39};
        constexpr VirtualAddress kRun = kPage + (kGiB + 2 * kMiB - 20 * kPageSize);  // across two tables
        constexpr u64 kRunPages = 40;
        const u64 anonymous = static_cast<u64>(g_kernel.memory->anonymous.sum());
        sim.spawn("forker", [&] {
            Ref<AddressSpace> space = make_space(sim);
            for (u64 distance : kFar) {
                sim.check(space->map_anonymous(kPage + distance, kPageSize, kReadWrite).ok(), "map");
            }
            sim.check(space->map_anonymous(kRun, kRunPages * kPageSize, kReadWrite).ok(), "map a run");
            const u64 resident = space->resident_bytes();
            sim.check(resident == (std::size(kFar) + kRunPages) * kPageSize, "resident");
            {
                auto child = space->fork();
                sim.check(child.ok(), "fork");
                sim.check(child.value()->resident_bytes() == resident, "the child's pages");
                for (u64 distance : kFar) {
                    sim.check(frame_behind(sim, *child.value(), kPage + distance) ==
                                  frame_behind(sim, *space, kPage + distance),
                              "another page");
                }
                auto last = child.value()->translate(kRun + (kRunPages - 1) * kPageSize);
                sim.check(last && !last->protection.writable, "the last page of the run");
                sim.check(!child.value()->translate(kRun + kRunPages * kPageSize), "behind the run");
                sim.check(child.value()->unmap(kPage, u64{4} << 39).ok(), "unmap all");
                sim.check(child.value()->resident_bytes() == 0, "something is left");
            }
            sim.check(space->resident_bytes() == resident, "the parent's pages");
        });
        sim.join();
        sim.check(static_cast<u64>(g_kernel.memory->anonymous.sum()) == anonymous, "frames are left");
    });
}

TEST(AddressSpaceSim, FailuresLeaveNothingBehind) {
    EXPLORE("address spaces with failures", {.cpus = 2, .allocation_failures = 6}, [](Simulation& sim) {
        for (int i = 0; i < 2; ++i) {
            sim.spawn("process", [&] {
                auto created = AddressSpace::create();
                if (!created.ok()) {
                    return;
                }
                Ref<AddressSpace> space = std::move(created).value();
                bool mapped = space->map_anonymous(kPage, 4 * kPageSize, kReadWrite).ok();
                InAddressSpace inside(*space);
                sim.check(user_load<u64>(kPage + 3 * kPageSize).has_value() == mapped, "half a mapping");
                if (mapped && space->unmap(kPage + kPageSize, 2 * kPageSize).ok()) {
                    sim.check(!user_load<u64>(kPage + kPageSize), "still there");
                    sim.check(user_load<u64>(kPage).has_value(), "too much unmapped");
                }
            });
        }
        sim.join();
    });
}

TEST(AddressSpaceSim, AMoveThatFailsLeavesNoTables) {
    EXPLORE(
        "address spaces: a move fails", {.cpus = 1},
        [](Simulation& sim) {
            auto& injector = g_kernel.frames->failure_injector();
            // Far away from all other mappings, below and above them.
            for (const u64 target : {kPage.value / 2, kPage.value / 4 * 5}) {
                Ref<AddressSpace> space = make_space(sim);
                InAddressSpace inside(*space);
                sim.check(space->map_anonymous(kPage, kPageSize, kReadWrite).ok(), "no mapping");
                sim.check(user_store<u64>(kPage, 3), "no store");
                const u64 tables = space->statistics().page_tables;
                AddressSpace::RemapRequest request{.address = kPage, .old_size = kPageSize, .new_size = kPageSize};
                request.may_move = request.fixed = true;
                request.new_address = {target};
                bool moved = false;
                for (u64 n = 0; !moved; ++n) {
                    injector.fail_once_at(n);
                    moved = space->remap(request).ok();
                    injector.disarm();
                    sim.check(user_load<u64>(moved ? request.new_address : kPage) == 3, "the page is lost");
                    sim.check(space->statistics().page_tables == tables, "tables where nothing is mapped");
                }
            }
        },
        20);
}

}  // namespace
}  // namespace cairn
