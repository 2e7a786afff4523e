/// Pipes: what pipe(7) promises, and that no byte and no wake-up is lost between readers, writers and pollers.

#include <gtest/gtest.h>

#include <cstring>

// g++ 12 takes the value of an empty std::optional for one that may be read.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "fs/pipe/splice.h"
#include "kernel/sync/completion.h"
#include "kernel/time/clock.h"
#include "tests/support/file_world.h"

namespace cairn {
namespace {

using pipe::PipeEnds;
using sim::FileWorld;
using sim::kNonBlock;
using sim::Simulation;
using sim::wait_for;

/// Scenarios without concurrency need few schedules.
constexpr u64 kFew = 5;
#define RUN_ALONE(name, ...)                                                                      \
    do {                                                                                          \
        sim::Exploration exploration = sim::explore_kernel(name, {.cpus = 1}, __VA_ARGS__, kFew); \
        ASSERT_FALSE(exploration.failure) << exploration.failure->report;                         \
    } while (false)

TEST(Pipe, CarriesBytesAndEnds) {
    RUN_ALONE("pipe: bytes", [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> ends(world.pipe());
        sim.check(world.write(*ends->writer, "hello").value() == 5, "write");
        sim.check(world.write(*ends->writer, " world").value() == 6, "write again");
        sim.check(world.read_text(*ends->reader, 4) == "hell", "part");
        sim.check(world.read_text(*ends->reader, 100) == "o world", "rest");
        {
            Ref<vfs::File> writer = std::move(ends->writer);
        }
        sim.check(world.read_text(*ends->reader, 100).empty(), "end of file");
        sim.check(ends->reader->poll(nullptr) == vfs::kPollHup, "hang-up");
        ends.reset();
    });
}

TEST(Pipe, HasRoomForSixteenPagesUnlessToldOtherwise) {
    RUN_ALONE("pipe: capacity", [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        std::string page(4096, 'x');
        u32 pages = 0;
        while (world.write(*ends.writer, page).ok()) {
            ++pages;
        }
        sim.check(pages == 16, "64 KiB");
        sim.check(ends.writer->poll(nullptr) == 0, "full");
        sim.check(pipe::get_pipe_size(*ends.reader).value() == 65536, "F_GETPIPE_SZ");
        sim.check(pipe::set_pipe_size(world.context, *ends.reader, 4096).error() == Errno::ebusy, "shrink");
        sim.check(pipe::set_pipe_size(world.context, *ends.reader, 100000).value() == 131072, "grow");
        sim.check((ends.writer->poll(nullptr) & vfs::kPollOut) != 0, "room again");
        sim.check(world.read_text(*ends.reader, 4096) == page, "read");
    });
}

TEST(Pipe, SmallWritesFillPagesTogether) {
    RUN_ALONE("pipe: merging", [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        u32 bytes = 0;
        while (world.write(*ends.writer, "x").ok()) {
            ++bytes;
        }
        sim.check(bytes == 65536, "every byte of the capacity is used");
        while (world.read_text(*ends.reader, 8192)[0] == 'x') {
        }
    });
}

TEST(Pipe, AWriteOfPipeBufIsNotSplit) {
    RUN_ALONE("pipe: atomic", [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        std::string odd(3000, 'a');
        for (u32 i = 0; i < 16; ++i) {
            sim.check(world.write(*ends.writer, odd).value() == 3000, "a page each");
        }
        sim.check(world.write(*ends.writer, std::string(2000, 'b')).error() == Errno::eagain, "all or nothing");
        sim.check(world.write(*ends.writer, std::string(1096, 'c')).value() == 1096, "fits behind the last");
        sim.check(world.write(*ends.writer, "d").error() == Errno::eagain, "full to the byte");
        sim.check(world.read_text(*ends.reader, 16 * 3000).size() == 48000, "read");
        sim.check(world.read_text(*ends.reader, 5000) == std::string(1096, 'c'), "the last");
    });
}

TEST(Pipe, PacketsKeepTheirBounds) {
    RUN_ALONE("pipe: packets", [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe(vfs::open_flags::kDirect | kNonBlock);
        static_cast<void>(world.write(*ends.writer, "one"));
        static_cast<void>(world.write(*ends.writer, "three"));
        sim.check(world.read_text(*ends.reader, 10) == "one", "first packet");
        sim.check(world.read_text(*ends.reader, 2) == "th", "cut");
        sim.check(world.read_text(*ends.reader, 10) == "!eagain", "the rest is lost");
    });
}

TEST(Pipe, WithoutReadersBreaks) {
    RUN_ALONE("pipe: broken", [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe();
        {
            Ref<vfs::File> reader = std::move(ends.reader);
        }
        sim.check(world.write(*ends.writer, "x").error() == Errno::epipe, "EPIPE");
        sim.check(ends.writer->poll(nullptr) == (vfs::kPollOut | vfs::kPollWriteNormal | vfs::kPollErr), "POLLERR");
        ends.reader = ends.writer;
    });
}

TEST(Pipe, SpliceAndTeeMoveBytes) {
    RUN_ALONE("pipe: splice", [](Simulation& sim) {
        FileWorld world;
        PipeEnds a = world.pipe(kNonBlock);
        PipeEnds b = world.pipe(kNonBlock);
        static_cast<void>(world.write(*a.writer, "abcdef"));
        sim.check(pipe::tee(*a.reader, *b.writer, 3, 0).value() == 3, "tee");
        sim.check(pipe::splice(world.context, *a.reader, nullptr, *b.writer, nullptr, 4, 0).value() == 4, "splice");
        sim.check(world.read_text(*b.reader, 100) == "abcabcd", "both");
        sim.check(world.read_text(*a.reader, 100) == "ef", "the rest");
        sim.check(pipe::splice(world.context, *a.reader, nullptr, *b.writer, nullptr, 4, 0).error() == Errno::eagain,
                  "nothing there");
        sim.check(pipe::splice(world.context, *a.reader, nullptr, *a.writer, nullptr, 4, 0).error() == Errno::einval,
                  "to itself");
    });
}

TEST(PipeSim, EveryMemoryFailureIsClean) {
    EXPLORE("pipe: no memory", {.cpus = 1, .allocation_failures = 4}, [](Simulation& sim) {
        sim.inject_failures(false);
        FileWorld world;
        sim.inject_failures(true);
        Result<PipeEnds> ends = pipe::create_pipe(world.context, kNonBlock);
        if (ends.ok()) {
            std::string text(10000, 'y');
            Result<usize> written = world.write(*ends.value().writer, text);
            usize read = 0;
            char buffer[3000];
            for (;;) {
                Result<usize> step = world.read(*ends.value().reader, buffer, sizeof buffer);
                if (!step.ok()) {
                    break;
                }
                read += step.value();
            }
            sim.check(read == (written.ok() ? written.value() : 0), "what was written is read");
        }
        sim.inject_failures(false);
    });
}

TEST(PipeSim, AStreamGoesOnInThePagesThatItHas) {
    EXPLORE("pipe: stream", {.cpus = 1, .allocation_failures = 1}, [](Simulation& sim) {
        sim.inject_failures(false);
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        const std::string all(65536, 's');
        sim.check(world.write(*ends.writer, all).value() == all.size(), "write");
        sim.check(world.read_text(*ends.reader, all.size()) == all, "read");
        sim.inject_failures(true);
        Result<usize> again = world.write(*ends.writer, all);
        sim.inject_failures(false);
        sim.check(again.ok() && again.value() == all.size(), "no page is allocated");
        sim.check(world.read_text(*ends.reader, 5000) == all.substr(0, 5000), "read a part");
        sim.check(world.read_text(*ends.reader, all.size()) == all.substr(5000), "and, no longer full, the rest");
        sim.inject_failures(true);
        Result<usize> third = world.write(*ends.writer, all);
        sim.inject_failures(false);
        sim.check(third.ok() && third.value() == 4096, "a page is kept of a pipe that was not full");
    });
}

TEST(PipeSim, NoByteIsLostBetweenTwoReadersAndTwoWriters) {
    EXPLORE("pipe: two and two", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> ends(world.pipe());
        static_cast<void>(must(pipe::set_pipe_size(world.context, *ends->reader, 4096), "resize"));
        Atomic<u64> sent{0};
        Atomic<u64> received{0};
        for (u32 writer = 0; writer < 2; ++writer) {
            sim.spawn("writer", [&, writer, file = std::optional<Ref<vfs::File>>(ends->writer)]() mutable {
                for (u32 i = 0; i < 3; ++i) {
                    std::string text(1500 + writer * 700 + i, static_cast<char>('a' + writer));
                    sim.check(world.write(**file, text).value() == text.size(), "a whole write");
                    sent.fetch_add(text.size(), Order::relaxed);
                }
                file.reset();
            });
        }
        for (u32 reader = 0; reader < 2; ++reader) {
            sim.spawn("reader", [&, file = std::optional<Ref<vfs::File>>(ends->reader)]() mutable {
                char buffer[1000];
                for (;;) {
                    Result<usize> size = world.read(**file, buffer, sizeof buffer);
                    sim.check(size.ok(), "read");
                    if (size.value() == 0) {
                        break;
                    }
                    received.fetch_add(size.value(), Order::relaxed);
                }
                file.reset();
            });
        }
        ends.reset();
        sim.join();
        sim.check(sent.load(Order::relaxed) == received.load(Order::relaxed), "bytes are missing");
    });
}

TEST(PipeSim, TheEndOfFileIsSeenByWhoeverWaits) {
    EXPLORE("pipe: end of file", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> ends(world.pipe());
        sim.spawn("reader", [&, file = std::optional<Ref<vfs::File>>(ends->reader)]() mutable {
            std::string all;
            for (;;) {
                std::string part = world.read_text(**file, 3);
                if (part.empty()) {
                    break;
                }
                all += part;
            }
            sim.check(all == "last words", "what was written before the end");
            file.reset();
        });
        sim.spawn("writer", [&, file = std::optional<Ref<vfs::File>>(ends->writer)]() mutable {
            static_cast<void>(world.write(**file, "last words"));
            file.reset();
        });
        ends.reset();
        sim.join();
    });
}

TEST(PipeSim, APollerSeesTheCloseOfTheOtherEnd) {
    EXPLORE("pipe: close and poll", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> ends(world.pipe());
        sim.spawn("poller", [&, file = std::optional<Ref<vfs::File>>(ends->reader)]() mutable {
            const vfs::PollEvents events = wait_for(**file, vfs::kPollIn);
            sim.check((events & vfs::kPollHup) != 0, "the hang-up");
            file.reset();
        });
        sim.spawn("closer", [file = std::optional<Ref<vfs::File>>(ends->writer)]() mutable { file.reset(); });
        ends.reset();
        sim.join();
    });
}

TEST(PipeSim, APollerIsToldOfRoomAndOfBytes) {
    EXPLORE("pipe: poll", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        PipeEnds ends = world.pipe(kNonBlock);
        static_cast<void>(must(pipe::set_pipe_size(world.context, *ends.reader, 4096), "resize"));
        constexpr usize kTotal = 9000;
        sim.spawn("writer", [&] {
            for (usize sent = 0; sent < kTotal;) {
                Result<usize> size = world.write(*ends.writer, std::string(std::min<usize>(3000, kTotal - sent), 'p'));
                if (size.ok()) {
                    sent += size.value();
                } else {
                    wait_for(*ends.writer, vfs::kPollOut);
                }
            }
        });
        sim.spawn("reader", [&] {
            char buffer[2500];
            for (usize received = 0; received < kTotal;) {
                Result<usize> size = world.read(*ends.reader, buffer, sizeof buffer);
                if (size.ok()) {
                    received += size.value();
                } else {
                    wait_for(*ends.reader, vfs::kPollIn);
                }
            }
        });
        sim.join();
    });
}

TEST(PipeSim, AKilledReaderHandsItsWakeUpOn) {
    EXPLORE("pipe: interrupted reader", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> ends(world.pipe());
        Atomic<u32> bytes{0};
        auto read_one = [&] {
            char byte = 0;
            Result<usize> size = world.read(*ends->reader, &byte, 1);
            if (size.ok()) {
                bytes.fetch_add(static_cast<u32>(size.value()), Order::relaxed);
            }
        };
        sched::Thread& victim = sim.spawn("victim", read_one);
        sim.spawn("other", [&] {
            while (bytes.load(Order::relaxed) == 0) {
                read_one();
            }
        });
        sim.spawn("writer", [&] {
            static_cast<void>(world.write(*ends->writer, "x"));
            sched::kill(victim);
            static_cast<void>(world.write(*ends->writer, "y"));
        });
        sim.join();
        sim.check(bytes.load(Order::relaxed) != 0, "nobody got the byte");
        ends.reset();
    });
}

/// tee(2) leaves what it was woken for, which is then the reader's.
TEST(PipeSim, TeeHandsItsWakeUpOn) {
    EXPLORE("pipe: tee and a reader", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> from(world.pipe());
        PipeEnds to = world.pipe(kNonBlock);
        sync::Completion read;
        sim.spawn("tee", [&] { static_cast<void>(pipe::tee(*from->reader, *to.writer, 1, 0)); });
        sim.spawn("reader", [&] {
            sim.check(world.read_text(*from->reader, 1) == "x", "the byte");
            read.complete();
        });
        sim.spawn("writer", [&] {
            sim.check(world.write(*from->writer, "x").value() == 1, "write");
            read.wait();
            const Ref<vfs::File> closed = std::move(from->writer);
        });
        sim.join();
        from.reset();
    });
}

/// What tee(2) copies has no gaps, though somebody reads meanwhile.
TEST(PipeSim, TeeLeavesNothingOut) {
    EXPLORE("pipe: tee while somebody reads", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        PipeEnds from = world.pipe();
        PipeEnds to = world.pipe(kNonBlock);
        const std::string all = std::string(4096, 'a') + std::string(4096, 'b') + std::string(4096, 'c');
        sim.check(world.write(*from.writer, all).value() == all.size(), "write");
        sim.spawn("reader", [&] { sim.check(world.read_text(*from.reader, 4096) == all.substr(0, 4096), "read"); });
        const usize copied = must(pipe::tee(*from.reader, *to.writer, all.size(), 0), "tee");
        const std::string seen = world.read_text(*to.reader, all.size());
        sim.join();
        sim.check(seen.size() == copied && copied != 0, "as much as tee says");
        sim.check(all.find(seen) != std::string::npos, "no gaps");
    });
}

/// A place that splice(2) was woken for and had no use for is another writer's.
TEST(PipeSim, APlaceThatWasNotUsedIsAnotherWriters) {
    EXPLORE("pipe: a place that was not used", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        PipeEnds nothing = world.pipe(kNonBlock);
        PipeEnds ends = world.pipe();
        static_cast<void>(must(pipe::set_pipe_size(world.context, *ends.reader, 8192), "resize"));
        sim.check(world.write(*ends.writer, std::string(8192, 'f')).value() == 8192, "filled");
        sim.spawn("splice", [&] {
            Result<usize> moved = pipe::splice(world.context, *nothing.reader, nullptr, *ends.writer, nullptr, 4096, 0);
            sim.check(moved.error() == Errno::eagain, "there is nothing to move");
        });
        sim.spawn("writer", [&] { sim.check(world.write(*ends.writer, "w").value() == 1, "write"); });
        sim.spawn("reader", [&] {
            sim.check(world.read_text(*ends.reader, 8192).size() == 8192, "what it was filled with");
            sim.check(world.read_text(*ends.reader, 1) == "w", "what had to wait");
        });
        sim.join();
    });
}

/// What splice(2) took is not lost when the pipe that it goes to breaks.
TEST(PipeSim, WhatCannotBeSplicedStays) {
    EXPLORE("pipe: splice to a pipe that breaks", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        PipeEnds from = world.pipe(kNonBlock);
        std::optional<PipeEnds> to(world.pipe());
        sim.check(world.write(*from.writer, "abc").value() == 3, "write");
        sim.spawn("reader leaves", [&] { const Ref<vfs::File> closed = std::move(to->reader); });
        Result<usize> moved = pipe::splice(world.context, *from.reader, nullptr, *to->writer, nullptr, 3, 0);
        sim.join();
        sim.check(moved.ok() ? moved.value() == 3 : moved.error() == Errno::epipe, "splice");
        sim.check(world.read_text(*from.reader, 10) == (moved.ok() ? "!eagain" : "abc"), "what is left");
        to.reset();
    });
}

/// Nor does a reader see the end of the pipe while the last page is out and may come back.
TEST(PipeSim, TheEndIsNotSeenBeforeWhatComesBack) {
    EXPLORE("pipe: read while a splice fails", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> from(world.pipe());
        std::optional<net::SocketPair> broken(world.socket_pair(net::SocketType::Stream));
        {
            const Ref<net::Socket> closed = std::move(broken->second);
        }
        sim.check(world.write(*from->writer, "abc").value() == 3, "write");
        {
            const Ref<vfs::File> closed = std::move(from->writer);
        }
        sim.spawn("splice", [&] {
            Result<usize> moved = pipe::splice(world.context, *from->reader, nullptr, *broken->first, nullptr, 3, 0);
            sim.check(moved.ok() ? moved.value() == 0 : moved.error() == Errno::epipe, "splice");
        });
        sim.spawn("poller", [&] {
            sim.check((wait_for(*from->reader, vfs::kPollIn) & (vfs::kPollIn | vfs::kPollHup)) != 0, "it is told");
        });
        std::string other;
        sim.spawn("reader", [&] { other = world.read_text(*from->reader, 10); });
        const std::string seen = world.read_text(*from->reader, 10);
        sim.join();
        sim.check(seen + other == "abc", "what came back");
        sim.check(world.read_text(*from->reader, 10).empty(), "the end");
        from.reset();
    });
}

/// Those who wait for what may come back are told when it does not.
TEST(PipeSim, TheEndIsSeenWhenNothingComesBack) {
    EXPLORE("pipe: read while a splice succeeds", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        std::optional<PipeEnds> from(world.pipe());
        PipeEnds to = world.pipe();
        sim.check(world.write(*from->writer, "abc").value() == 3, "write");
        {
            const Ref<vfs::File> closed = std::move(from->writer);
        }
        usize moved = 0;
        sim.spawn("splice", [&] {
            moved = must(pipe::splice(world.context, *from->reader, nullptr, *to.writer, nullptr, 3, 0), "splice");
        });
        sim.spawn("poller", [&] {
            sim.check((wait_for(*from->reader, vfs::kPollIn) & (vfs::kPollIn | vfs::kPollHup)) != 0, "the end");
        });
        const std::string seen = world.read_text(*from->reader, 10);
        sim.join();
        sim.check(seen == (moved == 0 ? "abc" : ""), "all or nothing");
        from.reset();
    });
}

}  // namespace
}  // namespace cairn
