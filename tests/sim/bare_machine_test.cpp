/// Scenarios on the simulated machine without a kernel: the explorer finds what is wrong with
/// plain atomics and spinlocks, and leaves alone what is right.

#include <gtest/gtest.h>

#include <set>

#include "kernel/sync/spin_lock.h"
#include "tests/support/explorer.h"

namespace cairn {
namespace {

using arch::host::RunOptions;
using arch::host::RunResult;

using OuterLock = SpinLock<LockRank::TestSpinOuter>;
using InnerLock = SpinLock<LockRank::TestSpinInner>;

/// What one scenario's CPUs share; made anew for each run.
struct Shared {
    PerCpu cpus[4];
    Atomic<u32> counter{0};
    Atomic<u32> finished{0};
    u32 guarded = 0;
    u32 interrupts = 0;
    InnerLock lock;
    SpinLockWord a;
    SpinLockWord b;
};
Shared* shared = nullptr;

constexpr usize kStackSize = 64 * kKiB;
alignas(16) u8 stacks[3][kStackSize];

/// Starts CPUs 1 … count-1 on `work`, runs it here too, and waits for all.
void run_on_all(u32 count, void (*work)(u32 cpu)) {
    static void (*body)(u32);
    body = work;
    shared->cpus[0].index = {0};
    arch::initialize_cpu(shared->cpus[0]);
    for (u32 i = 1; i < count; ++i) {
        shared->cpus[i].index = {i};
        ASSERT(arch::start_cpu(shared->cpus[i], stacks[i - 1] + kStackSize, {}, [](PerCpu& cpu) {
                   arch::initialize_cpu(cpu);
                   arch::enable_interrupts();
                   body(cpu.index.value);
                   shared->finished.fetch_add(1, Order::release);
                   arch::disable_interrupts();
                   for (;;) {
                       arch::wait_for_interrupt();
                   }
               }).ok());
    }
    arch::host::begin_exploring();
    arch::enable_interrupts();
    body(0);
    while (shared->finished.load(Order::acquire) != count - 1) {
        arch::cpu_relax();
    }
}

/// Runs `boot` with a fresh Shared.
template <typename Boot>
sim::RunOnce with_shared(Boot boot) {
    return [boot](const RunOptions& options) {
        Shared fresh;
        shared = &fresh;
        RunResult result = sim::on_bare_machine(boot)(options);
        shared = nullptr;
        return result;
    };
}

void lost_update() {
    run_on_all(2, [](u32) {
        u32 seen = shared->counter.load(Order::relaxed);
        shared->counter.store(seen + 1, Order::relaxed);
    });
    if (shared->counter.load(Order::relaxed) != 2) {
        arch::host::fail_run("lost update");
    }
}

void locked_update() {
    run_on_all(3, [](u32) {
        for (u32 i = 0; i < 3; ++i) {
            SpinLockGuard guard(shared->lock);
            u32 seen = shared->guarded;
            shared->counter.load(Order::relaxed);  // somebody else may run here
            shared->guarded = seen + 1;
        }
    });
    if (shared->guarded != 9) {
        arch::host::fail_run("no mutual exclusion");
    }
}

/// Takes two locks in opposite orders. The bare words have no rank that would report it earlier.
void opposite_orders() {
    run_on_all(2, [](u32 cpu) {
        SpinLockWord& first = cpu == 0 ? shared->a : shared->b;
        SpinLockWord& second = cpu == 0 ? shared->b : shared->a;
        first.acquire();
        second.acquire();
        second.release();
        first.release();
    });
}

TEST(BareMachine, LostUpdateIsFound) {
    sim::Exploration found = sim::explore("lost update", {.cpu_count = 2}, with_shared(lost_update), 10'000);
    ASSERT_TRUE(found.failure);
    EXPECT_EQ(found.failure->text, "lost update");
}

TEST(BareMachine, OppositeLockOrdersDeadlock) {
    sim::Exploration found = sim::explore("AB-BA", {.cpu_count = 2}, with_shared(opposite_orders), 10'000);
    ASSERT_TRUE(found.failure);
    EXPECT_NE(found.failure->text.find("deadlock"), std::string::npos) << found.failure->report;
}

TEST(BareMachine, SpinLockExcludes) {
    sim::Exploration all = sim::explore("spinlock", {.cpu_count = 3}, with_shared(locked_update));
    EXPECT_FALSE(all.failure) << all.failure->report;
}

TEST(BareMachine, EnumerationFindsTheLostUpdateWithOnePreemption) {
    sim::Enumeration found = sim::enumerate("lost update, all", {.cpu_count = 2}, with_shared(lost_update), 1, 10'000);
    ASSERT_TRUE(found.failure);
    EXPECT_EQ(found.failing_script.size(), 1u);
}

TEST(BareMachine, EnumerationProvesTheSpinLockForTwoPreemptions) {
    auto two_cpus = [] {
        run_on_all(2, [](u32) {
            SpinLockGuard guard(shared->lock);
            u32 seen = shared->guarded;
            shared->counter.load(Order::relaxed);
            shared->guarded = seen + 1;
        });
        if (shared->guarded != 2) {
            arch::host::fail_run("no mutual exclusion");
        }
    };
    sim::Enumeration all = sim::enumerate("spinlock, all", {.cpu_count = 2}, with_shared(two_cpus), 2, 100'000);
    EXPECT_TRUE(all.complete);
    EXPECT_FALSE(all.failure) << all.failure->report;
}

TEST(BareMachine, ARunIsAPureFunctionOfItsSeed) {
    sim::RunOnce once = with_shared(locked_update);
    std::set<u64> different;
    for (u64 seed = 1; seed <= 64; ++seed) {
        RunResult first = once({.seed = seed, .cpu_count = 3});
        RunResult second = once({.seed = seed, .cpu_count = 3});
        EXPECT_EQ(first.trace_hash, second.trace_hash);
        EXPECT_EQ(first.steps, second.steps);
        different.insert(first.trace_hash);
    }
    EXPECT_GT(different.size(), 32u);
}

TEST(BareMachine, AFoundSeedReplays) {
    sim::RunOnce once = with_shared(lost_update);
    sim::Exploration found = sim::explore("lost update", {.cpu_count = 2}, once, 10'000);
    ASSERT_TRUE(found.failure);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(once({.seed = found.failure->seed, .cpu_count = 2}).failure, "lost update");
    }
}

// --- Interrupts and time --------------------------------------------------------------------------

void count_interrupt(arch::InterruptKind, u32) {
    if (arch::this_cpu().interrupt_depth != 1 || arch::interrupts_enabled()) {
        arch::host::fail_run("an interrupt handler runs with interrupts on, or without depth");
    }
    ++shared->interrupts;
}

TEST(BareMachine, InterruptsWaitForTheFlag) {
    auto boot = [] {
        shared->cpus[0].index = {0};
        arch::initialize_cpu(shared->cpus[0]);
        arch::host::begin_exploring();
        arch::send_interrupt(shared->cpus[0], arch::InterprocessorInterrupt::Reschedule);
        for (u32 i = 0; i < 200; ++i) {
            arch::interleave();
        }
        if (shared->interrupts != 0) {
            arch::host::fail_run("delivered with interrupts off");
        }
        arch::wait_for_interrupt();
        if (shared->interrupts != 1 || !arch::interrupts_enabled()) {
            arch::host::fail_run("not delivered");
        }
    };
    sim::Exploration all = sim::explore("interrupt flag", {.on_interrupt = count_interrupt}, with_shared(+boot));
    EXPECT_FALSE(all.failure) << all.failure->report;
}

TEST(BareMachine, IdleTimeJumpsToTheTimer) {
    auto boot = [] {
        shared->cpus[0].index = {0};
        arch::initialize_cpu(shared->cpus[0]);
        Nanoseconds deadline = arch::monotonic_now() + Nanoseconds::from_seconds(3600);
        arch::arm_timer(deadline);
        arch::wait_for_interrupt();
        if (arch::monotonic_now() < deadline || shared->interrupts != 1) {
            arch::host::fail_run("the timer came early or not at all");
        }
    };
    sim::Exploration all = sim::explore("idle timer", {.on_interrupt = count_interrupt}, with_shared(+boot));
    EXPECT_FALSE(all.failure) << all.failure->report;
}

TEST(BareMachine, IdleForEverIsADeadlock) {
    auto boot = [] {
        shared->cpus[0].index = {0};
        arch::initialize_cpu(shared->cpus[0]);
        arch::wait_for_interrupt();
    };
    RunResult result = with_shared(+boot)({.seed = 1});
    EXPECT_EQ(result.ending, arch::host::Ending::Failed);
    EXPECT_EQ(result.failure, "deadlock: every CPU is idle and no timer is armed");
}

TEST(BareMachine, DeviceLinesArriveWhereTheyAreRouted) {
    auto boot = [] {
        shared->cpus[0].index = {0};
        arch::initialize_cpu(shared->cpus[0]);
        ASSERT(arch::route_interrupt(5, {0}, arch::InterruptTrigger::EdgeHigh).ok());
        arch::host::raise_interrupt_line(5);
        arch::wait_for_interrupt();
        arch::disable_interrupts();
        arch::mask_interrupt(5);
        arch::host::raise_interrupt_line(5);
        arch::enable_interrupts();
        if (shared->interrupts != 1) {
            arch::host::fail_run("a masked line arrived");
        }
    };
    sim::Exploration all = sim::explore("device line", {.on_interrupt = count_interrupt}, with_shared(+boot));
    EXPECT_FALSE(all.failure) << all.failure->report;
}

TEST(BareMachine, PanicEndsTheRunAndTellsWhy) {
    auto boot = [] { panic("the answer is {}", 42); };
    RunResult result = with_shared(+boot)({.seed = 7});
    EXPECT_EQ(result.ending, arch::host::Ending::Failed);
    EXPECT_NE(result.failure.find("the answer is 42"), std::string::npos) << result.failure;
    // The machine is as new afterwards.
    EXPECT_EQ(with_shared(+[] {})({.seed = 7}).ending, arch::host::Ending::Finished);
}

}  // namespace
}  // namespace cairn
