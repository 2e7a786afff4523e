/// epoll: what is told when, and that no event is lost between files, waits, changes and closing.

#include <gtest/gtest.h>

#include "fs/epoll/epoll_file.h"
#include "fs/event/event_counter.h"
#include "kernel/time/clock.h"
#include "tests/support/file_world.h"

namespace cairn {
namespace {

using epoll::Epoll;
using epoll::EpollEvent;
using pipe::PipeEnds;
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

/// Up to eight events of one wait.
class Events final : public epoll::EventSink {
public:
    Result<void> put(const EpollEvent& event) override {
        events[count++] = event;
        return {};
    }
    EpollEvent events[8] = {};
    u32 count = 0;
};

Events wait_on(vfs::File& file, Nanoseconds deadline = {}, u32 limit = 8) {
    Events events;
    Result<u32> count = epoll::find_epoll(file)->wait(events, limit, deadline);
    if (count.ok() && count.value() != events.count) {
        events.count = ~u32{0};
    }
    return events;
}

Result<void> add(vfs::File& instance, vfs::File& file, u32 events, u64 data = 0) {
    return epoll::find_epoll(instance)->add(file, static_cast<i32>(data), events, data);
}

Ref<vfs::File> create() {
    return must(epoll::create_epoll(), "epoll");
}

TEST(Epoll, LevelsAreToldAgainAndEdgesOnce) {
    RUN_ALONE("epoll: level and edge", [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds level = world.pipe(kNonBlock);
        PipeEnds edge = world.pipe(kNonBlock);
        sim.check(add(*instance, *level.reader, vfs::kPollIn, 1).ok(), "add");
        sim.check(add(*instance, *edge.reader, vfs::kPollIn | epoll::kEdgeTriggered, 2).ok(), "add edge");
        sim.check(add(*instance, *edge.reader, vfs::kPollIn, 2).error() == Errno::eexist, "twice");
        sim.check(wait_on(*instance).count == 0, "nothing yet");
        static_cast<void>(world.write(*level.writer, "l"));
        static_cast<void>(world.write(*edge.writer, "e"));
        sim.check(wait_on(*instance).count == 2, "both");
        Events again = wait_on(*instance);
        sim.check(again.count == 1 && again.events[0].data() == 1 && again.events[0].events == vfs::kPollIn, "level");
        static_cast<void>(world.write(*edge.writer, "e"));
        sim.check(wait_on(*instance).count == 2, "a new edge");
        static_cast<void>(world.read_text(*level.reader, 1));
        sim.check(wait_on(*instance).count == 0, "drained");
    });
}

TEST(Epoll, AnEventThatCannotBeStoredComesAgain) {
    struct Unwritable final : epoll::EventSink {
        Result<void> put(const epoll::EpollEvent&) override { return fail(Errno::efault); }
    };
    RUN_ALONE("epoll: bad address", [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds first = world.pipe(kNonBlock);
        PipeEnds second = world.pipe(kNonBlock);
        sim.check(add(*instance, *first.reader, vfs::kPollIn, 1).ok(), "add");
        sim.check(add(*instance, *second.reader, vfs::kPollIn, 2).ok(), "add another");
        Unwritable nowhere;
        for (u32 ready = 1; ready <= 2; ++ready) {
            static_cast<void>(world.write(ready == 1 ? *first.writer : *second.writer, "x"));
            sim.check(epoll::find_epoll(*instance)->wait(nowhere, 8, {}).error() == Errno::efault, "bad address");
            sim.check(wait_on(*instance).count == ready, "all are still there");
        }
    });
}

TEST(Epoll, OneShotsWaitToBeSetAgain) {
    RUN_ALONE("epoll: one-shot", [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds ends = world.pipe(kNonBlock);
        sim.check(add(*instance, *ends.reader, vfs::kPollIn | epoll::kOneShot, 7).ok(), "add");
        static_cast<void>(world.write(*ends.writer, "x"));
        sim.check(wait_on(*instance).count == 1, "once");
        static_cast<void>(world.write(*ends.writer, "x"));
        sim.check(wait_on(*instance).count == 0, "disarmed");
        Epoll& epoll = *epoll::find_epoll(*instance);
        sim.check(epoll.modify(*ends.reader, 7, vfs::kPollIn | epoll::kOneShot, 8).ok(), "modify");
        Events events = wait_on(*instance);
        sim.check(events.count == 1 && events.events[0].data() == 8, "armed again");
        sim.check(epoll.remove(*ends.reader, 7).ok(), "remove");
        sim.check(epoll.remove(*ends.reader, 7).error() == Errno::enoent, "twice");
    });
}

TEST(Epoll, AClosedFileIsForgotten) {
    RUN_ALONE("epoll: close", [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        std::optional<PipeEnds> ends(world.pipe(kNonBlock));
        sim.check(add(*instance, *ends->reader, vfs::kPollIn, 1).ok(), "add");
        sim.check(add(*instance, *ends->reader, vfs::kPollIn, 2).ok(), "under another descriptor");
        sim.check(wait_on(*instance).count == 0, "nothing");
        static_cast<void>(world.write(*ends->writer, "x"));
        sim.check(wait_on(*instance).count == 2, "both");
        ends.reset();
        sim.check(wait_on(*instance).count == 0, "gone");
    });
}

TEST(Epoll, InstancesWatchInstancesUpToALimit) {
    RUN_ALONE("epoll: nesting", [](Simulation& sim) {
        FileWorld world;
        std::vector<Ref<vfs::File>> chain;
        for (u32 i = 0; i < 6; ++i) {
            chain.push_back(create());
        }
        for (u32 i = 0; i < 4; ++i) {
            sim.check(add(*chain[i], *chain[i + 1], vfs::kPollIn).ok(), "four edges");
        }
        sim.check(add(*chain[4], *chain[5], vfs::kPollIn).error() == Errno::eloop, "not five");
        sim.check(add(*chain[4], *chain[0], vfs::kPollIn).error() == Errno::eloop, "no cycle");
        PipeEnds ends = world.pipe(kNonBlock);
        sim.check(add(*chain[4], *ends.reader, vfs::kPollIn).ok(), "a pipe at the end");
        sim.check(chain[0]->poll(nullptr) == 0, "quiet");
        static_cast<void>(world.write(*ends.writer, "x"));
        sim.check(wait_on(*chain[0]).count == 1, "seen from the other end");
        static_cast<void>(world.read_text(*ends.reader, 1));
        sim.check(wait_on(*chain[0]).count == 0, "and no longer");
        sim.check(epoll::find_epoll(*chain[1])->remove(*chain[2], 0).ok(), "cut");
        sim.check(add(*chain[4], *chain[5], vfs::kPollIn).ok(), "room at the end");
        // Closed in an order in which watched and watching go first by turns.
        chain.erase(chain.begin() + 1);
        chain.erase(chain.begin() + 3);
    });
}

TEST(EpollSim, NoEdgeIsLost) {
    EXPLORE("epoll: edges", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds ends = world.pipe(kNonBlock);
        constexpr u32 kBytes = 6;
        sim.spawn("writer", [&] {
            for (u32 i = 0; i < kBytes; ++i) {
                static_cast<void>(world.write(*ends.writer, "x"));
            }
        });
        sim.spawn("watcher", [&] {
            sim.check(add(*instance, *ends.reader, vfs::kPollIn | epoll::kEdgeTriggered).ok(), "add");
            u32 received = 0;
            while (received < kBytes) {
                Events events = wait_on(*instance, Nanoseconds::never());
                sim.check(events.count == 1, "an event");
                // As programs must with edges: read until there is nothing.
                for (std::string part; (part = world.read_text(*ends.reader, 4))[0] == 'x';) {
                    received += static_cast<u32>(part.size());
                }
            }
        });
        sim.join();
    });
}

TEST(EpollSim, TwoWaitersShareTheEvents) {
    EXPLORE("epoll: two waiters", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds pipes[2] = {world.pipe(kNonBlock), world.pipe(kNonBlock)};
        for (u64 i = 0; i < 2; ++i) {
            sim.check(add(*instance, *pipes[i].reader, vfs::kPollIn | epoll::kOneShot, i).ok(), "add");
        }
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("waiter", [&] {
                Events events = wait_on(*instance, Nanoseconds::never(), 1);
                sim.check(events.count == 1, "one each");
                sim.check(world.read_text(*pipes[events.events[0].data()].reader, 9) == "x", "its own");
            });
        }
        sim.spawn("writer", [&] {
            for (PipeEnds& ends : pipes) {
                static_cast<void>(world.write(*ends.writer, "x"));
            }
        });
        sim.join();
    });
}

TEST(EpollSim, FilesAndInstancesCloseInAnyOrder) {
    EXPLORE("epoll: closing", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        std::optional<Ref<vfs::File>> instance(create());
        std::optional<Ref<vfs::File>> outer(create());
        std::optional<PipeEnds> ends(world.pipe(kNonBlock));
        sim.check(add(**instance, *ends->reader, vfs::kPollIn, 1).ok(), "add");
        sim.check(add(**outer, **instance, vfs::kPollIn, 2).ok(), "add outer");
        sim.spawn("writer", [&, writer = std::optional<Ref<vfs::File>>(ends->writer)]() mutable {
            static_cast<void>(world.write(**writer, "x"));
            writer.reset();
        });
        sim.spawn("closer", [file = std::exchange(instance, std::nullopt)]() mutable { file.reset(); });
        sim.spawn("outer closer", [file = std::exchange(outer, std::nullopt)]() mutable {
            static_cast<void>(wait_on(**file));
            file.reset();
        });
        ends.reset();
        sim.join();
    });
}

TEST(EpollSim, ChangesDoNotLoseEvents) {
    EXPLORE("epoll: modify", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds ends = world.pipe(kNonBlock);
        Epoll& epoll = *epoll::find_epoll(*instance);
        sim.check(add(*instance, *ends.reader, 0, 0).ok(), "add without interest");
        sim.spawn("changer", [&] {
            sim.check(epoll.modify(*ends.reader, 0, vfs::kPollIn | epoll::kEdgeTriggered, 0).ok(), "modify");
            sim.check(wait_on(*instance, Nanoseconds::never()).count == 1, "the event");
        });
        sim.spawn("writer", [&] { static_cast<void>(world.write(*ends.writer, "x")); });
        sim.join();
    });
}

/// An item that is alone on the list stays there when it is told of. It may be changed, removed and closed meanwhile,
/// and what comes behind it is told to all who wait.
TEST(EpollSim, AnItemThatStaysOnTheListIsStillLookedAt) {
    EXPLORE("epoll: one level", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        Epoll& epoll = *epoll::find_epoll(*instance);
        PipeEnds first = world.pipe(kNonBlock);
        PipeEnds second = world.pipe(kNonBlock);
        std::optional<Ref<vfs::File>> reader(std::move(first.reader));
        sim.check(add(*instance, **reader, vfs::kPollIn, 0).ok(), "add");
        sim.check(add(*instance, *second.reader, vfs::kPollIn, 1).ok(), "add");
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("waiter", [&] {
                for (bool over = false; !over;) {
                    Events events = wait_on(*instance, Nanoseconds::never(), 1);
                    sim.check(events.count == 1, "an event");
                    over = events.events[0].data() == 1;
                }
            });
        }
        sim.spawn("writer", [&] {
            static_cast<void>(world.write(*first.writer, "x"));
            static_cast<void>(world.write(*second.writer, "x"));
        });
        sim.spawn("changer", [&] {
            switch (sim.random(4)) {
                case 0:
                    static_cast<void>(world.read_text(**reader, 1));
                    break;
                case 1:
                    sim.check(epoll.modify(**reader, 0, vfs::kPollIn | epoll::kOneShot, 0).ok(), "modify");
                    break;
                case 2:
                    sim.check(epoll.remove(**reader, 0).ok(), "remove");
                    break;
                default:
                    reader.reset();
            }
        });
        sim.join();
        reader.reset();
        sim.check(world.read_text(*second.reader, 1) == "x", "the byte");
        sim.check(wait_on(*instance).count == 0, "an event of something that is over");
    });
}

TEST(EpollSim, AnInstanceCanBePolled) {
    EXPLORE("epoll: poll of an instance", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<vfs::File> instance = create();
        PipeEnds ends = world.pipe(kNonBlock);
        sim.check(add(*instance, *ends.reader, vfs::kPollIn, 0).ok(), "add");
        sim.spawn("poller", [&] { wait_for(*instance, vfs::kPollIn); });
        sim.spawn("writer", [&] { static_cast<void>(world.write(*ends.writer, "x")); });
        sim.join();
    });
}

TEST(EpollSim, SharersAreWokenOneByOne) {
    EXPLORE("epoll: exclusive", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        Ref<vfs::File> instances[2] = {create(), create()};
        Atomic<u32> taken{0};
        for (Ref<vfs::File>& instance : instances) {
            sim.check(add(*instance, *ends.reader, vfs::kPollIn | epoll::kExclusive).ok(), "add");
        }
        for (Ref<vfs::File>& instance : instances) {
            sim.spawn("worker", [&] {
                while (taken.load(Order::relaxed) < 2) {
                    static_cast<void>(wait_on(*instance, time::now() + Nanoseconds::from_milliseconds(1)));
                    if (world.read_text(*ends.reader, 1) == "x") {
                        taken.fetch_add(1, Order::relaxed);
                    }
                }
            });
        }
        sim.spawn("writer", [&] {
            static_cast<void>(world.write(*ends.writer, "x"));
            static_cast<void>(world.write(*ends.writer, "x"));
        });
        sim.join();
    });
}

TEST(EpollSim, MemoryFailuresAreClean) {
    EXPLORE("epoll: no memory", {.cpus = 1, .allocation_failures = 4}, [](Simulation& sim) {
        sim.inject_failures(false);
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        sim.inject_failures(true);
        Result<Ref<vfs::File>> instance = epoll::create_epoll();
        if (instance.ok()) {
            Result<void> added = add(*instance.value(), *ends.reader, vfs::kPollIn, 1);
            sim.inject_failures(false);
            static_cast<void>(world.write(*ends.writer, "x"));
            sim.check(wait_on(*instance.value()).count == (added.ok() ? 1 : 0), "as said");
        }
        sim.inject_failures(false);
    });
}

}  // namespace
}  // namespace cairn
