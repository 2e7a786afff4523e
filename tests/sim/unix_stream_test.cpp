/// Streams between local sockets: calls that wait for more than they have got.

#include <gtest/gtest.h>

#include "kernel/base/kernel.h"
#include "kernel/sync/completion.h"
#include "tests/support/file_world.h"

namespace cairn {
namespace {

using net::Socket;
using net::SocketPair;
using net::SocketType;
using sim::FileWorld;
using sim::Simulation;

usize receive(FileWorld& world, Socket& socket, usize size, u32 flags) {
    std::string text(size, ' ');
    mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(text)));
    net::ReceiveRequest request(sink);
    request.flags = flags;
    Result<usize> result = socket.receive(world.context, request);
    return result.ok() ? result.value() : 0;
}

/// What was received makes room although the call that received it goes on.
TEST(UnixStreamSim, MoreThanASendBufferIsReceivedInOneCall) {
    EXPLORE("unix: wait for all", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        SocketPair pair = world.socket_pair(SocketType::Stream);
        const i32 small = 2000;
        must(pair.first->set_option(world.context, net::kSocketLevel, 7, std::as_bytes(std::span(&small, 1))),
             "sndbuf");
        constexpr usize kTotal = 20000;
        sim.spawn("sender", [&] {
            sim.check(world.write(*pair.first, std::string(kTotal, 's')).value() == kTotal, "all is sent");
        });
        sim.spawn("receiver", [&] {
            sim.check(receive(world, *pair.second, kTotal, net::message_flags::kWaitAll) == kTotal, "all is received");
        });
        sim.join();
    });
}

/// Who waits for more than it peeked at leaves to others what is there.
TEST(UnixStreamSim, WhoPeeksHandsItsWakeUpOn) {
    EXPLORE("unix: peek and receive", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        SocketPair pair = world.socket_pair(SocketType::Stream);
        sync::Completion received;
        sim.spawn("peeker", [&] {
            static_cast<void>(
                receive(world, *pair.second, 2, net::message_flags::kPeek | net::message_flags::kWaitAll));
        });
        sim.spawn("receiver", [&] {
            sim.check(receive(world, *pair.second, 1, 0) == 1, "a byte");
            received.complete();
        });
        sim.spawn("sender", [&] {
            sim.check(world.write(*pair.first, "x").value() == 1, "sent");
            received.wait();
            sim.check(pair.first->shutdown(net::Shutdown::Writing).ok(), "shut down");
        });
        sim.join();
    });
}

/// A message of one byte with a socket.
void send_socket(FileWorld& world, Socket& socket, Socket& passed) {
    mm::IoSource source = mm::IoSource::from_kernel("x");
    net::SendRequest request(source);
    request.files = must(net::PassedFiles::create(1), "files");
    request.files->add(Ref<vfs::File>(passed));
    request.descriptor_limit = ~u64{0};
    static_cast<void>(must(socket.send(world.context, request), "send"));
}

/// The socket of the first message.
Own<net::PassedFiles> receive_socket(Simulation& sim, FileWorld& world, Socket& socket, u32 flags) {
    char byte = 0;
    mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(&byte, 1)));
    net::ReceiveRequest request(sink);
    request.flags = flags | net::message_flags::kDontWait;
    sim.check(socket.receive(world.context, request).ok() && request.files, "the message is lost");
    return std::move(request.files);
}

/// Two sockets in each other's queues. Of the one that a program has it peeks at the other, and lets go of the first:
/// whoever looks for garbage may have seen both without an owner, one before and one afterwards.
TEST(UnixStreamSim, WhatWasPeekedAtIsNoGarbage) {
    EXPLORE("unix: peek and garbage", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        SocketPair a = world.socket_pair(SocketType::Stream);
        SocketPair b = world.socket_pair(SocketType::Stream);
        SocketPair others = world.socket_pair(SocketType::Stream);
        send_socket(world, *a.second, *b.first);
        for (u32 i = 0; i < 20; ++i) {  // so that the search takes its time
            send_socket(world, *others.first, *world.socket_pair(SocketType::Stream).first);
        }
        send_socket(world, *b.second, *a.first);
        std::optional<Ref<Socket>> had(a.first);
        a.first = a.second;
        b.first = b.second;
        sim.spawn("program", [&] {
            Own<net::PassedFiles> peeked = receive_socket(sim, world, **had, net::message_flags::kPeek);
            had.reset();
            sched::sleep_for(Nanoseconds::from_milliseconds(1));
            receive_socket(sim, world, *net::find_socket(peeked->file(0)), 0).reset();
        });
        sim.spawn("search", [&] { g_kernel.unix_sockets->collect_garbage(); });
        sim.join();
    });
}

}  // namespace
}  // namespace cairn
