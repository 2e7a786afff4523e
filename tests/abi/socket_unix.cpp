// Sockets of the family AF_UNIX.
#include <sys/ioctl.h>
#include <sys/un.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

int pair_[2];

void make_pair(int type = SOCK_STREAM) {
    ASSERT_OK(socketpair(AF_UNIX, type, 0, pair_));
}

struct Name {
    sockaddr_un address{};
    socklen_t size = 0;
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&address); }
};

// A path, or an abstract name if it begins with '@'.
Name named(const std::string& text) {
    Name name;
    name.address.sun_family = AF_UNIX;
    memcpy(name.address.sun_path, text.data(), text.size());
    name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + 1);
    if (text[0] == '@') {
        name.address.sun_path[0] = '\0';
        name.size--;
    }
    return name;
}

std::string unique_abstract() {
    return "@abi-test-" + std::to_string(getpid());
}

int listening(const std::string& at, int type = SOCK_STREAM) {
    int file = socket(AF_UNIX, type, 0);
    Name name = named(at);
    EXPECT_OK(bind(file, name.get(), name.size));
    EXPECT_OK(listen(file, 5));
    return file;
}

int connected(const std::string& to, int type = SOCK_STREAM) {
    int file = socket(AF_UNIX, type, 0);
    Name name = named(to);
    EXPECT_OK(connect(file, name.get(), name.size));
    return file;
}

short poll_now(int file, short events) {
    pollfd one{file, events, 0};
    EXPECT_LE(0, poll(&one, 1, 0));
    return one.revents;
}

// Sends one byte with descriptors.
ssize_t send_files(int socket, std::vector<int> files) {
    char byte = 'f';
    iovec part{&byte, 1};
    std::vector<char> control(CMSG_SPACE(files.size() * sizeof(int)));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
    memcpy(CMSG_DATA(header), files.data(), files.size() * sizeof(int));
    return sendmsg(socket, &message, 0);
}

struct Received {
    ssize_t count;
    int flags;
    std::vector<int> files;
    ucred credentials{-1, 0, 0};
};

Received receive(int socket, int flags = 0, size_t control_size = 200) {
    Received result{};
    result.credentials.pid = -1;
    char text[100];
    iovec part{text, sizeof text};
    std::vector<char> control(control_size);
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control_size;
    result.count = recvmsg(socket, &message, flags);
    result.flags = message.msg_flags;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_type == SCM_RIGHTS) {
            size_t number = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            result.files.resize(number);
            memcpy(result.files.data(), CMSG_DATA(header), number * sizeof(int));
        } else if (header->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&result.credentials, CMSG_DATA(header), sizeof(ucred));
        }
    }
    return result;
}

}  // namespace

TEST(Socket, CreationErrors) {
    EXPECT_ERRNO(EAFNOSUPPORT, socket(99, SOCK_STREAM, 0));
    EXPECT_ERRNO(EPROTONOSUPPORT, socket(AF_UNIX, SOCK_STREAM, 5));
    EXPECT_ERRNO(ESOCKTNOSUPPORT, socket(AF_UNIX, SOCK_RDM, 0));
    EXPECT_ERRNO(EINVAL, socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
    EXPECT_ERRNO(EFAULT, socketpair(AF_UNIX, SOCK_STREAM, 0, reinterpret_cast<int*>(8)));
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    EXPECT_TRUE(fcntl(file, F_GETFL) & O_NONBLOCK);
}

TEST(Socket, CallsOnOtherDescriptors) {
    int file = open("/dev/null", O_RDWR);
    sockaddr address{};
    socklen_t size = sizeof address;
    EXPECT_ERRNO(ENOTSOCK, bind(file, &address, size));
    EXPECT_ERRNO(ENOTSOCK, listen(file, 1));
    EXPECT_ERRNO(ENOTSOCK, accept(file, &address, &size));
    EXPECT_ERRNO(ENOTSOCK, send(file, "x", 1, 0));
    EXPECT_ERRNO(ENOTSOCK, getsockname(file, &address, &size));
    EXPECT_ERRNO(ENOTSOCK, shutdown(file, SHUT_RD));
    EXPECT_ERRNO(EBADF, listen(600, 1));
}

TEST(SocketPair, StreamsBothWays) {
    make_pair();
    EXPECT_EQ(5, write(pair_[0], "hello", 5));
    EXPECT_EQ(3, write(pair_[1], "abc", 3));
    char text[10] = {};
    EXPECT_EQ(5, read(pair_[1], text, 10));
    EXPECT_STREQ("hello", text);
    EXPECT_EQ(3, read(pair_[0], text, 10));
    EXPECT_EQ(2, send(pair_[0], "xy", 2, 0));
    EXPECT_EQ(1, send(pair_[0], "z", 1, 0));
    EXPECT_EQ(3, recv(pair_[1], text, 10, 0)) << "no boundaries";
}

TEST(SocketPair, DatagramsKeepBoundaries) {
    make_pair(SOCK_DGRAM);
    EXPECT_EQ(5, send(pair_[0], "first", 5, 0));
    EXPECT_EQ(0, send(pair_[0], "", 0, 0));
    EXPECT_EQ(6, send(pair_[0], "second", 6, 0));
    char text[10] = {};
    EXPECT_EQ(3, recv(pair_[1], text, 3, 0)) << "the rest is lost";
    EXPECT_EQ(0, recv(pair_[1], text, 10, 0)) << "an empty one";
    EXPECT_EQ(6, recv(pair_[1], text, 3, MSG_TRUNC)) << "its real length";
    EXPECT_ERRNO(EMSGSIZE, send(pair_[0], map_pages(300), 300 * kPage, 0));
}

TEST(SocketPair, SequencedPackets) {
    make_pair(SOCK_SEQPACKET);
    EXPECT_EQ(3, send(pair_[0], "abc", 3, 0));
    EXPECT_EQ(3, send(pair_[0], "def", 3, 0));
    Received got = receive(pair_[1]);
    EXPECT_EQ(3, got.count);
    char text[2];
    EXPECT_EQ(2, recv(pair_[1], text, 2, 0));
    close(pair_[0]);
    EXPECT_EQ(0, recv(pair_[1], text, 2, 0));
}

TEST(SocketPair, PeekAndDontwaitAndWaitall) {
    make_pair();
    char text[10] = {};
    EXPECT_ERRNO(EAGAIN, recv(pair_[1], text, 1, MSG_DONTWAIT));
    send(pair_[0], "abc", 3, 0);
    EXPECT_EQ(2, recv(pair_[1], text, 2, MSG_PEEK));
    EXPECT_EQ(3, recv(pair_[1], text, 10, MSG_PEEK));
    EXPECT_EQ(3, recv(pair_[1], text, 10, 0));
    pid_t pid = start_child([] {
        send(pair_[0], "12345", 5, 0);
        sched_yield();
        send(pair_[0], "67890", 5, 0);
    });
    EXPECT_EQ(10, recv(pair_[1], text, 10, MSG_WAITALL));
    wait_for(pid);
    int available = 0;
    send(pair_[0], "abc", 3, 0);
    EXPECT_OK(ioctl(pair_[1], FIONREAD, &available));
    EXPECT_EQ(3, available);
}

TEST(SocketPair, PeerThatGoes) {
    make_pair();
    handle(SIGPIPE, SIG_IGN);
    send(pair_[0], "x", 1, 0);
    close(pair_[0]);
    char byte;
    EXPECT_EQ(1, recv(pair_[1], &byte, 1, 0)) << "what came before is there";
    EXPECT_EQ(0, recv(pair_[1], &byte, 1, 0));
    EXPECT_ERRNO(EPIPE, send(pair_[1], "x", 1, 0));
    EXPECT_EQ(POLLIN | POLLOUT | POLLHUP | POLLRDHUP, poll_now(pair_[1], POLLIN | POLLOUT | POLLRDHUP));
    make_pair();
    EXPECT_ENDS("SIGPIPE", run_child([] {
                    handle(SIGPIPE, SIG_DFL);
                    close(pair_[0]);
                    shutdown(pair_[1], SHUT_WR);
                    send(pair_[1], "x", 1, 0);
                }));
    EXPECT_ERRNO(EPIPE, send(pair_[1], "x", 1, MSG_NOSIGNAL)) << "the shutdown in the child was of the socket";
}

TEST(SocketPair, UnreadDataMakesAReset) {
    make_pair();
    send(pair_[0], "unread", 6, 0);
    close(pair_[1]);
    char byte;
    EXPECT_ERRNO(ECONNRESET, recv(pair_[0], &byte, 1, 0));
    EXPECT_EQ(0, recv(pair_[0], &byte, 1, 0));
}

TEST(SocketPair, ShutdownOfHalves) {
    make_pair();
    handle(SIGPIPE, SIG_IGN);
    EXPECT_OK(shutdown(pair_[0], SHUT_WR));
    char byte;
    EXPECT_EQ(0, recv(pair_[1], &byte, 1, 0));
    EXPECT_ERRNO(EPIPE, send(pair_[0], "x", 1, 0));
    EXPECT_EQ(1, send(pair_[1], "y", 1, 0)) << "the other direction works";
    EXPECT_EQ(1, recv(pair_[0], &byte, 1, 0));
    EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(pair_[1], POLLIN | POLLRDHUP));
    EXPECT_OK(shutdown(pair_[0], SHUT_RD));
    EXPECT_ERRNO(EPIPE, send(pair_[1], "y", 1, 0));
    EXPECT_ERRNO(EINVAL, shutdown(pair_[0], 9));
    int alone = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(shutdown(alone, SHUT_RD)) << "Linux does not ask for a peer";
}

TEST(SocketPair, FullBufferBlocksAndPolls) {
    make_pair(SOCK_STREAM | SOCK_NONBLOCK);
    char* block = map_pages(4);
    ssize_t total = 0;
    for (ssize_t count; (count = send(pair_[0], block, 4 * kPage, 0)) > 0;) {
        total += count;
    }
    EXPECT_EQ(EAGAIN, errno);
    EXPECT_GT(total, 50'000);
    EXPECT_EQ(0, poll_now(pair_[0], POLLOUT));
    while (recv(pair_[1], block, 4 * kPage, 0) > 0) {
    }
    EXPECT_EQ(POLLOUT, poll_now(pair_[0], POLLOUT));
}

TEST(SocketPair, LargeTransfer) {
    make_pair();
    pid_t pid = start_child([] {
        close(pair_[1]);
        std::string block(100'000, 's');
        for (int i = 0; i < 10; i++) {
            ASSERT_EQ(100'000, send(pair_[0], block.data(), block.size(), 0));
        }
    });
    close(pair_[0]);
    EXPECT_EQ(1'000'000u, read_all(pair_[1]).size());
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(SocketPair, Options) {
    make_pair();
    int value = 0;
    socklen_t size = sizeof value;
    EXPECT_OK(getsockopt(pair_[0], SOL_SOCKET, SO_TYPE, &value, &size));
    EXPECT_EQ(SOCK_STREAM, value);
    EXPECT_OK(getsockopt(pair_[0], SOL_SOCKET, SO_DOMAIN, &value, &size));
    EXPECT_EQ(AF_UNIX, value);
    EXPECT_OK(getsockopt(pair_[0], SOL_SOCKET, SO_ERROR, &value, &size));
    EXPECT_EQ(0, value);
    EXPECT_OK(getsockopt(pair_[0], SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
    EXPECT_EQ(0, value);
    value = 10'000;
    EXPECT_OK(setsockopt(pair_[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
    EXPECT_OK(getsockopt(pair_[0], SOL_SOCKET, SO_SNDBUF, &value, &size));
    EXPECT_EQ(20'000, value) << "doubled, as Linux does";
    EXPECT_ERRNO(ENOPROTOOPT, getsockopt(pair_[0], SOL_SOCKET, 9999, &value, &size));
    EXPECT_ERRNO(EOPNOTSUPP, getsockopt(pair_[0], 77, 1, &value, &size));
    ucred peer{};
    size = sizeof peer;
    EXPECT_OK(getsockopt(pair_[0], SOL_SOCKET, SO_PEERCRED, &peer, &size));
    EXPECT_EQ(getpid(), peer.pid);
    EXPECT_EQ(0u, peer.uid);
    timeval limit{0, 20'000};
    EXPECT_OK(setsockopt(pair_[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    char byte;
    int64_t begin = now_ns();
    EXPECT_ERRNO(EAGAIN, recv(pair_[0], &byte, 1, 0));
    EXPECT_GE(now_ns() - begin, 19'000'000);
}

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

TEST(SocketRights, DescriptorsTravel) {
    make_pair();
    write_file("f", "contents");
    int file = open("f", O_RDONLY);
    ASSERT_EQ(1, send_files(pair_[0], {file, pair_[0]}));
    close(file);
    child([] {
        Received got = receive(pair_[1]);
        ASSERT_EQ(2u, got.files.size());
        EXPECT_EQ("contents", read_all(got.files[0]));
        EXPECT_EQ(0, fcntl(got.files[0], F_GETFD));
        EXPECT_EQ(3, send(got.files[1], "abc", 3, 0));
    });
    char text[4] = {};
    EXPECT_EQ(3, recv(pair_[1], text, 3, 0));
}

TEST(SocketRights, FlagsAndTruncation) {
    make_pair();
    ASSERT_EQ(1, send_files(pair_[0], {0, 0, 0}));
    Received got = receive(pair_[1], MSG_CMSG_CLOEXEC, CMSG_SPACE(sizeof(int)));
    EXPECT_TRUE(got.flags & MSG_CTRUNC);
    EXPECT_EQ(2u, got.files.size()) << "the padding has room for a second";
    EXPECT_EQ(FD_CLOEXEC, fcntl(got.files[0], F_GETFD));
    ASSERT_EQ(1, send_files(pair_[0], {0}));
    got = receive(pair_[1], 0, 0);
    EXPECT_EQ(1, got.count);
    EXPECT_TRUE(got.flags & MSG_CTRUNC);
    EXPECT_ERRNO(EBADF, send_files(pair_[0], {600}));
    EXPECT_ERRNO(EINVAL, send_files(pair_[0], std::vector<int>(254, 0)));
    EXPECT_EQ(1, send_files(pair_[0], std::vector<int>(253, 0)));
}

TEST(SocketRights, StopAReadOfAStream) {
    make_pair();
    send(pair_[0], "abc", 3, 0);
    ASSERT_EQ(1, send_files(pair_[0], {0}));
    send(pair_[0], "def", 3, 0);
    Received got = receive(pair_[1]);
    EXPECT_EQ(4, got.count) << "as far as the message with the descriptors";
    EXPECT_EQ(1u, got.files.size());
    got = receive(pair_[1]);
    EXPECT_EQ(3, got.count);
}

TEST(SocketRights, UnreceivedFilesAreClosed) {
    int ends[2];
    ASSERT_OK(pipe(ends));
    make_pair();
    ASSERT_EQ(1, send_files(pair_[0], {ends[1]}));
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char byte;
    EXPECT_ERRNO(EAGAIN, read(ends[0], &byte, 1)) << "in flight it is open";
    close(pair_[0]);
    close(pair_[1]);
    EXPECT_EQ(0, read(ends[0], &byte, 1));
}

TEST(SocketRights, SocketSentToItselfIsCollected) {
    int ends[2];
    ASSERT_OK(pipe(ends));
    for (int i = 0; i < 20; i++) {
        make_pair();
        ASSERT_EQ(1, send_files(pair_[0], {pair_[1], ends[1]}));
        close(pair_[0]);
        close(pair_[1]);
    }
    close(ends[1]);
    // The cycle holds the pipe's end until it is found; any later socket may have to do that.
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char byte;
    int tries = 0;
    while (read(ends[0], &byte, 1) != 0 && tries < 2000) {
        make_pair();
        send_files(pair_[0], {0});
        close(pair_[0]);
        close(pair_[1]);
        sleep_ms(1);
        tries++;
    }
    EXPECT_LT(tries, 2000);
}

TEST(SocketCredentials, SentAndChecked) {
    make_pair();
    int on = 1;
    ASSERT_OK(setsockopt(pair_[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    pid_t pid = start_child([] {
        become_user(1000, 1001);
        EXPECT_EQ(1, send(pair_[0], "x", 1, 0));
    });
    Received got = receive(pair_[1]);
    EXPECT_EQ(pid, got.credentials.pid);
    EXPECT_EQ(1000u, got.credentials.uid);
    EXPECT_EQ(1001u, got.credentials.gid);
    EXPECT_ENDS("exit 0", wait_for(pid));
    as_user(1000, [] {
        ucred forged{getpid(), 0, 0};
        char control[CMSG_SPACE(sizeof forged)] = {};
        char byte = 'x';
        iovec part{&byte, 1};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_CREDENTIALS;
        header->cmsg_len = CMSG_LEN(sizeof forged);
        memcpy(CMSG_DATA(header), &forged, sizeof forged);
        EXPECT_ERRNO(EPERM, sendmsg(pair_[0], &message, 0));
    });
}

TEST(SocketMessage, SeveralAtOnce) {
    make_pair(SOCK_DGRAM);
    char a[] = "one";
    char b[] = "three";
    iovec parts[2] = {{a, 3}, {b, 5}};
    mmsghdr messages[2] = {};
    for (int i = 0; i < 2; i++) {
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    EXPECT_EQ(2, sendmmsg(pair_[0], messages, 2, 0));
    EXPECT_EQ(5u, messages[1].msg_len);
    char c[10];
    char d[10];
    iovec into[2] = {{c, 10}, {d, 10}};
    for (int i = 0; i < 2; i++) {
        messages[i].msg_hdr.msg_iov = &into[i];
    }
    EXPECT_EQ(2, recvmmsg(pair_[1], messages, 2, MSG_DONTWAIT, nullptr));
    EXPECT_EQ(3u, messages[0].msg_len);
    EXPECT_EQ(0, memcmp(d, "three", 5));
}
