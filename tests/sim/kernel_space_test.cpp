/// The kernel's half of the address space as a PC has it, beside the one that the simulated machine runs in: direct
/// map, image, device registers, stacks. Translations are looked up, since nothing is accessed there.

#include <gtest/gtest.h>

#include "kernel/base/kernel.h"
#include "mm/early_memory.h"
#include "mm/kernel_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using mm::KernelSpace;
using mm::Protection;
using sim::Simulation;

constexpr VirtualAddress kDirect{0xffff'8880'0000'0000};
constexpr VirtualAddress kImage{0xffff'ffff'8010'0000};
constexpr VirtualAddress kArea{0xffff'c000'0000'0000};

/// Text, read-only data and data, in the third MiB.
constexpr arch::ImageSegment kSegments[] = {
    {kImage, {0x20'0000}, 0x1000, false, true},
    {kImage + 0x1000, {0x20'1000}, 0x1000, false, false},
    {kImage + 0x2000, {0x20'2000}, 0x2000, true, false},
};

/// A space whose tables stay, as the kernel's do.
class Space {
public:
    explicit Space(Simulation& simulation, u64 area = 64 * kMiB) : simulation_(simulation), space_(early_) {
        space_.use(*g_kernel.frames);
        const PhysicalRange ram[] = {
            {{0x10'0000}, {0x80'0000}}, {{0x80'0000}, {0xc0'0000}}, {{0x1000'0000}, {0x1000'3000}}};
        const KernelSpace::Layout layout{.direct_map = kDirect,
                                         .image = kSegments,
                                         .mapping_area = {kArea, kArea + area},
                                         .largest_level = 1,
                                         .mappings_work = true};
        must(space_.create(ram, layout), "create");
    }
    ~Space() {
        space_.trim_stacks(0);
        arch::host::end_exploring();
        simulation_.keep_what_exists();
    }
    KernelSpace* operator->() { return &space_; }
    void expect(VirtualAddress at, u64 physical, const Protection& protection, const char* what) {
        const auto found = space_.translate(at);
        simulation_.check(found && found->address.value == physical && found->protection == protection, what);
    }
    void expect_nothing(VirtualAddress at, const char* what) { simulation_.check(!space_.translate(at), what); }

private:
    Simulation& simulation_;
    mm::EarlyMemory early_;
    KernelSpace space_;
};

constexpr u64 kFew = 20;
#define EXPLORE_FEW(name, ...)                                                                                        \
    do {                                                                                                              \
        sim::Exploration exploration = sim::explore_kernel(name, {.cpus = 2, .memory = 8 * kMiB}, __VA_ARGS__, kFew); \
        ASSERT_FALSE(exploration.failure) << exploration.failure->report;                                             \
    } while (false)

TEST(KernelSpaceSim, WhatIsMappedIsNeverBothWritableAndExecutable) {
    EXPLORE_FEW("kernel space", [](Simulation& simulation) {
        Space space(simulation);
        const Protection code{.executable = true, .global = true};
        const Protection constants{.global = true};
        space.expect(kImage + 5, 0x20'0005, code, "text");
        space.expect(kImage + 0x1005, 0x20'1005, constants, "read-only data");
        space.expect(kImage + 0x3005, 0x20'3005, mm::kKernelData, "data");
        space.expect_nothing(kImage + 0x4000, "behind the image");
        // The direct map: all memory, but what is read-only in the image is so here.
        space.expect(kDirect + 0x5000, 0x5000, mm::kKernelData, "the first MiB");
        space.expect(kDirect + 0x20'0005, 0x20'0005, constants, "text in the direct map");
        space.expect(kDirect + 0x20'1005, 0x20'1005, constants, "read-only data in the direct map");
        space.expect(kDirect + 0x20'2005, 0x20'2005, mm::kKernelData, "data in the direct map");
        space.expect(kDirect + 0xbf'ffff, 0xbf'ffff, mm::kKernelData, "the last byte of a range");
        space.expect(kDirect + 0x1000'2fff, 0x1000'2fff, mm::kKernelData, "a range of its own");
        space.expect_nothing(kDirect + 0xc0'0000, "a hole");
        simulation.check(space->translate(kDirect + 0x60'0000)->level == 1, "large pages");
    });
}

TEST(KernelSpaceSim, DeviceRegistersComeAndGo) {
    EXPLORE_FEW("device registers", [](Simulation& simulation) {
        Space space(simulation);
        void* registers = must(space->map_device({{0xfee0'0010}, {0xfee0'1020}}), "map_device");
        const VirtualAddress at{reinterpret_cast<uptr>(registers)};
        simulation.check(at.value % kPageSize == 0x10, "the place in its page");
        space.expect(at, 0xfee0'0010, mm::kKernelDevice, "the first page");
        space.expect(at + 0x1000, 0xfee0'1010, mm::kKernelDevice, "the second page");
        simulation.check(space->mapped_bytes() == 2 * kPageSize, "the size in use");
        space->unmap_device(registers);
        space.expect_nothing(at, "what was unmapped");
        simulation.check(space->mapped_bytes() == 0, "nothing in use");
    });
}

TEST(KernelSpaceSim, StacksHaveGuardPagesAndAreKept) {
    EXPLORE_FEW("stacks", [](Simulation& simulation) {
        Space space(simulation);
        sched::KernelStack stacks[3];
        for (sched::KernelStack& stack : stacks) {
            stack = must(space->allocate_stack(), "stack");
            const VirtualAddress base{reinterpret_cast<uptr>(stack.base)};
            space.expect_nothing({base.value - 1}, "the guard page");
            simulation.check(space->translate(base)->protection == mm::kKernelData, "the lowest byte");
            simulation.check(space->translate(base + (stack.size - 1)).has_value(), "the highest byte");
        }
        simulation.check(space->stack_bytes() == 3 * stacks[0].size, "bytes in use");
        for (const sched::KernelStack& stack : stacks) {
            space->free_stack(stack);
        }
        simulation.check(space->cached_stacks() == 3, "they are kept");
        const sched::KernelStack again = must(space->allocate_stack(), "stack");
        simulation.check(again.base == stacks[2].base, "the last is used first");
        space->trim_stacks(1);
        simulation.check(space->cached_stacks() == 1, "some are given back");
        space.expect_nothing({reinterpret_cast<uptr>(stacks[1].base)}, "one that was given back");
        space->free_stack(again);
    });
}

TEST(KernelSpaceSim, WithoutMemoryNothingStaysMapped) {
    EXPLORE_FEW("stacks, no memory", [](Simulation& simulation) {
        Space space(simulation);
        void* registers = must(space->map_device({{0xfee0'0000}, {0xfee0'1000}}), "tables are made");
        const u64 before = space->mapped_bytes();
        // Each request of a stack's, in turn, until none fails.
        for (u64 n = 0;; ++n) {
            g_kernel.frames->failure_injector().fail_once_at(n);
            Result<sched::KernelStack> stack = space->allocate_stack();
            g_kernel.frames->failure_injector().disarm();
            if (stack.ok()) {
                space->free_stack(stack.value());
                break;
            }
            simulation.check(stack.error() == Errno::enomem && space->mapped_bytes() == before,
                             "nothing is left of it");
        }
        space->unmap_device(registers);
    });
}

TEST(KernelSpaceSim, TheAreaEnds) {
    EXPLORE_FEW("no room for mappings", [](Simulation& simulation) {
        Space space(simulation, 4 * kPageSize);
        simulation.check(space->map_device({{0xfee0'0000}, {0xfee0'5000}}).error() == Errno::enomem, "too large");
        simulation.check(space->allocate_stack().error() == Errno::enomem, "a stack and its guard page");
        void* registers = must(space->map_device({{0xfee0'0000}, {0xfee0'4000}}), "all of it");
        space->unmap_device(registers);
    });
}

}  // namespace
}  // namespace cairn
