/// Local sockets: streams, datagrams, packets, names, passed files and the garbage that those can become.

#include <gtest/gtest.h>

#include <cstring>

#include "fs/event/event_counter.h"
#include "kernel/base/kernel.h"
#include "kernel/time/clock.h"
#include "tests/support/file_world.h"

namespace cairn {
namespace {

using net::Socket;
using net::SocketAddress;
using net::SocketPair;
using net::SocketType;
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

SocketAddress abstract(std::string_view name) {
    SocketAddress address = net::UnixAddress::encode_unnamed();
    std::memcpy(address.bytes + 3, name.data(), name.size());
    address.size += 1 + static_cast<u32>(name.size());
    return address;
}

Ref<Socket> create(FileWorld& world, SocketType type, u32 flags = 0) {
    return must(net::create_unix_socket(world.context, type, 0, flags), "socket");
}

/// A message with files.
Result<usize> send_files(vfs::OperationContext& context, Socket& socket, std::string_view text,
                         const std::vector<vfs::File*>& files, u64 limit = ~u64{0}) {
    mm::IoSource source = mm::IoSource::from_kernel(text);
    net::SendRequest request(source);
    request.files = must(net::PassedFiles::create(static_cast<u32>(files.size())), "files");
    for (vfs::File* file : files) {
        request.files->add(Ref<vfs::File>(*file));
    }
    request.descriptor_limit = limit;
    return socket.send(context, request);
}

Result<usize> send_files(FileWorld& world, Socket& socket, std::string_view text,
                         const std::vector<vfs::File*>& files) {
    return send_files(world.context, socket, text, files);
}

struct Received {
    Errno error = Errno{};
    std::string text;
    u32 flags = 0;
    SocketAddress address;
    std::optional<net::MessageCredentials> credentials;
    Own<net::PassedFiles> files;
};

Received receive(FileWorld& world, Socket& socket, usize size, u32 flags = 0) {
    Received received;
    received.text.resize(size);
    mm::IoSink sink = mm::IoSink::to_kernel(std::as_writable_bytes(std::span(received.text)));
    net::ReceiveRequest request(sink);
    request.flags = flags;
    Result<usize> result = socket.receive(world.context, request);
    received.error = result.error();
    received.text.resize(result.ok() ? std::min(result.value(), size) : 0);
    received.flags = request.result_flags;
    received.address = request.address;
    received.credentials = request.credentials;
    received.files = std::move(request.files);
    return received;
}

Result<usize> send_to(FileWorld& world, Socket& socket, std::string_view text, const SocketAddress& address) {
    mm::IoSource source = mm::IoSource::from_kernel(text);
    net::SendRequest request(source);
    request.address = &address;
    return socket.send(world.context, request);
}

TEST(UnixSocket, StreamsHaveNoBounds) {
    RUN_ALONE("unix: stream", [](Simulation& sim) {
        FileWorld world;
        std::optional<SocketPair> pair(world.socket_pair(SocketType::Stream, kNonBlock));
        Socket& a = *pair->first;
        Socket& b = *pair->second;
        static_cast<void>(world.write(a, "one"));
        static_cast<void>(world.write(a, "two"));
        sim.check(receive(world, b, 10, net::message_flags::kPeek).text == "onetwo", "peek");
        sim.check(world.read_text(b, 4) == "onet", "across messages");
        sim.check(world.read_text(b, 4) == "wo", "the rest");
        sim.check(world.read_text(b, 4) == "!eagain", "no more");
        sim.check((b.poll(nullptr) & (vfs::kPollIn | vfs::kPollOut)) == vfs::kPollOut, "writable");
        static_cast<void>(a.shutdown(net::Shutdown::Writing));
        sim.check(world.read_text(b, 4).empty(), "end");
        sim.check(world.write(a, "x").error() == Errno::epipe, "shut down");
        sim.check(world.write(b, "back").ok() && world.read_text(a, 9) == "back", "the other way is open");
    });
}

TEST(UnixSocket, MessagesOfAnySizeAreReadInParts) {
    RUN_ALONE("unix: sizes", [](Simulation& sim) {
        FileWorld world;
        std::optional<SocketPair> pair(world.socket_pair(SocketType::Stream, kNonBlock));
        for (const usize size : {1u, 63u, 64u, 65u, 4096u, 16384u, 16385u, 50000u}) {
            std::string text(size, ' ');
            for (usize i = 0; i < size; ++i) {
                text[i] = static_cast<char>('!' + i % 89);
            }
            sim.check(world.write(*pair->first, text).value() == size, "write");
            sim.check(receive(world, *pair->second, 7, net::message_flags::kPeek).text == text.substr(0, 7), "peek");
            std::string read;
            for (usize part = 1; read.size() < size; part = part * 2 + 1) {
                read += world.read_text(*pair->second, part);
            }
            sim.check(read == text, "all of it, in order");
        }
    });
}

TEST(UnixSocket, UnreadBytesResetThePeer) {
    RUN_ALONE("unix: reset", [](Simulation& sim) {
        FileWorld world;
        SocketPair pair = world.socket_pair(SocketType::Stream, kNonBlock);
        static_cast<void>(world.write(*pair.first, "unread"));
        static_cast<void>(world.write(*pair.second, "read"));
        pair.second = pair.first;
        sim.check(world.read_text(*pair.first, 9) == "read", "what came before");
        sim.check(world.read_text(*pair.first, 9) == "!econnreset", "reset");
        sim.check(world.read_text(*pair.first, 9).empty(), "then the end");
        sim.check(world.write(*pair.first, "x").error() == Errno::epipe, "EPIPE");
        sim.check((pair.first->poll(nullptr) & vfs::kPollHup) != 0, "POLLHUP");
    });
}

TEST(UnixSocket, ListenersAccept) {
    RUN_ALONE("unix: listen", [](Simulation& sim) {
        FileWorld world;
        Ref<Socket> listener = create(world, SocketType::Stream, kNonBlock);
        sim.check(listener->listen(world.context, 1).error() == Errno::einval, "unnamed");
        sim.check(listener->bind(world.context, abstract("here")).ok(), "bind");
        Ref<Socket> other = create(world, SocketType::Stream, kNonBlock);
        sim.check(other->bind(world.context, abstract("here")).error() == Errno::eaddrinuse, "taken");
        sim.check(other->connect(world.context, abstract("here")).error() == Errno::econnrefused, "not listening");
        sim.check(listener->listen(world.context, 0).ok(), "listen");
        sim.check(other->connect(world.context, abstract("nowhere")).error() == Errno::econnrefused, "unknown");
        sim.check(other->connect(world.context, abstract("here")).ok(), "connect");
        sim.check(other->connect(world.context, abstract("here")).error() == Errno::eisconn, "again");
        Ref<Socket> third = create(world, SocketType::Stream, kNonBlock);
        sim.check(third->connect(world.context, abstract("here")).error() == Errno::eagain, "the backlog is full");
        sim.check((listener->poll(nullptr) & vfs::kPollIn) != 0, "to accept");
        static_cast<void>(world.write(*other, "early"));
        Ref<Socket> accepted = must(listener->accept(world.context, kNonBlock), "accept");
        sim.check(listener->accept(world.context, 0).error() == Errno::eagain, "one only");
        sim.check(world.read_text(*accepted, 10) == "early", "sent before it was accepted");
        SocketAddress address;
        sim.check(other->peer_address(address).ok() && address.size == 7, "getpeername");
        sim.check(accepted->local_address(address).ok() && address.size == 7, "getsockname");
        sim.check(accepted->peer_address(address).ok() && address.size == 2, "unnamed");
        i32 credentials[3] = {};
        sim.check(other->get_option(net::kSocketLevel, 17, std::as_writable_bytes(std::span(credentials))).ok() &&
                      credentials[0] == 42 && credentials[1] == 0,
                  "SO_PEERCRED");
        sim.check(third->connect(world.context, abstract("here")).ok(), "room again");
        listener = other;
        sim.check(world.read_text(*third, 1) == "!econnreset", "never accepted");
    });
}

TEST(UnixSocket, DatagramsKeepBoundsAndSenders) {
    RUN_ALONE("unix: datagrams", [](Simulation& sim) {
        FileWorld world;
        Ref<Socket> server = create(world, SocketType::Datagram, kNonBlock);
        Ref<Socket> client = create(world, SocketType::Datagram, kNonBlock);
        sim.check(server->bind(world.context, abstract("server")).ok(), "bind");
        sim.check(client->bind(world.context, net::UnixAddress::encode_unnamed()).ok(), "autobind");
        sim.check(send_to(world, *client, "hello", abstract("server")).ok(), "send");
        sim.check(send_to(world, *client, "", abstract("server")).ok(), "empty");
        Received first = receive(world, *server, 3);
        sim.check(first.text == "hel" && first.flags == net::message_flags::kTruncated, "cut");
        sim.check(first.address.size == 8, "the sender's automatic name");
        Received second = receive(world, *server, 3);
        sim.check(second.error == Errno{} && second.text.empty(), "an empty datagram");
        sim.check(receive(world, *server, 3).error == Errno::eagain, "no more");
        u32 sent = 0;
        while (send_to(world, *client, "x", abstract("server")).ok()) {
            ++sent;
        }
        sim.check(sent == 11, "as many as Linux queues");
        sim.check(client->connect(world.context, abstract("server")).ok(), "connect");
        sim.check((client->poll(nullptr) & vfs::kPollOut) == 0, "the peer's queue is full");
        sim.check(receive(world, *server, 1).text == "x", "one");
        sim.check((client->poll(nullptr) & vfs::kPollOut) != 0, "room");
        server = client;
        sim.check(world.write(*client, "y").error() == Errno::econnrefused, "the peer is gone");
        sim.check(world.write(*client, "y").error() == Errno::enotconn, "and forgotten");
    });
}

TEST(UnixSocket, PacketsAreConnectedAndBounded) {
    RUN_ALONE("unix: packets", [](Simulation& sim) {
        FileWorld world;
        SocketPair pair = world.socket_pair(SocketType::SequencedPackets, kNonBlock);
        static_cast<void>(world.write(*pair.first, "one"));
        static_cast<void>(world.write(*pair.first, "two"));
        sim.check(receive(world, *pair.second, 9).text == "one", "first");
        sim.check(receive(world, *pair.second, 9).text == "two", "second");
        Ref<Socket> idle = create(world, SocketType::SequencedPackets, kNonBlock);
        sim.check(world.write(*idle, "x").error() == Errno::enotconn, "unconnected");
        pair.first = pair.second;
        sim.check(receive(world, *pair.second, 9).error == Errno{}, "end");
    });
}

TEST(UnixSocket, FilesAndCredentialsGoAlong) {
    RUN_ALONE("unix: passing", [](Simulation& sim) {
        FileWorld world;
        SocketPair pair = world.socket_pair(SocketType::Stream, kNonBlock);
        pipe::PipeEnds ends = world.pipe(kNonBlock);
        const i32 on = 1;
        must(pair.second->set_option(world.context, net::kSocketLevel, 16, std::as_bytes(std::span(&on, 1))), "option");
        static_cast<void>(world.write(*pair.first, "plain "));
        sim.check(send_files(world, *pair.first, "with", {&*ends.writer}).ok(), "send");
        static_cast<void>(world.write(*pair.first, " after"));
        {
            Ref<vfs::Credentials> plain = must(world.context.credentials.copy(), "credentials");
            plain->effective = {};
            vfs::OperationContext context{*plain, world.context.filesystem};
            sim.check(send_files(context, *pair.first, "x", {&*ends.reader}, 0).error() == Errno::etoomanyrefs,
                      "limit");
        }
        Received received = receive(world, *pair.second, 100);
        sim.check(received.text == "plain with", "a file ends the read");
        sim.check(received.credentials && received.credentials->process == 42, "SCM_CREDENTIALS");
        sim.check(received.files && received.files->count() == 1, "one file");
        static_cast<void>(world.write(received.files->file(0), "through"));
        sim.check(world.read_text(*ends.reader, 10) == "through", "the same pipe");
        sim.check(receive(world, *pair.second, 100).text == " after", "the rest");
    });
}

TEST(UnixSocket, CirclesOfSocketsInFlightAreFound) {
    RUN_ALONE("unix: garbage", [](Simulation& sim) {
        FileWorld world;
        // Alone in its own queue.
        {
            SocketPair pair = world.socket_pair(SocketType::Stream);
            sim.check(send_files(world, *pair.first, "x", {&*pair.second}).ok(), "into itself");
        }
        // Two in each other's queues, which nothing notices until another socket closes.
        {
            SocketPair a = world.socket_pair(SocketType::Datagram);
            SocketPair b = world.socket_pair(SocketType::Datagram);
            sim.check(send_files(world, *a.first, "x", {&*b.second}).ok(), "b in a");
            sim.check(send_files(world, *b.first, "x", {&*a.second}).ok(), "a in b");
        }
        // A chain that hangs on a socket which a program still has is no garbage.
        SocketPair held = world.socket_pair(SocketType::Stream, kNonBlock);
        {
            SocketPair inner = world.socket_pair(SocketType::Stream, kNonBlock);
            sim.check(send_files(world, *inner.first, "x", {&*inner.second}).ok(), "a circle");
            sim.check(send_files(world, *held.first, "x", {&*inner.second}).ok(), "that is held");
            static_cast<void>(world.write(*inner.first, "still here"));
        }
        g_kernel.unix_sockets->collect_garbage();
        Received received = receive(world, *held.second, 1);
        sim.check(received.files && received.files->count() == 1, "arrived");
        Socket& inner = *net::find_socket(received.files->file(0));
        Received circle = receive(world, inner, 1);
        sim.check(circle.files && &circle.files->file(0) == &inner, "with its own queue");
        sim.check(world.read_text(inner, 99) == "still here", "and its bytes");
    });
}

TEST(UnixSocket, LongChainsAreDroppedWithoutDeepStacks) {
    RUN_ALONE("unix: chain", [](Simulation& sim) {
        FileWorld world;
        std::optional<Ref<Socket>> last;
        for (u32 i = 0; i < 200; ++i) {
            SocketPair pair = world.socket_pair(SocketType::Stream, kNonBlock);
            if (last) {
                sim.check(send_files(world, *pair.first, "x", {&**last}).ok(), "send");
            }
            last = pair.second;
        }
        last.reset();
    });
}

TEST(UnixSocketSim, AStreamLosesNothing) {
    EXPLORE("unix: stream", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        std::optional<SocketPair> pair(world.socket_pair(SocketType::Stream));
        const i32 small = 2000;
        must(pair->first->set_option(world.context, net::kSocketLevel, 7, std::as_bytes(std::span(&small, 1))),
             "sndbuf");
        constexpr usize kTotal = 20000;
        sim.spawn("sender", [&, socket = std::optional<Ref<Socket>>(pair->first)]() mutable {
            for (usize sent = 0; sent < kTotal;) {
                const usize size = std::min<usize>(1 + sim.random(6000), kTotal - sent);
                sim.check(world.write(**socket, std::string(size, 's')).value() == size, "a whole write");
                sent += size;
            }
            socket.reset();
        });
        sim.spawn("receiver", [&, socket = std::optional<Ref<Socket>>(pair->second)]() mutable {
            usize received = 0;
            for (;;) {
                const std::string part = world.read_text(**socket, 1 + sim.random(7000));
                if (part.empty()) {
                    break;
                }
                sim.check(part[0] == 's', "bytes");
                received += part.size();
            }
            sim.check(received == kTotal, "all of them");
            socket.reset();
        });
        pair.reset();
        sim.join();
    });
}

TEST(UnixSocketSim, ConnectionsFindTheirListener) {
    EXPLORE("unix: connect and accept", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        Ref<Socket> listener = create(world, SocketType::Stream);
        must(listener->bind(world.context, abstract("l")), "bind");
        must(listener->listen(world.context, 0), "listen");
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("client", [&] {
                Ref<Socket> socket = create(world, SocketType::Stream);
                sim.check(socket->connect(world.context, abstract("l")).ok(), "connect");
                sim.check(world.read_text(*socket, 9) == "welcome", "served");
            });
        }
        sim.spawn("server", [&] {
            for (u32 i = 0; i < 2; ++i) {
                Ref<Socket> socket = must(listener->accept(world.context, 0), "accept");
                sim.check(world.write(*socket, "welcome").ok(), "write");
            }
        });
        sim.join();
    });
}

TEST(UnixSocketSim, DatagramSendersWaitForRoom) {
    EXPLORE("unix: datagram queue", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        Ref<Socket> server = create(world, SocketType::Datagram);
        must(server->bind(world.context, abstract("d")), "bind");
        constexpr u32 kEach = 9;
        for (u32 i = 0; i < 2; ++i) {
            sim.spawn("sender", [&] {
                Ref<Socket> socket = create(world, SocketType::Datagram);
                must(socket->connect(world.context, abstract("d")), "connect");
                for (u32 k = 0; k < kEach; ++k) {
                    sim.check(world.write(*socket, "x").ok(), "send");
                }
            });
        }
        sim.spawn("receiver", [&] {
            for (u32 k = 0; k < 2 * kEach; ++k) {
                sim.check(world.read_text(*server, 2) == "x", "receive");
            }
        });
        sim.join();
    });
}

TEST(UnixSocketSim, APollingSenderIsToldOfRoom) {
    EXPLORE("unix: datagram poll", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        Ref<Socket> server = create(world, SocketType::Datagram);
        must(server->bind(world.context, abstract("d")), "bind");
        constexpr u32 kCount = 14;
        sim.spawn("sender", [&] {
            Ref<Socket> socket = create(world, SocketType::Datagram, kNonBlock);
            must(socket->connect(world.context, abstract("d")), "connect");
            for (u32 sent = 0; sent < kCount;) {
                if (world.write(*socket, "x").ok()) {
                    ++sent;
                    continue;
                }
                wait_for(*socket, vfs::kPollOut);
            }
        });
        sim.spawn("receiver", [&] {
            for (u32 k = 0; k < kCount; ++k) {
                sim.check(world.read_text(*server, 2) == "x", "receive");
            }
        });
        sim.join();
    });
}

TEST(UnixSocketSim, ClosingAndSendingMeet) {
    EXPLORE("unix: close", {.cpus = 2}, [](Simulation& sim) {
        FileWorld world;
        std::optional<SocketPair> pair(world.socket_pair(SocketType::Stream));
        sim.spawn("one", [&, socket = std::optional<Ref<Socket>>(pair->first)]() mutable {
            static_cast<void>(world.write(**socket, "to whom it may concern"));
            socket.reset();
        });
        sim.spawn("other", [&, socket = std::optional<Ref<Socket>>(pair->second)]() mutable {
            const std::string text = world.read_text(**socket, 3);
            sim.check(text.empty() || text == "to ", "bytes or the end");
            socket.reset();
        });
        pair.reset();
        sim.join();
    });
}

TEST(UnixSocketSim, GarbageAndTrafficMeet) {
    EXPLORE("unix: garbage", {.cpus = 3}, [](Simulation& sim) {
        FileWorld world;
        SocketPair carrier = world.socket_pair(SocketType::Datagram);
        sim.spawn("maker of circles", [&] {
            for (u32 i = 0; i < 2; ++i) {
                SocketPair pair = world.socket_pair(SocketType::Datagram);
                sim.check(send_files(world, *pair.first, "x", {&*pair.second}).ok(), "circle");
            }
        });
        sim.spawn("sender", [&] {
            for (u32 i = 0; i < 2; ++i) {
                SocketPair pair = world.socket_pair(SocketType::Datagram);
                sim.check(world.write(*pair.first, "kept").ok(), "write");
                sim.check(send_files(world, *carrier.first, "x", {&*pair.second}).ok(), "send");
            }
        });
        sim.spawn("receiver", [&] {
            for (u32 i = 0; i < 2; ++i) {
                Received received = receive(world, *carrier.second, 1);
                sim.check(received.files && received.files->count() == 1, "a socket");
                sim.check(world.read_text(received.files->file(0), 9) == "kept", "with its message");
            }
        });
        sim.join();
        carrier = world.socket_pair(SocketType::Datagram);  // whose predecessors' closing finds the last circle
    });
}

TEST(UnixSocketSim, MemoryFailuresAreClean) {
    EXPLORE("unix: no memory", {.cpus = 1, .allocation_failures = 5}, [](Simulation& sim) {
        sim.inject_failures(false);
        FileWorld world;
        pipe::PipeEnds ends = world.pipe();
        sim.inject_failures(true);
        Result<SocketPair> pair = net::create_unix_pair(world.context, SocketType::Stream, 0, kNonBlock);
        if (pair.ok()) {
            static_cast<void>(world.write(*pair.value().first, std::string(9000, 'm')));
            static_cast<void>(world.read_text(*pair.value().second, 5000));
            static_cast<void>(receive(world, *pair.value().second, 100, net::message_flags::kPeek));
        }
        Result<Ref<Socket>> listener = net::create_unix_socket(world.context, SocketType::Stream, 0, kNonBlock);
        if (listener.ok() && listener.value()->bind(world.context, abstract("m")).ok() &&
            listener.value()->listen(world.context, 3).ok()) {
            Result<Ref<Socket>> client = net::create_unix_socket(world.context, SocketType::Stream, 0, kNonBlock);
            if (client.ok() && client.value()->connect(world.context, abstract("m")).ok()) {
                static_cast<void>(listener.value()->accept(world.context, 0));
            }
        }
        sim.inject_failures(false);
    });
}

}  // namespace
}  // namespace cairn
