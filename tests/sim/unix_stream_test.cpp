/// Streams between local sockets: calls that wait for more than they have got.

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace cairn
