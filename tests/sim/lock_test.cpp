/// Sleeping locks, semaphores and completions; and the rank check.

#include <gtest/gtest.h>

#include "kernel/base/own.h"
#include "kernel/sync/completion.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/rw_lock.h"
#include "kernel/sync/semaphore.h"
#include "kernel/time/clock.h"
#include "tests/support/simulation.h"

namespace cairn {
namespace {

using sim::Simulation;
using sync::SleepKind;
using sync::WakeReason;
using TestMutex = sync::Mutex<LockRank::TestOuter>;
using TestRwLock = sync::RwLock<LockRank::TestOuter>;

/// Changes a plain number in two steps between which anybody else may run.
void add_slowly(u32& number) {
    u32 seen = number;
    arch::interleave();
    arch::interleave();
    number = seen + 1;
}

TEST(MutexSim, Excludes) {
    EXPLORE("mutex: exclusion", {.cpus = 3}, [](Simulation& sim) {
        TestMutex mutex;
        u32 count = 0;
        for (int i = 0; i < 3; ++i) {
            sim.spawn("worker", [&] {
                for (int round = 0; round < 2; ++round) {
                    sync::MutexGuard guard(mutex);
                    add_slowly(count);
                }
            });
        }
        sim.join();
        sim.check(count == 6, "two threads held the mutex");
    });
}

TEST(MutexSim, ExcludesAcrossSleepsAndPreemption) {
    EXPLORE("mutex: sleeping owner", {.cpus = 2}, [](Simulation& sim) {
        TestMutex mutex;
        u32 count = 0;
        for (int i = 0; i < 3; ++i) {
            sim.spawn("worker", [&] {
                sync::MutexGuard guard(mutex);
                u32 seen = count;
                sim.one_in(2) ? sched::yield() : sched::sleep_for(Nanoseconds{1 + sim.random(10'000)});
                count = seen + 1;
            });
        }
        sim.join();
        sim.check(count == 3, "two threads held the mutex");
    });
}

TEST(MutexSim, AContenderIsNotStarved) {
    EXPLORE("mutex: fairness", {.cpus = 2}, [](Simulation& sim) {
        TestMutex mutex;
        Atomic<bool> served{false};
        sim.spawn("hog", [&] {
            while (!served.load(Order::relaxed)) {
                sync::MutexGuard guard(mutex);
                arch::interleave();
            }
        });
        sim.spawn("contender", [&] {
            sync::MutexGuard guard(mutex);
            served.store(true, Order::relaxed);
        });
        sim.join();  // a livelock if the hog always wins
    });
}

TEST(MutexSim, AKilledContenderGivesUpCleanly) {
    EXPLORE("mutex: kill", {.cpus = 3}, [](Simulation& sim) {
        TestMutex mutex;
        u32 count = 0;
        Atomic<u32> gave_up{0};
        auto& victim = sim.spawn("victim", [&] {
            if (!mutex.lock_killable()) {
                gave_up.store(1, Order::relaxed);
                return;
            }
            add_slowly(count);
            mutex.unlock();
        });
        for (int i = 0; i < 2; ++i) {
            sim.spawn("worker", [&] {
                sync::MutexGuard guard(mutex);
                add_slowly(count);
            });
        }
        sched::kill(victim);
        sim.join();
        sim.check(count + gave_up.load(Order::relaxed) == 3, "exclusion or count is broken");
        if (!mutex.try_lock()) {
            arch::host::fail_run("the mutex is still held");
        }
        mutex.unlock();
    });
}

TEST(RwLockSim, WritersExcludeEverybody) {
    EXPLORE("rw lock: exclusion", {.cpus = 3}, [](Simulation& sim) {
        TestRwLock lock;
        u32 left = 0;
        u32 right = 0;
        for (int i = 0; i < 2; ++i) {
            sim.spawn("writer", [&] {
                lock.lock_exclusive();
                add_slowly(left);
                add_slowly(right);
                lock.unlock_exclusive();
            });
            sim.spawn("reader", [&] {
                lock.lock_shared();
                u32 seen = left;
                arch::interleave();
                sim.check(seen == right, "a reader saw a half-done change");
                lock.unlock_shared();
            });
        }
        sim.join();
        sim.check(left == 2 && right == 2, "two writers at once");
    });
}

TEST(RwLockSim, ReadersDoNotStarveAWriter) {
    EXPLORE("rw lock: writer progress", {.cpus = 3}, [](Simulation& sim) {
        TestRwLock lock;
        Atomic<bool> written{false};
        for (int i = 0; i < 2; ++i) {
            sim.spawn("reader", [&] {
                while (!written.load(Order::relaxed)) {
                    lock.lock_shared();
                    arch::interleave();
                    lock.unlock_shared();
                }
            });
        }
        sim.spawn("writer", [&] {
            lock.lock_exclusive();
            written.store(true, Order::relaxed);
            lock.unlock_exclusive();
        });
        sim.join();
    });
}

TEST(RwLockSim, NoReaderPassesAWaitingWriter) {
    EXPLORE("rw lock: order", {.cpus = 3}, [](Simulation& sim) {
        TestRwLock lock;
        Atomic<bool> written{false};
        lock.lock_shared();
        auto& writer = sim.spawn("writer", [&] {
            lock.lock_exclusive();
            written.store(true, Order::relaxed);
            lock.unlock_exclusive();
        });
        while (writer.state() != sched::ThreadState::Uninterruptible) {
            sched::yield();
        }
        for (int i = 0; i < 2; ++i) {
            sim.spawn("reader", [&] {
                lock.lock_shared();
                sim.check(written.load(Order::relaxed), "a reader came before a writer that waited already");
                lock.unlock_shared();
            });
        }
        lock.unlock_shared();
        sim.join();
    });
}

TEST(RwLockSim, AKilledWriterLetsTheReadersBehindItThrough) {
    EXPLORE("rw lock: kill", {.cpus = 3}, [](Simulation& sim) {
        TestRwLock lock;
        lock.lock_shared();
        auto& writer = sim.spawn("writer", [&] {
            if (lock.lock_exclusive_killable()) {
                lock.unlock_exclusive();
            }
        });
        auto& reader = sim.spawn("reader", [&] {
            lock.lock_shared();
            lock.unlock_shared();
        });
        sched::kill(writer);
        writer.join();
        reader.join();  // although the first reader still holds the lock
        lock.unlock_shared();
    });
}

TEST(SemaphoreSim, AdmitsAsManyAsThereArePermits) {
    EXPLORE("semaphore: permits", {.cpus = 3}, [](Simulation& sim) {
        sync::Semaphore semaphore(2);
        Atomic<u32> inside{0};
        for (int i = 0; i < 4; ++i) {
            sim.spawn("worker", [&] {
                semaphore.acquire();
                sim.check(inside.fetch_add(1, Order::relaxed) < 2, "three inside");
                arch::interleave();
                inside.fetch_sub(1, Order::relaxed);
                semaphore.release();
            });
        }
        sim.join();
    });
}

TEST(SemaphoreSim, ATimeoutLosesNoPermit) {
    EXPLORE("semaphore: deadline", {.cpus = 2}, [](Simulation& sim) {
        sync::Semaphore semaphore(0);
        Nanoseconds deadline = time::now() + Nanoseconds{1 + sim.random(50'000)};
        sim.spawn("impatient", [&] {
            if (semaphore.acquire(SleepKind::Uninterruptible, deadline) == WakeReason::Condition) {
                semaphore.release();
            }
        });
        sim.spawn("patient", [&] { semaphore.acquire(); });
        semaphore.release();
        sim.join();
        sim.check(!semaphore.try_acquire(), "a permit came from nowhere");
    });
}

TEST(CompletionSim, MayDieWithItsWaiter) {
    EXPLORE("completion: life", {.cpus = 2}, [](Simulation& sim) {
        auto made = try_new<sync::Completion>();
        sim.check(made.ok(), "out of memory");
        sync::Completion* completion = made.value().release();
        sim.spawn("waiter", [=] {
            completion->wait();
            Own<sync::Completion>::adopt(completion).reset();  // freed memory is poisoned
        });
        sim.spawn("completer", [=] { completion->complete(); });
        sim.join();
    });
}

TEST(CompletionSim, EachCompleteLetsOneWaiterPass) {
    EXPLORE("completion: count", {.cpus = 3}, [](Simulation& sim) {
        sync::Completion completion;
        for (int i = 0; i < 2; ++i) {
            sim.spawn("waiter", [&] { completion.wait(); });
            sim.spawn("completer", [&] { completion.complete(); });
        }
        sim.join();
        sim.check(!completion.done(), "a completion is left over");
    });
}

// --- The checks of the locks themselves -----------------------------------------------------------

/// A scenario that must fail with the given text under every seed.
void expect_failure(const char* name, const char* text, void (*scenario)(Simulation&)) {
    sim::Exploration found = sim::explore_kernel(name, {.cpus = 2}, scenario, 20);
    ASSERT_TRUE(found.failure);
    EXPECT_EQ(found.schedules, 1u);
    EXPECT_NE(found.failure->text.find(text), std::string::npos) << found.failure->report;
}

TEST(LockCheckSim, AnOrderViolationIsFoundWithoutADeadlock) {
    expect_failure("lock order: spinlocks", "lock order", [](Simulation&) {
        SpinLock<LockRank::TestSpinOuter> outer;
        SpinLock<LockRank::TestSpinInner> inner;
        SpinLockGuard first(inner);
        SpinLockGuard second(outer);
    });
    expect_failure("lock order: mutexes", "lock order", [](Simulation&) {
        TestMutex outer;
        sync::Mutex<LockRank::TestInner> inner;
        sync::MutexGuard first(inner);
        sync::MutexGuard second(outer);
    });
}

TEST(LockCheckSim, SleepingInAtomicContextIsFound) {
    expect_failure("sleep under a spinlock", "", [](Simulation&) {
        SpinLock<LockRank::TestSpinOuter> lock;
        SpinLockGuard guard(lock);
        sched::sleep_for(Nanoseconds::from_milliseconds(1));
    });
}

TEST(LockCheckSim, AMutexHeldAtTheEndIsFound) {
    expect_failure("mutex held at the end", "held", [](Simulation&) NO_THREAD_SAFETY_ANALYSIS {
        TestMutex mutex;
        mutex.lock();
    });
}

}  // namespace
}  // namespace cairn
