/// Tests of the explorer itself: bugs of the three kinds that it exists for. Each must be found
/// within 10,000 seeds, and the seed must find it again.

#include <gtest/gtest.h>

#include "kernel/base/heap.h"
#include "kernel/sync/wait_queue.h"
#include "mm/address_space.h"
#include "mm/kernel_space.h"
#include "tests/support/in_address_space.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using sim::KernelOptions;
using sim::Simulation;

constexpr u64 kSeeds = 10'000;

void expect_found(const std::string& name, const KernelOptions& options, std::function<void(Simulation&)> scenario,
                  const std::string& text) {
    sim::Exploration found = sim::explore_kernel(name, options, scenario, kSeeds);
    ASSERT_TRUE(found.failure) << name << " was not found in " << kSeeds << " schedules";
    EXPECT_NE(found.failure->text.find(text), std::string::npos) << found.failure->report;
    std::printf("%s: found after %llu schedules, seed %llu\n", name.c_str(),
                static_cast<unsigned long long>(found.failure->after),
                static_cast<unsigned long long>(found.failure->seed));

    arch::host::RunOptions replay = sim::run_options(options);
    replay.seed = found.failure->seed;
    arch::host::RunResult first = sim::on_kernel(options, scenario)(replay);
    arch::host::RunResult second = sim::on_kernel(options, scenario)(replay);
    EXPECT_EQ(first.failure, found.failure->text);
    EXPECT_EQ(second.failure, found.failure->text);
    EXPECT_EQ(first.trace_hash, second.trace_hash);
}

/// A wait that tests the condition before it joins the queue: what comes between is lost.
void wait_with_a_gap(sync::WaitQueue& queue, Atomic<bool>& ready) {
    while (!ready.load(Order::acquire)) {
        sync::Parking parking;
        sync::Waiter waiter(&sync::WaitQueue::leave_and_notify, parking);
        queue.join(waiter);
        parking.sleep(sync::SleepKind::Uninterruptible, Nanoseconds::never());
        queue.leave(waiter);
    }
}

TEST(PlantedBug, LostWakeUp) {
    expect_found(
        "planted lost wake-up", {.cpus = 2},
        [](Simulation& sim) {
            sync::WaitQueue queue;
            Atomic<bool> ready{false};
            sim.spawn("waiter", [&] { wait_with_a_gap(queue, ready); });
            sim.spawn("waker", [&] {
                ready.store(true, Order::release);
                queue.wake_one();
            });
            sim.join();
        },
        "deadlock");
}

/// A shoot-down that forgets the other CPUs: what sched::call_on_cpus would do for the rest is missing.
void call_on_this_cpu_only(const CpuSet& targets, void (*body)(void*), void* argument) {
    InterruptGuard guard;
    if (targets.contains(arch::this_cpu().index)) {
        body(argument);
    }
}

TEST(PlantedBug, MissingTlbFlush) {
    expect_found(
        "planted missing flush", {.cpus = 2},
        [](Simulation& sim) {
            constexpr VirtualAddress kPage{0x0000'0040'0000'0000};
            mm::TlbDirectory& correct = *g_kernel.tlb;
            mm::TlbDirectory faulty(&call_on_this_cpu_only, arch::address_space_tag_count(),
                                    g_kernel.kernel_space->root());
            g_kernel.tlb = &faulty;
            {
                auto space = mm::AddressSpace::create();
                sim.check(space.ok(), "no address space");
                mm::AddressSpace& shared = *space.value();
                sim.check(shared.map_anonymous(kPage, kPageSize, {.writable = true, .user = true}).ok(), "map");
                sim.spawn("user", [&] {
                    sim::InAddressSpace inside(shared);
                    for (int round = 0; round < 4; ++round) {
                        arch::host::user_load<u64>(kPage);
                    }
                });
                sim.spawn("unmapper", [&] { sim.check(shared.unmap(kPage, kPageSize).ok(), "unmap"); });
                sim.join();
            }
            g_kernel.tlb = &correct;
        },
        "freed");
}

/// Two allocations; forgets the first when the second fails.
bool make_pair(void*& first, void*& second) {
    first = heap_allocate(64, 8);
    if (first == nullptr) {
        return false;
    }
    second = heap_allocate(128, 8);
    return second != nullptr;
}

TEST(PlantedBug, LeakOnAFailurePath) {
    expect_found(
        "planted leak", {.cpus = 2, .allocation_failures = 50},
        [](Simulation& sim) {
            sim.spawn("user", [] {
                void* first = nullptr;
                void* second = nullptr;
                if (make_pair(first, second)) {
                    heap_free(first, 64, 8);
                    heap_free(second, 128, 8);
                }
            });
            sim.join();
        },
        "leak");
}

}  // namespace
}  // namespace cairn
