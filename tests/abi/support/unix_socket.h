// What the tests of AF_UNIX share: pairs, names, and messages with descriptors.
#pragma once

#include <sys/un.h>

#include "tests/abi/support/abi.h"

namespace abi_test {

inline int pair_[2];

inline void make_pair(int type = SOCK_STREAM) {
    ASSERT_OK(socketpair(AF_UNIX, type, 0, pair_));
}

struct Name {
    sockaddr_un address{};
    socklen_t size = 0;
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&address); }
};

// A path, or an abstract name if it begins with '@'.
inline Name named(const std::string& text) {
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

inline std::string unique_abstract() {
    return "@abi-test-" + std::to_string(getpid());
}

inline int listening(const std::string& at, int type = SOCK_STREAM) {
    int file = socket(AF_UNIX, type, 0);
    Name name = named(at);
    EXPECT_OK(bind(file, name.get(), name.size));
    EXPECT_OK(listen(file, 5));
    return file;
}

inline int connected(const std::string& to, int type = SOCK_STREAM) {
    int file = socket(AF_UNIX, type, 0);
    Name name = named(to);
    EXPECT_OK(connect(file, name.get(), name.size));
    return file;
}

inline short poll_now(int file, short events) {
    pollfd one{file, events, 0};
    EXPECT_LE(0, poll(&one, 1, 0));
    return one.revents;
}

// Sends one byte with descriptors.
inline ssize_t send_files(int socket, std::vector<int> files) {
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

inline Received receive(int socket, int flags = 0, size_t control_size = 200) {
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

}  // namespace abi_test
