/// Frames and heap objects on several CPUs, with failures from the seed.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernel/base/heap.h"
#include "kernel/sched/thread.h"
#include "mm/kernel_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using sim::Simulation;

/// Writes a mark at both ends of a block and finds it again.
void stamp(void* memory, usize size, u64 mark) {
    static_cast<u64*>(memory)[0] = mark;
    static_cast<u64*>(memory)[size / sizeof(u64) - 1] = mark;
}
bool stamped(const void* memory, usize size, u64 mark) {
    return static_cast<const u64*>(memory)[0] == mark &&
           static_cast<const u64*>(memory)[size / sizeof(u64) - 1] == mark;
}

void use_frames(Simulation& sim, u64 mark) {
    struct Block {
        FrameNumber number;
        u32 order;
    } blocks[3];
    u32 count = 0;
    for (int round = 0; round < 6; ++round) {
        bool release = count == 3 || (count > 0 && sim.one_in(2));
        if (release) {
            Block& block = blocks[--count];
            sim.check(stamped(arch::direct_map(block.number.address()), kPageSize << block.order, mark),
                      "somebody else wrote to a block");
            g_kernel.frames->free(block.number, block.order);
            continue;
        }
        u32 order = sim.one_in(3) ? 1 + static_cast<u32>(sim.random(3)) : 0;
        auto number = g_kernel.frames->allocate(order, mm::FrameFlags::None);
        if (number.ok()) {
            stamp(arch::direct_map(number.value().address()), kPageSize << order, mark);
            blocks[count++] = {number.value(), order};
        }
    }
    while (count > 0) {
        --count;
        g_kernel.frames->free(blocks[count].number, blocks[count].order);
    }
}

TEST(FrameSim, NobodySharesABlock) {
    EXPLORE("frame allocator", {.cpus = 3}, [](Simulation& sim) {
        for (u64 i = 0; i < 3; ++i) {
            sim.spawn("user", [&sim, i] { use_frames(sim, 0x1111 * (i + 1)); });
        }
        sim.join();
    });
}

TEST(FrameSim, FailuresLeaveNothingBehind) {
    EXPLORE("frame allocator with failures", {.cpus = 3, .allocation_failures = 3}, [](Simulation& sim) {
        for (u64 i = 0; i < 3; ++i) {
            sim.spawn("user", [&sim, i] { use_frames(sim, 0x1111 * (i + 1)); });
        }
        sim.join();
    });
}

TEST(FrameSim, ACrowdLeavesAReserve) {
    EXPLORE("frame allocator, reserve", {.cpus = 2}, [](Simulation& sim) {
        static std::vector<FrameNumber> taken;
        taken.clear();
        const auto take_all = [] {
            const usize before = taken.size();
            for (;;) {
                const Result<FrameNumber> number = g_kernel.frames->allocate(0, mm::FrameFlags::None);
                if (!number.ok()) {
                    return taken.size() - before;
                }
                taken.push_back(number.value());
            }
        };
        static Atomic<bool> crowd_is_done;
        crowd_is_done.store(false, Order::relaxed);
        // First, since its stack is not for it to find in the reserve.
        sim.spawn("another", [&sim, take_all] {
            while (!crowd_is_done.load(Order::acquire)) {
                sched::sleep_for(Nanoseconds::from_milliseconds(1));
            }
            const u64 total = g_kernel.frames->statistics().total / kPageSize;
            const u64 left = take_all();
            sim.check(left >= total / 64 && left <= total / 16, "how much was left to others");
            for (FrameNumber number : taken) {
                g_kernel.frames->free(number, 0);
            }
        });
        sim.spawn("one of a crowd", [&sim, take_all] {
            sched::Thread& self = *arch::current_thread();
            const Nanoseconds until = arch::monotonic_now() + Nanoseconds::from_seconds(1'000'000);
            g_kernel.frames->expect_restrained(until);
            self.restrain_until(until);
            sim.check(take_all() != 0, "nothing for one of a crowd");
            const u32 shortages = self.memory_shortages();
            sim.check(!g_kernel.frames->allocate(0, mm::FrameFlags::None).ok(), "the reserve was given to a crowd");
            sim.check(self.memory_shortages() != shortages, "a shortage that nobody noticed");
            crowd_is_done.store(true, Order::release);
        });
        sim.join();
    });
}

TEST(FrameSim, OnlyAMissingSmallBlockIsWorthRoom) {  // nobody ends because memory is in pieces
    EXPLORE("frame allocator, in pieces", {.cpus = 1}, [](Simulation& sim) {
        sim.spawn("user", [&sim] {
            struct Block {
                FrameNumber number;
                u32 order;
            };
            std::vector<Block> blocks;
            for (u32 order = mm::kMaxOrder; order + 1 > 0; --order) {
                const u32 shortages = arch::current_thread()->memory_shortages();
                const bool worth = order <= mm::kMaxOrderWorthRoom;
                for (;;) {
                    auto number = g_kernel.frames->allocate(order, mm::FrameFlags::None);
                    if (!number.ok()) {
                        break;
                    }
                    blocks.push_back({number.value(), order});
                }
                sim.check((arch::current_thread()->memory_shortages() != shortages) == worth,
                          "whether a missing block is a shortage depends on its size");
            }
            for (const Block& block : blocks) {
                g_kernel.frames->free(block.number, block.order);
            }
        });
        sim.join();
    });
}

void use_heap(Simulation& sim, u64 mark) {
    struct Object {
        void* memory;
        usize size;
    } objects[4];
    u32 count = 0;
    for (int round = 0; round < 10; ++round) {
        if (count == 4 || (count > 0 && sim.one_in(3))) {
            Object object = objects[--count];
            sim.check(stamped(object.memory, object.size, mark), "somebody else wrote to an object");
            heap_free(object.memory, object.size, alignof(u64));
            continue;
        }
        usize size = sim.one_in(8) ? 2 * kPageSize : usize{16} << sim.random(7);
        if (void* memory = heap_allocate(size, alignof(u64))) {
            stamp(memory, size, mark);
            objects[count++] = {memory, size};
        }
    }
    while (count > 0) {
        --count;
        heap_free(objects[count].memory, objects[count].size, alignof(u64));
    }
}

TEST(SlabSim, NobodySharesAnObject) {
    EXPLORE("slab allocator", {.cpus = 3}, [](Simulation& sim) {
        for (u64 i = 0; i < 3; ++i) {
            sim.spawn("user", [&sim, i] { use_heap(sim, 0x1111 * (i + 1)); });
        }
        sim.join();
    });
}

TEST(SlabSim, FailuresLeaveNothingBehind) {
    EXPLORE("slab allocator with failures", {.cpus = 3, .allocation_failures = 3}, [](Simulation& sim) {
        for (u64 i = 0; i < 3; ++i) {
            sim.spawn("user", [&sim, i] { use_heap(sim, 0x1111 * (i + 1)); });
        }
        sim.join();
    });
}

TEST(SlabSim, ObjectsMayBeFreedOnAnotherCpu) {
    EXPLORE("slab allocator: far free", {.cpus = 2}, [](Simulation& sim) {
        Atomic<void*> slot{nullptr};
        constexpr usize kSize = 64;
        sim.spawn_on(0, "allocates", [&] {
            for (u64 i = 0; i < 4; ++i) {
                void* memory = heap_allocate(kSize, alignof(u64));
                sim.check(memory != nullptr, "out of memory");
                stamp(memory, kSize, i);
                while (slot.load(Order::relaxed) != nullptr) {
                    sched::yield();
                }
                slot.store(memory, Order::release);
            }
        });
        sim.spawn_on(1, "frees", [&] {
            for (u64 i = 0; i < 4; ++i) {
                void* memory = nullptr;
                while ((memory = slot.exchange(nullptr, Order::acquire)) == nullptr) {
                    sched::yield();
                }
                sim.check(stamped(memory, kSize, i), "the object changed on its way");
                heap_free(memory, kSize, alignof(u64));
            }
        });
        sim.join();
    });
}

TEST(SlabSim, ReapingAndDrainingRaceWithUse) {
    EXPLORE("slab allocator: reap", {.cpus = 2}, [](Simulation& sim) {
        sim.spawn("user", [&] { use_heap(sim, 1); });
        sim.spawn("user", [&] { use_heap(sim, 2); });
        sim.spawn("reaper", [&] {
            g_kernel.slab->reap();
            g_kernel.slab->drain_this_cpu();
            g_kernel.frames->drain_this_cpu();
        });
        sim.join();
    });
}

// --- kernel stacks -----------------------------------------------------------------------------------------------

/// Gives back the tables below `table`, and itself.
void free_tables(PhysicalAddress table, u32 level) {
    using Format = arch::PageTableFormat;
    const u64* entries = static_cast<const u64*>(arch::direct_map(table));
    for (u32 i = 0; level != 0 && i < kPageSize / sizeof(u64); ++i) {
        if ((entries[i] & Format::kPresent) != 0 && (entries[i] & Format::kLargePage) == 0) {
            free_tables({entries[i] & Format::kAddressMask}, level - 1);
        }
    }
    g_kernel.frames->free(FrameNumber::containing(table), 0);
}

/// A kernel's half as a mapped machine has it. Nothing is reached through its mappings here.
class MappedSpace {
public:
    MappedSpace() : space_(early_) {
        space_.use(*g_kernel.frames);
        const mm::KernelSpace::Layout layout{.direct_map = {0xffff'8000'0000'0000},
                                             .image = {},
                                             .mapping_area = {{0xffff'c000'0000'0000}, {0xffff'c000'4000'0000}},
                                             .largest_level = 1,
                                             .mappings_work = true};
        must(space_.create({}, layout), "a kernel space");
    }
    ~MappedSpace() {
        space_.trim_stacks(0);
        free_tables(space_.root(), 3);
    }
    mm::KernelSpace& operator*() { return space_; }

private:
    mm::EarlyMemory early_;
    mm::KernelSpace space_;
};

TEST(KernelStackSim, ACrowdsStacksComeBack) {
    EXPLORE("kernel stacks", {.cpus = 2, .memory = 12 * kMiB}, [](Simulation& sim) {
        auto storage = std::make_unique<MappedSpace>();
        mm::KernelSpace& space = **storage;
        auto crowd = [&] {
            std::vector<sched::KernelStack> stacks;
            for (int i = 0; i < 200; ++i) {
                stacks.push_back(must(space.allocate_stack(), "a stack"));
            }
            sim.check(space.stack_bytes() >= 200 * stacks[0].size, "stacks are counted");
            for (const sched::KernelStack& stack : stacks) {
                space.free_stack(stack);
                // The other one may be about to unmap.
                sim.check(space.cached_stacks() <= 256 + 1, "too many free stacks are kept");
            }
        };
        sim.spawn("first", crowd);
        sim.spawn("second", crowd);
        sim.join();
        sim.check(space.stack_bytes() == 0, "no stack is in use");
        space.trim_stacks(0);
        sim.check(space.mapped_bytes() == 0, "nothing is mapped");
        storage.reset();
    });
}

}  // namespace
}  // namespace cairn
