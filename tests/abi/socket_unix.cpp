// AF_UNIX by name: paths and abstract names, listening, connecting, datagrams.
#include "tests/abi/support/unix_socket.h"

using namespace abi_test;

TEST(SocketUnix, ConnectAndAccept) {
    int listener = listening("s");
    int client = connected("s");
    EXPECT_EQ(POLLIN, poll_now(listener, POLLIN));
    sockaddr_un peer{};
    socklen_t size = sizeof peer;
    int server = accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
    ASSERT_OK(server);
    EXPECT_EQ(2u, size) << "an unnamed client";
    EXPECT_EQ(FD_CLOEXEC, fcntl(server, F_GETFD));
    EXPECT_EQ(2, send(client, "hi", 2, 0));
    char text[10] = {};
    EXPECT_EQ(2, recv(server, text, 10, 0));
    size = sizeof peer;
    ASSERT_OK(getpeername(client, reinterpret_cast<sockaddr*>(&peer), &size));
    EXPECT_STREQ("s", peer.sun_path);
    EXPECT_EQ(offsetof(sockaddr_un, sun_path) + 2, size);
    size = sizeof peer;
    ASSERT_OK(getsockname(server, reinterpret_cast<sockaddr*>(&peer), &size));
    EXPECT_STREQ("s", peer.sun_path);
    struct stat info{};
    ASSERT_OK(stat("s", &info));
    EXPECT_TRUE(S_ISSOCK(info.st_mode));
    EXPECT_EQ(0755u, info.st_mode & 07777);
}

TEST(SocketUnix, DataMayWaitForTheAccept) {
    int listener = listening("s");
    int client = connected("s");
    EXPECT_EQ(5, send(client, "early", 5, 0));
    close(client);
    int server = accept(listener, nullptr, nullptr);
    char text[10] = {};
    EXPECT_EQ(5, recv(server, text, 10, 0));
    EXPECT_EQ(0, recv(server, text, 10, 0));
}

TEST(SocketUnix, Errors) {
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    Name none = named("none");
    EXPECT_ERRNO(ENOENT, connect(file, none.get(), none.size));
    EXPECT_ERRNO(EINVAL, listen(file, 1)) << "not bound";
    write_file("plain", "");
    Name plain = named("plain");
    EXPECT_ERRNO(ECONNREFUSED, connect(file, plain.get(), plain.size));
    EXPECT_ERRNO(EADDRINUSE, bind(file, plain.get(), plain.size));
    Name deep = named("none/s");
    EXPECT_ERRNO(ENOENT, bind(file, deep.get(), deep.size));
    Name wrong = named("x");
    wrong.address.sun_family = AF_INET;
    EXPECT_ERRNO(EINVAL, bind(file, wrong.get(), wrong.size));
    EXPECT_ERRNO(EINVAL, bind(file, none.get(), 200));
    char byte;
    EXPECT_ERRNO(EINVAL, recv(file, &byte, 1, 0)) << "a stream without a peer";
    EXPECT_ERRNO(ENOTCONN, send(file, "x", 1, 0));
    EXPECT_ERRNO(EINVAL, accept(file, nullptr, nullptr));
    int listener = listening("s");
    Name s = named("s");
    EXPECT_ERRNO(EINVAL, connect(listener, s.get(), s.size));
    int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_ERRNO(EPROTOTYPE, connect(datagram, s.get(), s.size));
    EXPECT_ERRNO(EOPNOTSUPP, listen(datagram, 1));
    int client = connected("s");
    EXPECT_ERRNO(EISCONN, connect(client, s.get(), s.size));
    close(listener);
    EXPECT_ERRNO(ECONNREFUSED, connect(socket(AF_UNIX, SOCK_STREAM, 0), s.get(), s.size)) << "nobody behind the name";
}

TEST(SocketUnix, ListenerThatGoesResetsThoseInTheQueue) {
    int listener = listening("s");
    int client = connected("s");
    close(listener);
    char byte;
    EXPECT_ERRNO(ECONNRESET, recv(client, &byte, 1, 0));
}

TEST(SocketUnix, FullQueueIsEagainForTheNonblocking) {
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    Name s = named("s");
    ASSERT_OK(bind(listener, s.get(), s.size));
    ASSERT_OK(listen(listener, 1));
    int refused = 0;
    for (int i = 0; i < 5; i++) {
        int file = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        refused += connect(file, s.get(), s.size) == 0 ? 0 : 1;
    }
    EXPECT_EQ(EAGAIN, errno);
    EXPECT_EQ(3, refused) << "one more than the backlog fits";
}

TEST(SocketUnix, PermissionToConnect) {
    int listener = listening("s");
    (void)listener;
    ASSERT_OK(chmod("s", 0600));
    as_user(1000, [] {
        Name s = named("s");
        EXPECT_ERRNO(EACCES, connect(socket(AF_UNIX, SOCK_STREAM, 0), s.get(), s.size));
    });
}

TEST(SocketUnix, AbstractNames) {
    std::string name = unique_abstract();
    int listener = listening(name);
    int client = connected(name);
    EXPECT_OK(client);
    EXPECT_ERRNO(EADDRINUSE, bind(socket(AF_UNIX, SOCK_STREAM, 0), named(name).get(), named(name).size));
    sockaddr_un address{};
    socklen_t size = sizeof address;
    ASSERT_OK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size));
    EXPECT_EQ(offsetof(sockaddr_un, sun_path) + name.size(), size);
    EXPECT_EQ('\0', address.sun_path[0]);
    close(listener);
    close(client);
    listening(name);
    // A family alone asks for any free name.
    int any = socket(AF_UNIX, SOCK_DGRAM, 0);
    address.sun_family = AF_UNIX;
    ASSERT_OK(bind(any, reinterpret_cast<sockaddr*>(&address), 2));
    size = sizeof address;
    ASSERT_OK(getsockname(any, reinterpret_cast<sockaddr*>(&address), &size));
    EXPECT_EQ(8u, size) << "five digits after the zero";
}

TEST(SocketUnix, DatagramsToNames) {
    int server = socket(AF_UNIX, SOCK_DGRAM, 0);
    Name s = named("server");
    ASSERT_OK(bind(server, s.get(), s.size));
    int client = socket(AF_UNIX, SOCK_DGRAM, 0);
    Name c = named("client");
    ASSERT_OK(bind(client, c.get(), c.size));
    EXPECT_EQ(4, sendto(client, "ping", 4, 0, s.get(), s.size));
    char text[10] = {};
    sockaddr_un from{};
    socklen_t size = sizeof from;
    EXPECT_EQ(4, recvfrom(server, text, 10, 0, reinterpret_cast<sockaddr*>(&from), &size));
    EXPECT_STREQ("client", from.sun_path);
    EXPECT_EQ(4, sendto(server, "pong", 4, 0, reinterpret_cast<sockaddr*>(&from), size));
    EXPECT_EQ(4, recv(client, text, 10, 0));
    EXPECT_ERRNO(ENOTCONN, send(client, "x", 1, 0));
    ASSERT_OK(connect(client, s.get(), s.size));
    EXPECT_EQ(1, send(client, "x", 1, 0));
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_ERRNO(EPERM, connect(other, c.get(), c.size)) << "it is connected to somebody else";
    close(server);
    EXPECT_ERRNO(ECONNREFUSED, send(client, "x", 1, 0));
}
