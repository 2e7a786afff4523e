// Descriptors and credentials that travel through AF_UNIX, and several messages at once.
#include "tests/abi/support/unix_socket.h"

using namespace abi_test;

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
