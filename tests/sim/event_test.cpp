/// eventfd, timerfd and signalfd.

#include <gtest/gtest.h>

#include <cstring>

#include "fs/event/event_counter.h"
#include "fs/event/signal_file.h"
#include "fs/event/timer_file.h"
#include "kernel/base/kernel.h"
#include "kernel/time/clock.h"
#include "tests/support/file_world.h"

namespace cairn {
namespace {

using event::EventCounter;
using event::TimerClock;
using event::TimerFile;
using sim::FileWorld;
using sim::kNonBlock;
using sim::Simulation;
using sim::wait_for;

constexpr u64 kFew = 5;
#define RUN_ALONE(name, ...)                                                                      \
    do {                                                                                          \
        sim::Exploration exploration = sim::explore_kernel(name, {.cpus = 1}, __VA_ARGS__, kFew); \
        ASSERT_FALSE(exploration.failure) << exploration.failure->report;                         \
    } while (false)

constexpr Nanoseconds kMillisecond = Nanoseconds::from_milliseconds(1);

Result<usize> add(FileWorld& world, vfs::File& file, u64 value) {
    return world.write(file, {reinterpret_cast<const char*>(&value), sizeof value});
}

/// What a read gives; 0 when it would wait.
u64 take(FileWorld& world, vfs::File& file) {
    u64 value = 0;
    return world.read(file, &value, sizeof value).ok() ? value : 0;
}

TEST(EventCounter, CountsAndLimits) {
    RUN_ALONE("eventfd: counter", [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> file = must(event::create_event_counter(3, kNonBlock, EventCounter::Mode::Counter), "eventfd");
        sim.check(add(world, *file, 4).ok() && take(world, *file) == 7 && take(world, *file) == 0, "sum");
        sim.check(add(world, *file, ~u64{0}).error() == Errno::einval, "too large");
        sim.check(add(world, *file, ~u64{0} - 1).ok(), "the largest");
        sim.check(add(world, *file, 1).error() == Errno::eagain, "full");
        sim.check(file->poll(nullptr) == vfs::kPollIn, "readable only");
        u32 half = 0;
        sim.check(world.read(*file, &half, sizeof half).error() == Errno::einval, "short buffer");
    });
}

TEST(EventCounterSim, ASemaphoreLetsAsManyThrough) {
    EXPLORE("eventfd: semaphore", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> file = must(event::create_event_counter(0, 0, EventCounter::Mode::Semaphore), "eventfd");
        for (u32 i = 0; i < 3; ++i) {
            sim.spawn("taker", [&] { sim.check(take(world, *file) == 1, "one"); });
        }
        sim.spawn("giver", [&] {
            sim.check(add(world, *file, 2).ok(), "two at once");
            sim.check(add(world, *file, 1).ok(), "and one");
        });
        sim.join();
        sim.check((file->poll(nullptr) & vfs::kPollIn) == 0, "none is left");
    });
}

/// The count is read without a lock: each of the two waits for what only the other one's change makes true.
TEST(EventCounterSim, PollersMissNoChange) {
    EXPLORE("eventfd: poll", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> file = must(event::create_event_counter(0, kNonBlock, EventCounter::Mode::Counter), "eventfd");
        constexpr u64 kFull = ~u64{0} - 1;
        sim.spawn("reader", [&] {
            wait_for(*file, vfs::kPollIn);
            sim.check(take(world, *file) == kFull, "all of it");
            wait_for(*file, vfs::kPollIn);
            sim.check(take(world, *file) == 1, "what came when there was room");
        });
        sim.spawn("writer", [&] {
            sim.check(add(world, *file, kFull).ok(), "filled");
            wait_for(*file, vfs::kPollOut);
            sim.check(add(world, *file, 1).ok(), "room");
        });
        sim.join();
    });
}

TEST(EventCounterSim, AWriterWaitsForRoom) {
    EXPLORE("eventfd: full", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> file = must(event::create_event_counter(0, 0, EventCounter::Mode::Counter), "eventfd");
        sim.check(add(world, *file, ~u64{0} - 1).ok(), "fill");
        sim.spawn("writer", [&] { sim.check(add(world, *file, 5).ok(), "in the end"); });
        sim.spawn("reader", [&] { sim.check(take(world, *file) == ~u64{0} - 1, "all"); });
        sim.join();
        sim.check(take(world, *file) == 5, "the rest");
    });
}

/// A semaphore gives room bit by bit: whoever comes first may have to wait on where the next one need not.
TEST(EventCounterSim, RoomForTheSmallerOfTwoWritersIsItsRoom) {
    EXPLORE("eventfd: two writers", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> file = must(event::create_event_counter(0, 0, EventCounter::Mode::Semaphore), "eventfd");
        sim.check(add(world, *file, ~u64{0} - 1).ok(), "fill");
        Atomic<bool> written{false};
        sim.spawn("large", [&] { sim.check(add(world, *file, 2).ok(), "in the end"); });
        sim.spawn("small", [&] {
            sim.check(add(world, *file, 1).ok(), "at once");
            written.store(true, Order::release);
        });
        sim.spawn("reader", [&] {
            sim.check(take(world, *file) == 1, "room for one");
            while (!written.load(Order::acquire)) {
                sched::yield();
            }
            sim.check(take(world, *file) == 1 && take(world, *file) == 1, "room for two");
        });
        sim.join();
    });
}

TEST(TimerFile, CountsPeriodsThatNobodyReads) {
    RUN_ALONE("timerfd: periods", [](Simulation& sim) {
        FileWorld world;
        must(time::Clock::initialize(), "clock");
        Ref<vfs::File> file = must(event::create_timer(TimerClock::Monotonic, kNonBlock), "timerfd");
        TimerFile& timer = *event::find_timer(*file);
        const Nanoseconds start = time::now();
        must(timer.set({kMillisecond, start + kMillisecond}, TimerFile::kAbsolute), "set");
        sim.check(take(world, *file) == 0, "not yet");
        sched::sleep_for(Nanoseconds{kMillisecond.value * 5 / 2});
        const u64 due = (time::now() - start).value / kMillisecond.value;
        const u64 ticks = take(world, *file);
        sim.check(ticks >= 2 && ticks >= due && ticks <= due + 1, "two or more have passed");
        const event::TimerSetting left = timer.get();
        sim.check(left.interval == kMillisecond && left.first <= kMillisecond && left.first.value != 0, "the next");
        sim.check(timer.set({}, 0).value().interval == kMillisecond, "disarm");
        sched::sleep_for(kMillisecond);
        sim.check(take(world, *file) == 0, "disarmed");
        file = must(event::create_event_counter(0, 0, EventCounter::Mode::Counter), "another");
        Own<time::Clock>::adopt(std::exchange(g_kernel.clock, nullptr)).reset();
    });
}

TEST(TimerFile, FollowsTheWallClock) {
    RUN_ALONE("timerfd: wall clock", [](Simulation& sim) {
        FileWorld world;
        must(time::Clock::initialize(), "clock");
        const Nanoseconds hour = Nanoseconds::from_seconds(3600);
        {
            Ref<vfs::File> moved = must(event::create_timer(TimerClock::Realtime, kNonBlock), "timerfd");
            Ref<vfs::File> cancelled = must(event::create_timer(TimerClock::Realtime, kNonBlock), "timerfd");
            Ref<vfs::File> relative = must(event::create_timer(TimerClock::Realtime, kNonBlock), "timerfd");
            must(event::find_timer(*moved)->set({{}, time::wall_now() + hour}, TimerFile::kAbsolute), "set");
            must(event::find_timer(*cancelled)
                     ->set({{}, time::wall_now() + hour + hour + hour}, TimerFile::kAbsolute | TimerFile::kCancelOnSet),
                 "set");
            must(event::find_timer(*relative)->set({{}, hour}, 0), "set");
            must(g_kernel.clock->set_wall(time::wall_now() + hour + hour), "set the clock");
            event::realtime_clock_was_set();
            sched::sleep_for(kMillisecond);
            sim.check(take(world, *moved) == 1, "its time has come");
            u64 value = 0;
            sim.check(world.read(*cancelled, &value, sizeof value).error() == Errno::ecanceled, "ECANCELED");
            sim.check(take(world, *cancelled) == 0, "once");
            // Who does not read is told when it sets the timer, which is in force then.
            const event::TimerSetting again{{}, time::wall_now() + hour + hour};
            const u32 flags = TimerFile::kAbsolute | TimerFile::kCancelOnSet;
            event::realtime_clock_was_set();
            sim.check(event::find_timer(*cancelled)->set(again, flags).error() == Errno::ecanceled, "set anew");
            sim.check(event::find_timer(*cancelled)->set(again, flags).value().first > hour, "once, and in force");
            event::realtime_clock_was_set();
            sim.check(event::find_timer(*cancelled)->set(again, TimerFile::kAbsolute).ok(), "another kind");
            sim.check(take(world, *relative) == 0, "not moved");
            sched::sleep_for(hour);
            sim.check(take(world, *relative) == 1, "after its hour");
        }
        sync::wait_for_readers();
        Own<time::Clock>::adopt(std::exchange(g_kernel.clock, nullptr)).reset();
    });
}

TEST(TimerFileSim, AReaderIsWoken) {
    EXPLORE("timerfd: wait", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> file = must(event::create_timer(TimerClock::Monotonic, 0), "timerfd");
        sim.spawn("reader", [&] { sim.check(take(world, *file) == 1, "expired"); });
        sim.spawn("setter", [&] { must(event::find_timer(*file)->set({{}, kMillisecond}, 0), "set"); });
        sim.join();
    });
}

/// One process's signals, as kernel/signal would show them.
class FakeSignals final : public event::SignalSource {
public:
    bool take(u64 mask, event::SignalRecord& record) override {
        for (u32 signal = 1; signal <= 64; ++signal) {
            const u64 bit = u64{1} << (signal - 1);
            if ((pending_.load(Order::relaxed) & mask & bit) != 0) {
                pending_.fetch_and(~bit, Order::relaxed);
                record.signal = signal;
                return true;
            }
        }
        return false;
    }
    u64 pending() override { return pending_.load(Order::relaxed); }
    Ref<event::SignalQueue> queue() override { return *queue_; }
    void send(u32 signal) {
        pending_.fetch_or(u64{1} << (signal - 1), Order::relaxed);
        (*queue_)->waiters.wake_all();
    }
    void start() { queue_.emplace(must(try_new_ref<event::SignalQueue>(), "queue")); }
    void stop() { queue_.reset(); }

private:
    Atomic<u64> pending_{0};
    std::optional<Ref<event::SignalQueue>> queue_;
};

FakeSignals g_signals;

TEST(SignalFileSim, AReaderGetsTheSignalsOfItsMask) {
    EXPLORE("signalfd: read", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        g_signals.start();
        g_kernel.event_files->current_signals = []() -> event::SignalSource& { return g_signals; };
        {
            Ref<vfs::File> file =
                must(event::create_signal_file(u64{1} << (10 - 1) | u64{1} << (12 - 1), 0), "signalfd");
            sim.spawn("reader", [&] {
                event::SignalRecord records[3];
                usize got = 0;
                while (got < 2 * sizeof records[0]) {
                    Result<usize> size =
                        world.read(*file, reinterpret_cast<std::byte*>(records) + got, sizeof records - got);
                    sim.check(size.ok(), "read");
                    got += size.value();
                }
                sim.check(records[0].signal + records[1].signal == 22, "both");
            });
            sim.spawn("sender", [&] {
                g_signals.send(11);
                g_signals.send(12);
                g_signals.send(10);
            });
            sim.join();
            sim.check(g_signals.pending() == u64{1} << (11 - 1), "the third stays");
            event::SignalRecord record;
            static_cast<void>(g_signals.take(~u64{0}, record));
        }
        sync::wait_for_readers();
        g_signals.stop();
    });
}

}  // namespace
}  // namespace cairn
