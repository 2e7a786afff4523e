// Pairs of connected sockets of the family AF_UNIX: streams, datagrams, packets, options.
#include <sys/ioctl.h>

#include "tests/abi/support/unix_socket.h"

using namespace abi_test;

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

TEST(SocketPair, WaitallReceivesMoreThanASendBuffer) {
    make_pair();
    const size_t size = 1 << 20;
    char* bytes = map_pages(size / kPage);
    pid_t pid = start_child([=] { EXPECT_EQ(static_cast<ssize_t>(size), write(pair_[0], bytes, size)); });
    wait_until_asleep(pid);
    EXPECT_EQ(static_cast<ssize_t>(size), recv(pair_[1], bytes, size, MSG_WAITALL));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(SocketPair, WhatCannotBeDeliveredStays) {
    make_pair();
    char* page = map_pages(2);
    munmap(page + kPage, kPage);
    EXPECT_EQ(100, write(pair_[0], page, 100));
    EXPECT_ERRNO(EFAULT, read(pair_[1], page + kPage - 50, 100));
    EXPECT_EQ(60, write(pair_[0], page, 60));
    EXPECT_EQ(100, read(pair_[1], page + kPage - 130, 200)) << "the second message does not fit there";
    EXPECT_ERRNO(EFAULT, recv(pair_[1], page + kPage - 30, 200, MSG_PEEK));
    EXPECT_EQ(60, read(pair_[1], page, 200));
    EXPECT_ERRNO(EFAULT, write(pair_[0], page + kPage - 50, 100));
    EXPECT_ERRNO(EAGAIN, recv(pair_[1], page, 100, MSG_DONTWAIT));
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
