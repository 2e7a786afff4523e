/// Wait queues: no wake-up is lost, and one that its receiver does not use goes to the next.

#include <gtest/gtest.h>

#include "kernel/sync/wait_queue.h"
#include "kernel/time/clock.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using sim::Simulation;
using sync::SleepKind;
using sync::WaitQueue;
using sync::WakeReason;

/// Takes one token if there is any.
bool take(Atomic<u32>& tokens) {
    u32 seen = tokens.load(Order::relaxed);
    while (seen != 0) {
        if (tokens.compare_exchange(seen, seen - 1, Order::acquire, Order::relaxed)) {
            return true;
        }
    }
    return false;
}

TEST(WaitQueueSim, NoWakeUpIsLost) {
    EXPLORE("wait queue: wake up", {.cpus = 2}, [](Simulation& sim) {
        WaitQueue queue;
        Atomic<bool> ready{false};
        sim.spawn("waiter", [&] { queue.wait_until([&] { return ready.load(Order::acquire); }); });
        sim.spawn("waker", [&] {
            ready.store(true, Order::release);
            queue.wake_one();
        });
        sim.join();
    });
}

TEST(WaitQueueSim, WakeAllReachesEverybody) {
    EXPLORE("wait queue: wake all", {.cpus = 3}, [](Simulation& sim) {
        WaitQueue queue;
        Atomic<bool> ready{false};
        for (int i = 0; i < 3; ++i) {
            sim.spawn("waiter", [&] { queue.wait_until([&] { return ready.load(Order::acquire); }); });
        }
        ready.store(true, Order::release);
        queue.wake_all();
        sim.join();
    });
}

TEST(WaitQueueSim, EachWakeUpServesOneWaiter) {
    EXPLORE("wait queue: tokens", {.cpus = 3}, [](Simulation& sim) {
        WaitQueue queue;
        Atomic<u32> tokens{0};
        for (int i = 0; i < 3; ++i) {
            sim.spawn("consumer", [&] { queue.wait_until([&] { return take(tokens); }); });
        }
        for (int i = 0; i < 3; ++i) {
            tokens.fetch_add(1, Order::release);
            queue.wake_one();
        }
        sim.join();
        sim.check(tokens.load(Order::relaxed) == 0, "a token is left");
    });
}

TEST(WaitQueueSim, AKilledWaiterHandsItsWakeUpOn) {
    EXPLORE("wait queue: kill", {.cpus = 3}, [](Simulation& sim) {
        WaitQueue queue;
        Atomic<u32> tokens{0};
        Atomic<bool> gave_up{false};
        auto& victim = sim.spawn("victim", [&] {
            gave_up.store(
                queue.wait_until([&] { return take(tokens); }, SleepKind::Killable) == WakeReason::Interrupted,
                Order::relaxed);
        });
        sim.spawn("other", [&] { queue.wait_until([&] { return take(tokens); }); });
        sim.spawn("killer", [&] { sched::kill(victim); });
        tokens.fetch_add(1, Order::release);
        queue.wake_one();
        victim.join();
        if (!gave_up.load(Order::relaxed)) {  // then the victim took the token
            tokens.fetch_add(1, Order::release);
            queue.wake_one();
        }
        sim.join();  // a deadlock if the wake-up went down with the victim
    });
}

TEST(WaitQueueSim, ATimedOutWaiterHandsItsWakeUpOn) {
    EXPLORE("wait queue: deadline", {.cpus = 3}, [](Simulation& sim) {
        WaitQueue queue;
        Atomic<u32> tokens{0};
        Atomic<bool> gave_up{false};
        Nanoseconds deadline = time::now() + Nanoseconds{1 + sim.random(100'000)};
        auto& patient_for_a_while = sim.spawn("impatient", [&] {
            WakeReason reason = queue.wait_until([&] { return take(tokens); }, SleepKind::Uninterruptible, deadline);
            sim.check(reason != WakeReason::TimedOut || time::now() >= deadline, "timed out early");
            gave_up.store(reason == WakeReason::TimedOut, Order::relaxed);
        });
        sim.spawn("other", [&] { queue.wait_until([&] { return take(tokens); }); });
        tokens.fetch_add(1, Order::release);
        queue.wake_one();
        patient_for_a_while.join();
        if (!gave_up.load(Order::relaxed)) {
            tokens.fetch_add(1, Order::release);
            queue.wake_one();
        }
        sim.join();
    });
}

TEST(WaitQueueSim, InterruptEndsOnlyInterruptibleSleeps) {
    EXPLORE("wait queue: interrupt", {.cpus = 2}, [](Simulation& sim) {
        WaitQueue queue;
        Atomic<bool> ready{false};
        auto condition = [&] { return ready.load(Order::acquire); };
        auto& killable = sim.spawn("killable", [&] {
            sim.check(queue.wait_until(condition, SleepKind::Killable) == WakeReason::Condition, "interrupted");
        });
        auto& interruptible =
            sim.spawn("interruptible", [&] { queue.wait_until(condition, SleepKind::Interruptible); });
        sched::interrupt(killable);
        sched::interrupt(interruptible);
        interruptible.join();
        ready.store(true, Order::release);
        queue.wake_all();
        sim.join();
    });
}

}  // namespace
}  // namespace cairn
