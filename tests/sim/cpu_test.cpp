/// What CPUs do to each other: cross calls, timers, grace periods, threads that come, move and go.

#include <gtest/gtest.h>

#include "kernel/base/own.h"
#include "kernel/sched/cross_call.h"
#include "kernel/sync/per_cpu_counter.h"
#include "kernel/sync/read_side.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using sim::Simulation;

TEST(CrossCallSim, AllCpusMayCallAllOthersAtOnce) {
    EXPLORE("cross calls", {.cpus = 3}, [](Simulation& sim) {
        struct Counts {
            Atomic<u32> run_on[3];
        } counts;
        for (u32 cpu = 0; cpu < 3; ++cpu) {
            sim.spawn_on(cpu, "caller", [&] {
                sched::call_on_cpus(
                    CpuSet::first(3),
                    [](void* argument) {
                        ASSERT(!arch::interrupts_enabled());
                        static_cast<Counts*>(argument)->run_on[arch::this_cpu().index.value].fetch_add(1,
                                                                                                       Order::relaxed);
                    },
                    &counts);
            });
        }
        sim.join();
        for (auto& count : counts.run_on) {
            sim.check(count.load(Order::relaxed) == 3, "a call was lost or made twice");
        }
    });
}

TEST(CrossCallSim, TheBodyHasRunWhenTheCallReturns) {
    EXPLORE("cross calls: order", {.cpus = 2}, [](Simulation& sim) {
        for (int round = 0; round < 2; ++round) {
            u32 value = 0;  // plain: the call itself orders
            sched::call_on_cpus(CpuSet::only({1}), [](void* argument) { *static_cast<u32*>(argument) = 1; }, &value);
            sim.check(value == 1, "the call returned too early");
        }
    });
}

struct CountingTimer : time::Timer {
    CountingTimer()
        : Timer([](time::Timer& timer) { static_cast<CountingTimer&>(timer).fired.fetch_add(1, Order::relaxed); }) {}
    Atomic<u32> fired{0};
};

TEST(TimerSim, ArmedAndCancelledFromDifferentCpus) {
    EXPLORE("timers: cancel", {.cpus = 2}, [](Simulation& sim) {
        CountingTimer timer;
        Atomic<u32> cancelled{0};
        sim.spawn_on(0, "arms", [&] { timer.arm(time::now() + Nanoseconds{sim.random(20'000)}); });
        sim.spawn_on(1, "cancels", [&] {
            if (timer.cancel()) {
                cancelled.fetch_add(1, Order::relaxed);
            }
        });
        sim.join();
        sched::sleep_for(Nanoseconds::from_milliseconds(1));
        sim.check(timer.fired.load(Order::relaxed) + cancelled.load(Order::relaxed) == 1,
                  "a timer fires or is cancelled, and never both");
        timer.cancel_and_wait();
    });
}

TEST(TimerSim, MayBeFreedAfterCancelAndWait) {
    EXPLORE("timers: free", {.cpus = 2}, [](Simulation& sim) {
        auto made = try_new<CountingTimer>();
        sim.check(made.ok(), "out of memory");
        CountingTimer* timer = made.value().release();
        Atomic<bool> armed{false};
        sim.spawn_on(0, "arms", [&] {
            timer->arm(time::now() + Nanoseconds{sim.random(2'000)});
            armed.store(true, Order::release);
        });
        sim.spawn_on(1, "frees", [&] {
            while (!armed.load(Order::acquire)) {
                arch::cpu_relax();
            }
            timer->cancel_and_wait();
            Own<CountingTimer>::adopt(timer).reset();
        });
        sim.join();
        sched::sleep_for(Nanoseconds::from_milliseconds(1));
    });
}

TEST(TimerSim, RearmingFromAnotherCpuFiresOnce) {
    EXPLORE("timers: move", {.cpus = 2}, [](Simulation& sim) {
        CountingTimer timer;
        Nanoseconds late = time::now() + Nanoseconds::from_milliseconds(5);
        for (u32 cpu = 0; cpu < 2; ++cpu) {
            sim.spawn_on(cpu, "arms", [&] { timer.arm(late); });
        }
        sim.join();
        sched::sleep_until(late + Nanoseconds::from_milliseconds(1));
        sim.check(timer.fired.load(Order::relaxed) == 1, "fired twice or never");
        timer.cancel_and_wait();
    });
}

TEST(TimerSim, SleepersWakeInTimeAndNotBefore) {
    EXPLORE("timers: sleep", {.cpus = 2}, [](Simulation& sim) {
        for (int i = 0; i < 3; ++i) {
            sim.spawn("sleeper", [&] {
                Nanoseconds deadline = time::now() + Nanoseconds{sim.random(100'000)};
                sched::sleep_until(deadline);
                sim.check(time::now() >= deadline, "woke early");
            });
        }
        sim.join();
    });
}

struct Node {
    explicit Node(u32 number) : value(number) {}
    static constexpr u32 kGone = 0xdead;
    u32 value;
    sync::ReadSideHead head;
};

void free_node(sync::ReadSideHead& head) {
    Node* node = object_of_member<Node, sync::ReadSideHead, &Node::head>(&head);
    node->value = Node::kGone;
    Own<Node>::adopt(node).reset();
}

TEST(ReadSideSim, NothingIsFreedUnderAReader) {
    EXPLORE("read side", {.cpus = 3}, [](Simulation& sim) {
        auto make = [&](u32 value) {
            auto made = try_new<Node>(value);
            sim.check(made.ok(), "out of memory");
            return made.value().release();
        };
        Atomic<Node*> current{make(0)};
        for (int i = 0; i < 2; ++i) {
            sim.spawn("reader", [&] {
                for (int round = 0; round < 3; ++round) {
                    sync::ReadGuard guard;
                    Node* node = current.load(Order::acquire);
                    u32 seen = node->value;
                    arch::interleave();
                    arch::interleave();
                    sim.check(seen != Node::kGone && node->value == seen, "freed under a reader");
                }
            });
        }
        sim.spawn("writer", [&] {
            for (u32 i = 1; i <= 2; ++i) {
                Node* old = current.exchange(make(i), Order::acq_rel);
                sync::call_after_grace_period(old->head, &free_node);
            }
        });
        sim.join();
        Node* last = current.exchange(nullptr, Order::acq_rel);
        sync::wait_for_readers();
        Own<Node>::adopt(last).reset();
    });
}

TEST(ReadSideSim, WaitForReadersWaitsForThoseBefore) {
    EXPLORE("read side: wait", {.cpus = 2}, [](Simulation& sim) {
        Atomic<u32> phase{0};
        sim.spawn("reader", [&] {
            sync::ReadGuard guard;
            u32 seen = phase.load(Order::seq_cst);
            arch::interleave();
            arch::interleave();
            sim.check(seen != 0 || phase.load(Order::seq_cst) != 2, "the writer did not wait");
        });
        sim.spawn("writer", [&] {
            phase.store(1, Order::seq_cst);
            sync::wait_for_readers();
            phase.store(2, Order::seq_cst);
        });
        sim.join();
    });
}

TEST(ReadSideSim, TheLastToAnswerWakesTheThreadBeforeItSleeps) {
    // A CPU that goes idle may be the one that ends the grace period, and be chosen to run what that wakes. The other
    // CPU never idles, so nobody comes and takes it over.
    EXPLORE("read side: idle ends the period", {.cpus = 2, .step_limit = 1'000'000}, [](Simulation& sim) {
        struct Waiting {
            sync::ReadSideHead head;
            Atomic<bool> done{false};
        } waiting;
        auto notice = [](sync::ReadSideHead& head) {
            object_of_member<Waiting, sync::ReadSideHead, &Waiting::head>(&head)->done.store(true, Order::release);
        };
        sim.spawn_on(1, "falls asleep", [] { arch::interleave(); });
        sim.spawn_on(0, "stays awake", [&] {
            sync::call_after_grace_period(waiting.head, notice);
            sync::hurry_grace_period();
            while (!waiting.done.load(Order::acquire)) {
            }
        });
        sim.join();
    });
}

TEST(ReadSideSim, ABusyCpuCallsItsOwn) {
    // The threads play programs that return to user mode all the time. Whatever they do not get round to is called by
    // the read side's thread; nothing is called twice or forgotten, and each CPU's come in their order.
    EXPLORE("read side: busy CPUs", {.cpus = 3}, [](Simulation& sim) {
        struct Item {
            sync::ReadSideHead head;
            Atomic<u32>* called;
            u32 number;
        };
        constexpr u32 kItems = 70;
        auto note = [](sync::ReadSideHead& head) {
            const Item& item = *object_of_member<Item, sync::ReadSideHead, &Item::head>(&head);
            const u32 before = item.called->load(Order::relaxed);
            item.called->store(before == item.number ? before + 1 : ~u32{0}, Order::release);
        };
        std::vector<Item> items[2] = {std::vector<Item>(kItems), std::vector<Item>(kItems)};
        Atomic<u32> called[2];
        for (u32 cpu = 0; cpu < 2; ++cpu) {
            sim.spawn_on(cpu, "busy", [&, cpu] {
                for (u32 i = 0; i < kItems; ++i) {
                    items[cpu][i].called = &called[cpu];
                    items[cpu][i].number = i;
                    sync::call_after_grace_period(items[cpu][i].head, note);
                }
                if (sim.one_in(2)) {
                    return;  // idle from now on
                }
                while (called[cpu].load(Order::acquire) < kItems) {
                    InterruptGuard guard;
                    PerCpu& here = arch::this_cpu();
                    if (here.housekeeping_wanted && sim.one_in(2)) {
                        here.housekeeping_wanted = false;
                        arch::enable_interrupts();
                        sync::ReadSide::call_due(here);
                        arch::forbid_interrupts();
                    }
                }
            });
        }
        sim.join();
        while (called[0].load(Order::acquire) != kItems || called[1].load(Order::acquire) != kItems) {
            sim.check(called[0].load(Order::relaxed) <= kItems && called[1].load(Order::relaxed) <= kItems,
                      "out of order, or twice");
            sched::sleep_for(Nanoseconds::from_milliseconds(1));
        }
    });
}

TEST(ThreadSim, ThreadsComeAndGo) {
    EXPLORE("threads: create and exit", {.cpus = 2}, [](Simulation& sim) {
        Atomic<u32> ran{0};
        for (int i = 0; i < 4; ++i) {
            sim.spawn("short", [&] { ran.fetch_add(1, Order::relaxed); });
        }
        sim.join();
        sim.check(ran.load(Order::relaxed) == 4, "a thread did not run");
    });
}

TEST(ThreadSim, WhoMakesThreadsFreesThoseThatEnded) {  // else all of memory may wait for the reaper
    EXPLORE("a reaper that is too slow", {.cpus = 1, .memory = 32 * kMiB}, [](Simulation& sim) {
        // More urgent than the reaper, which gets its turn when all is over.
        const sched::ThreadOptions urgent{.policy = sched::Policy::Fifo, .realtime_priority = 3};
        sim.spawn(
            "maker",
            [&sim] {
                const sched::ThreadOptions more_urgent{.policy = sched::Policy::Fifo, .realtime_priority = 4};
                for (u32 i = 0; i < 300; ++i) {
                    auto thread = must(sched::Thread::create("short", [](void*) {}, nullptr, more_urgent), "a thread");
                    thread->start();
                    sim.check(g_kernel.scheduler->dead_count.load(Order::relaxed) <= 130, "very many wait to be freed");
                }
            },
            urgent);
        sim.join();
    });
}

TEST(ThreadSim, CreationFailsCleanly) {
    EXPLORE("threads: creation with failures", {.cpus = 2, .allocation_failures = 4}, [](Simulation& sim) {
        for (int i = 0; i < 4; ++i) {
            auto thread = sched::Thread::create("maybe", [](void*) {}, nullptr);
            if (thread.ok()) {
                Ref<sched::Thread> reference = std::move(thread).value();
                reference->start();
                reference->join();
            } else {
                sim.check(thread.error() == Errno::enomem, "another error");
            }
        }
    });
}

u32 this_cpu_index() {
    PreemptionGuard guard;
    return arch::this_cpu().index.value;
}

TEST(ThreadSim, AffinityHolds) {
    EXPLORE("threads: migrate", {.cpus = 3}, [](Simulation& sim) {
        for (int i = 0; i < 2; ++i) {
            sim.spawn("wanderer", [&] {
                for (u32 round = 0; round < 3; ++round) {
                    u32 cpu = static_cast<u32>(sim.random(3));
                    sim.check(sched::current_thread().set_affinity(CpuSet::only({cpu})).ok(), "set_affinity");
                    sim.check(this_cpu_index() == cpu, "on the wrong CPU");
                    sched::yield();
                    sim.check(this_cpu_index() == cpu, "left its CPU");
                }
            });
        }
        sim.join();
    });
}

TEST(ThreadSim, OthersMayMoveARunningThread) {
    EXPLORE("threads: moved by others", {.cpus = 2}, [](Simulation& sim) {
        Atomic<bool> stop{false};
        auto& moved = sim.spawn("moved", [&] {
            while (!stop.load(Order::relaxed)) {
                arch::cpu_relax();
            }
        });
        for (u32 round = 0; round < 4; ++round) {
            u32 cpu = round % 2;
            sim.check(moved.set_affinity(CpuSet::only({cpu})).ok(), "set_affinity");
            sim.check(!moved.on_cpu() || moved.cpu().value == cpu, "still on the wrong CPU");
        }
        stop.store(true, Order::relaxed);
        sim.join();
    });
}

TEST(PerCpuCounterSim, LosesNothing) {
    EXPLORE("per-CPU counter", {.cpus = 3}, [](Simulation& sim) {
        auto made = sync::PerCpuCounter::create();
        sim.check(made.ok(), "out of memory");
        sync::PerCpuCounter counter = std::move(made).value();
        for (int i = 0; i < 3; ++i) {
            sim.spawn("adder", [&] {
                counter.add(sync::PerCpuCounter::kBatch - 1);
                counter.add(2);
                counter.add(-1);
            });
        }
        sim.join();
        sim.check(counter.sum() == 3 * sync::PerCpuCounter::kBatch, "wrong sum");
    });
}

}  // namespace
}  // namespace cairn
