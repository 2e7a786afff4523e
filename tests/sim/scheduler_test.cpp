/// The scheduler on several CPUs: classes, shares, preemption, balancing.

#include <gtest/gtest.h>

#include "kernel/sync/completion.h"
#include "kernel/sync/mutex.h"
#include "kernel/time/clock.h"
#include "tests/support/simulation.h"

namespace cairn::sim {
namespace {

void burn(Nanoseconds length) {
    for (Nanoseconds end = time::now() + length; time::now() < end;) {
        arch::cpu_relax();
    }
}

sched::ThreadOptions on(u32 cpu, sched::Policy policy, i32 nice = 0, u32 priority = 0) {
    sched::ThreadOptions options;
    options.policy = policy;
    options.nice = nice;
    options.realtime_priority = priority;
    options.affinity = CpuSet::only({cpu});
    return options;
}

TEST(SchedulerSim, ARealtimeThreadPreemptsAHog) {
    EXPLORE("scheduler: real time first", {.cpus = 2}, [](Simulation& sim) {
        Atomic<bool> stop{false};
        Atomic<bool> urgent_ran{false};
        sim.spawn(
            "hog",
            [&] {
                while (!stop.load(Order::relaxed)) {
                    arch::cpu_relax();
                }
                sim.check(urgent_ran.load(Order::relaxed), "the hog ended first");
            },
            on(1, sched::Policy::Fair));
        sim.spawn(
            "urgent",
            [&] {
                sched::sleep_for(Nanoseconds::from_microseconds(50));
                urgent_ran.store(true, Order::relaxed);
                stop.store(true, Order::relaxed);
            },
            on(1, sched::Policy::Fifo, 0, 10));
        sim.join();
    });
}

TEST(SchedulerSim, HogsShareACpu) {
    EXPLORE("scheduler: turns", {.cpus = 2}, [](Simulation& sim) {
        Atomic<u32> ended{0};
        for (u32 i = 0; i < 3; ++i) {
            sim.spawn(
                "hog",
                [&] {
                    burn(Nanoseconds::from_milliseconds(2));
                    ended.fetch_add(1, Order::relaxed);
                    while (ended.load(Order::relaxed) != 3) {  // ends only if the others get turns
                        arch::cpu_relax();
                    }
                },
                on(1, i == 2 ? sched::Policy::Batch : sched::Policy::Fair, static_cast<i32>(i)));
        }
        sim.join();
    });
}

TEST(SchedulerSim, RoundRobinSharesAmongEquals) {
    EXPLORE(
        "scheduler: round robin", {.cpus = 2},
        [](Simulation& sim) {
            Atomic<u32> started{0};
            for (u32 i = 0; i < 2; ++i) {
                sim.spawn(
                    "robin",
                    [&] {
                        started.fetch_add(1, Order::relaxed);
                        while (started.load(Order::relaxed) != 2) {
                            arch::cpu_relax();
                        }
                    },
                    on(1, sched::Policy::RoundRobin, 0, 5));
            }
            sim.join();
        },
        50);
}

TEST(SchedulerSim, AnIdleCpuTakesWaitingThreads) {
    EXPLORE("scheduler: pull", {.cpus = 3}, [](Simulation& sim) {
        Atomic<u32> running{0};
        for (u32 i = 0; i < 3; ++i) {
            sim.spawn("worker", [&] {
                running.fetch_add(1, Order::relaxed);
                while (running.load(Order::relaxed) != 3) {
                    arch::cpu_relax();
                }
                sched::yield();
            });
        }
        sim.join();
    });
}

TEST(SchedulerSim, ParametersChangeWhileThreadsRun) {
    EXPLORE("scheduler: parameters", {.cpus = 2}, [](Simulation& sim) {
        Atomic<bool> stop{false};
        sched::Thread& target = sim.spawn(
            "target",
            [&] {
                while (!stop.load(Order::relaxed)) {
                    sched::yield();
                }
            },
            on(1, sched::Policy::Fair));
        sim.check(target.set_policy(sched::Policy::Fifo, 0, 3).ok(), "fifo");
        sim.check(target.set_nice(21).error() == Errno::einval, "nice out of range");
        sim.check(target.set_policy(sched::Policy::Fair, 0, 3).error() == Errno::einval, "priority without real time");
        sim.check(target.set_policy(sched::Policy::Idle, 0, 0).ok(), "idle");
        sim.check(target.set_nice(-5).ok(), "nice");
        sim.check(target.set_affinity(CpuSet::first(2)).ok(), "affinity");
        sim.check(target.set_affinity(CpuSet::only({200})).error() == Errno::einval, "no CPU");
        stop.store(true, Order::relaxed);
        sim.join();
        sim.check(sched::current_thread().statistics().run_time > Nanoseconds{}, "time is accounted");
    });
}

/// Whoever changes a thread's affinity waits until it is off the forbidden CPU, however that comes about: it moves,
/// goes to sleep or ends there, or may use it again.
TEST(SchedulerSim, AffinityOfAThreadThatSleepsAndEnds) {
    EXPLORE("scheduler: affinity", {.cpus = 3}, [](Simulation& sim) {
        sched::Thread& target = sim.spawn("target", [&sim] {
            for (u64 n = 1 + sim.random(4); n != 0; --n) {
                if (sim.one_in(2)) {
                    sched::sleep_for(Nanoseconds::from_microseconds(sim.random(50)));
                } else {
                    sched::yield();
                }
            }
        });
        const Ref<sched::Thread> kept(target);
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("changer", [&] {
                for (u32 n = 0; n < 4; ++n) {
                    const CpuSet cpus = CpuSet::only({static_cast<u32>(sim.random(3))});
                    sim.check(target.set_affinity(cpus).ok(), "affinity");
                }
            });
        }
        sim.join();
    });
}

TEST(SchedulerSim, TwoMutexesOfOneRank) {
    EXPLORE("mutex pair", {.cpus = 2}, [](Simulation& sim) {
        sync::Mutex<LockRank::TestOuter> mutexes[2];
        u32 value = 0;
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("pair", [&, i] {
                sync::MutexPairGuard guard(mutexes[i], mutexes[1 - i]);
                ++value;
            });
        }
        sim.join();
        sim.check(value == 2, "both ran");
    });
}

}  // namespace
}  // namespace cairn::sim
