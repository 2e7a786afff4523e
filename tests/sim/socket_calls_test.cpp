/// What the calls of sockets, pipes, queues and System V IPC do.

#include <gtest/gtest.h>
#include <mqueue.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

struct Pair {
    i32 first, second;
};
Pair socket_pair(UserMachine& u, int type) {
    expect(u, 0, SYS_socketpair, AF_UNIX, type, 0, word(0));
    return u.load<Pair>(word(0));
}
/// A name in the filesystem, at kText + 512; returns its size.
u64 address(UserMachine& u, const char* path) {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strcpy(name.sun_path, path);
    u.store(kText + 512, name);
    return 2 + std::strlen(path) + 1;
}
constexpr VirtualAddress kAddress = kText + 512;
constexpr VirtualAddress kSize = word(9);

TEST(SocketCalls, StreamsWithNames) {
    check_calls("socket, bind, listen, accept, connect", [](UserMachine& u) {
        expect(u, -EAFNOSUPPORT, SYS_socket, 99, SOCK_STREAM, 0);
        expect(u, -EPROTONOSUPPORT, SYS_socket, AF_UNIX, SOCK_STREAM, 5);
        expect(u, -ESOCKTNOSUPPORT, SYS_socket, AF_UNIX, SOCK_RDM, 0);
        expect(u, -EINVAL, SYS_socket, AF_UNIX, SOCK_STREAM | 0x1'0000, 0);
        const i64 server = check_made(u.syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
        const u64 size = address(u, "/d/name");
        expect(u, -EINVAL, SYS_listen, server, 5);
        expect(u, 0, SYS_bind, server, kAddress, size);
        expect(u, -EINVAL, SYS_bind, server, kAddress, size);
        expect(u, 0, SYS_listen, server, 5);
        const i64 other = check_made(u.syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
        expect(u, -EADDRINUSE, SYS_bind, other, kAddress, size);
        expect(u, -EINVAL, SYS_bind, other, kAddress, 200);
        expect(u, -ENOTSOCK, SYS_bind, 0, kAddress, size);
        expect(u, 0, SYS_connect, other, kAddress, size);
        expect(u, -EISCONN, SYS_connect, other, kAddress, size);
        u.store<i32>(kSize, 110);
        const i64 accepted = check_made(u.syscall(SYS_accept4, server, kBuffer, kSize, SOCK_CLOEXEC));
        expect_memory<i32>(u, kSize, 2);  // the peer has no name
        expect(u, FD_CLOEXEC, SYS_fcntl, accepted, F_GETFD);
        expect(u, -EINVAL, SYS_accept4, server, 0, 0, 1);
        u.store<i32>(kSize, 110);
        expect(u, 0, SYS_getpeername, other, kBuffer, kSize);
        expect_memory<i32>(u, kSize, static_cast<i32>(size));
        expect_bytes(u, kBuffer + 2, "/d/name");
        u.store<i32>(kSize, 5);
        expect(u, 0, SYS_getsockname, server, kBuffer + 64, kSize);
        expect_memory<i32>(u, kSize, static_cast<i32>(size));
        expect_memory<u32>(u, kBuffer + 68, '/');  // five bytes were written: family and "/d/"
        expect(u, -ENOTCONN, SYS_getpeername, server, kBuffer, kSize);
        check(write_text(u, other, "hello"), 5);
        expect(u, 5, SYS_recvfrom, accepted, kBuffer, 100, MSG_PEEK, 0, 0);
        expect(u, 5, SYS_recvfrom, accepted, kBuffer, 100, 0, 0, 0);
        expect_bytes(u, kBuffer, "hello");
        expect(u, -EAGAIN, SYS_recvfrom, accepted, kBuffer, 100, MSG_DONTWAIT, 0, 0);
        expect(u, 0, SYS_shutdown, other, SHUT_WR);
        expect(u, 0, SYS_read, accepted, kBuffer, 10);
        expect(u, -EPIPE, SYS_sendto, other, kBuffer, 1, MSG_NOSIGNAL, 0, 0);
        set_handler(u, SIGPIPE, 1);
        expect(u, -EPIPE, SYS_write, other, kBuffer, 1);
        expect(u, -EINVAL, SYS_shutdown, other, 9);
        address(u, "/d/f");
        expect(u, -ECONNREFUSED, SYS_connect, check_made(u.syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)), kAddress, 7);
        address(u, "/absent");
        expect(u, -ENOENT, SYS_connect, check_made(u.syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)), kAddress, 10);
    });
}

TEST(SocketCalls, OptionsAndDatagrams) {
    check_calls("getsockopt, datagrams", [](UserMachine& u) {
        const Pair pair = socket_pair(u, SOCK_DGRAM);
        const auto option = [](UserMachine& c, i64 fd, int name) {
            c.store<i32>(kSize, 16);
            expect(c, 0, SYS_getsockopt, fd, SOL_SOCKET, name, kBuffer, kSize);
            return c.load<i32>(kBuffer);
        };
        require(option(u, pair.first, SO_TYPE) == SOCK_DGRAM && option(u, pair.first, SO_DOMAIN) == AF_UNIX, "SO_TYPE");
        require(option(u, pair.first, SO_ERROR) == 0 && option(u, pair.first, SO_ACCEPTCONN) == 0, "SO_ERROR");
        u.store<i32>(word(4), 8192);
        expect(u, 0, SYS_setsockopt, pair.first, SOL_SOCKET, SO_SNDBUF, word(4), 4);
        require(option(u, pair.first, SO_SNDBUF) == 16384, "SO_SNDBUF is doubled");
        u.store<i32>(word(4), 1);
        expect(u, 0, SYS_setsockopt, pair.second, SOL_SOCKET, SO_PASSCRED, word(4), 4);
        expect(u, -EINVAL, SYS_setsockopt, pair.first, SOL_SOCKET, SO_PASSCRED, word(4), 2);
        expect(u, -ENOPROTOOPT, SYS_setsockopt, pair.first, SOL_SOCKET, 9999, word(4), 4);
        expect(u, -ENOPROTOOPT, SYS_getsockopt, pair.first, SOL_SOCKET, 9999, kBuffer, kSize);
        expect(u, 0, SYS_getsockopt, pair.first, SOL_SOCKET, SO_PEERCRED, kBuffer, kSize);
        expect_memory<i32>(u, kBuffer, static_cast<i32>(u.syscall(SYS_getpid)));
        const i64 timeout[] = {0, 1000};
        u.store(word(4), timeout);
        expect(u, 0, SYS_setsockopt, pair.first, SOL_SOCKET, SO_RCVTIMEO, word(4), 16);
        expect(u, -EAGAIN, SYS_recvfrom, pair.first, kBuffer, 10, 0, 0, 0);
        // A message that is cut says how long it was.
        expect(u, 10, SYS_sendto, pair.first, kBuffer, 10, 0, 0, 0);
        expect(u, 10, SYS_recvfrom, pair.second, kBuffer, 4, MSG_TRUNC, 0, 0);
        expect(u, -EMSGSIZE, SYS_sendto, pair.first, VirtualAddress{0x1000'0000}, 60'000, MSG_DONTWAIT, 0, 0);
        // Several at once.
        const iovec part = {reinterpret_cast<void*>(kBuffer.value + 256), 8};
        u.store(word(5), part);
        struct {
            msghdr header;
            u32 size, padding;
        } messages[2] = {};
        for (auto& message : messages) {
            message.header.msg_iov = reinterpret_cast<iovec*>(word(5).value);
            message.header.msg_iovlen = 1;
        }
        u.store(kBuffer, messages);
        expect(u, 2, SYS_sendmmsg, pair.first, kBuffer, 2, 0);
        expect_memory<u32>(u, kBuffer + 56, 8);
        expect(u, 2, SYS_recvmmsg, pair.second, kBuffer, 2, MSG_DONTWAIT, 0);
        expect(u, -EAGAIN, SYS_recvmmsg, pair.second, kBuffer, 2, MSG_DONTWAIT, 0);
        expect(u, 0, SYS_sendmmsg, pair.first, kBuffer, 0, 0);
    });
}

TEST(SocketCalls, FilesAndCredentialsGoAlong) {
    check_calls("sendmsg, recvmsg", [](UserMachine& u) {
        const Pair pair = socket_pair(u, SOCK_STREAM);
        const Pipe ends = pipe(u, 2);
        u.store<i32>(word(4), 1);
        expect(u, 0, SYS_setsockopt, pair.second, SOL_SOCKET, SO_PASSCRED, word(4), 4);
        const iovec part = {reinterpret_cast<void*>(kBuffer.value + 256), 4};
        u.store(word(5), part);
        struct Control {
            u64 size;
            i32 level, type, data[4];
        };
        const auto send = [](UserMachine& c, i64 fd, const Control& control, u64 size) {
            c.store(kBuffer + 512, control);
            msghdr header = {};
            header.msg_iov = reinterpret_cast<iovec*>(word(5).value);
            header.msg_iovlen = 1;
            header.msg_control = reinterpret_cast<void*>(kBuffer.value + 512);
            header.msg_controllen = size;
            c.store(kBuffer, header);
            return c.syscall(SYS_sendmsg, fd, kBuffer, 0);
        };
        const Control files = {
            24, SOL_SOCKET, SCM_RIGHTS, {static_cast<i32>(ends.reader), static_cast<i32>(ends.writer), 0, 0}};
        check(send(u, pair.first, files, 24), 4);
        msghdr header = u.load<msghdr>(kBuffer);
        header.msg_controllen = 128;
        u.store(kBuffer, header);
        expect(u, 4, SYS_recvmsg, pair.second, kBuffer, MSG_CMSG_CLOEXEC);
        header = u.load<msghdr>(kBuffer);
        const auto credentials = u.load<Control>(kBuffer + 512);
        require(credentials.type == SCM_CREDENTIALS && credentials.data[0] == u.syscall(SYS_getpid), "credentials");
        const auto received = u.load<Control>(kBuffer + 512 + 32);
        require(received.type == SCM_RIGHTS && received.size == 24, "two files");
        check(write_text(u, received.data[1], "x"), 1);
        expect(u, 1, SYS_read, ends.reader, kBuffer, 1);
        expect(u, FD_CLOEXEC, SYS_fcntl, received.data[0], F_GETFD);
        // What is wrong with them.
        Control wrong = files;
        wrong.data[0] = 99;
        check(send(u, pair.first, wrong, 24), -EBADF);
        wrong = files;
        wrong.size = 8;
        check(send(u, pair.first, wrong, 24), -EINVAL);
        wrong.size = 100;
        check(send(u, pair.first, wrong, 24), -EINVAL);
        wrong = {28, SOL_SOCKET, SCM_CREDENTIALS, {static_cast<i32>(u.syscall(SYS_getpid)), 0, 0, 0}};
        check(send(u, pair.first, wrong, 28), 4);
        wrong.data[0] = 29'999;
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            const Control lie = {28, SOL_SOCKET, SCM_CREDENTIALS, {static_cast<i32>(c.syscall(SYS_getpid)), 0, 0, 0}};
            const Pair mine = socket_pair(c, SOCK_STREAM);
            c.store(kBuffer + 512, lie);
            msghdr message = c.load<msghdr>(kBuffer);
            message.msg_controllen = 28;
            c.store(kBuffer, message);
            expect(c, -EPERM, SYS_sendmsg, mine.first, kBuffer, 0);
            exit(c, 0);
        });
        expect(u, -EFAULT, SYS_sendmsg, pair.first, 8, 0);
        expect(u, -EFAULT, SYS_recvmsg, pair.second, 8, 0);
    });
}

TEST(SocketCalls, WhatCannotBeDeliveredStays) {
    check_calls("recv: EFAULT", [](UserMachine& u) {
        const Pair pair = socket_pair(u, SOCK_STREAM);
        constexpr u64 kPage = 4096;
        const u64 pages = static_cast<u64>(
            check_made(u.syscall(SYS_mmap, 0, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
        expect(u, 0, SYS_munmap, pages + kPage, kPage);
        expect(u, 100, SYS_write, pair.first, pages, 100);
        expect(u, -EFAULT, SYS_read, pair.second, pages + kPage - 50, 100);
        expect(u, 60, SYS_write, pair.first, pages, 60);
        expect(u, 100, SYS_read, pair.second, pages + kPage - 130, 200);  // the second message does not fit there
        expect(u, -EFAULT, SYS_recvfrom, pair.second, pages + kPage - 30, 200, MSG_PEEK, 0, 0);
        expect(u, 60, SYS_read, pair.second, pages, 200);
        expect(u, -EFAULT, SYS_write, pair.first, pages + kPage - 50, 100);
        expect(u, -EAGAIN, SYS_recvfrom, pair.second, pages, 100, MSG_DONTWAIT, 0, 0);
    });
}

TEST(SocketCalls, PipesAtTheEndOfMemory) {
    check_calls("pipe: EFAULT", [](UserMachine& u) {
        constexpr u64 kPage = 4096;
        const u64 pages = static_cast<u64>(
            check_made(u.syscall(SYS_mmap, 0, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
        expect(u, 0, SYS_munmap, pages + 3 * kPage, kPage);
        const u64 end = pages + 3 * kPage;
        const Pipe ends = pipe(u, 0, O_NONBLOCK);
        const auto left = [&](i32 wanted) {
            expect(u, 0, SYS_ioctl, ends.reader, FIONREAD, word(5));
            expect_memory<i32>(u, word(5), wanted);
        };
        expect(u, 100, SYS_write, ends.writer, pages, 100);
        expect(u, -EFAULT, SYS_read, ends.reader, end - 50, 100);
        left(100);
        expect(u, 5000, SYS_write, ends.writer, pages, 5000);
        expect(u, 1004, SYS_read, ends.reader, end - 4000, 8000);  // what of a page does not fit stays
        left(4096);
        expect(u, 4096, SYS_read, ends.reader, pages, 8000);
        expect(u, 3 * 4096, SYS_write, ends.writer, pages, 3 * kPage);
        expect(u, 4096, SYS_read, ends.reader, end - kPage - 100, 3 * kPage);
        left(2 * 4096);
        expect(u, 2 * 4096, SYS_read, ends.reader, pages, 3 * kPage);
        expect(u, -EFAULT, SYS_write, ends.writer, end - 50, 100);
        left(0);
        expect(u, 2 * 4096, SYS_write, ends.writer, end - 2 * kPage - 100, 3 * kPage);
        left(2 * 4096);
        expect(u, 2 * 4096, SYS_read, ends.reader, pages, 3 * kPage);
    });
}

TEST(SocketCalls, Splicing) {
    check_calls("splice, tee, vmsplice", [](UserMachine& u) {
        const Pipe one = pipe(u, 0, O_NONBLOCK);
        const Pipe two = pipe(u, 2, O_NONBLOCK);
        const i64 file = open_at(u, "/d/new", O_RDWR | O_CREAT);
        check(write_text(u, file, "0123456789"), 10);
        u.store<u64>(word(5), 2);
        expect(u, 5, SYS_splice, file, word(5), one.writer, 0, 5, 0);
        expect_memory<u64>(u, word(5), 7);
        expect(u, 5, SYS_tee, one.reader, two.writer, 100, 0);
        expect(u, 5, SYS_read, two.reader, kBuffer, 100);
        expect_bytes(u, kBuffer, "23456");
        u.store<u64>(word(5), 20);
        expect(u, 3, SYS_splice, one.reader, 0, file, word(5), 3, 0);
        expect(u, 3, SYS_pread64, file, kBuffer, 100, 20);
        expect(u, 2, SYS_splice, one.reader, 0, two.writer, 0, 100, 0);
        expect(u, -EAGAIN, SYS_splice, one.reader, 0, two.writer, 0, 100, 0);
        expect(u, -EINVAL, SYS_splice, file, 0, file, 0, 100, 0);
        expect(u, -ESPIPE, SYS_splice, one.reader, word(5), file, 0, 100, 0);
        expect(u, -EINVAL, SYS_tee, one.reader, one.writer, 100, 0);
        expect(u, -EINVAL, SYS_tee, one.reader, file, 100, 0);
        expect(u, -EINVAL, SYS_splice, one.reader, 0, file, 0, 100, 0x100);
        const iovec part = {reinterpret_cast<void*>(kBuffer.value), 5};
        u.store(word(6), part);
        expect(u, 5, SYS_vmsplice, one.writer, word(6), 1, 0);
        expect(u, 5, SYS_vmsplice, one.reader, word(6), 1, 0);
        expect(u, -EBADF, SYS_vmsplice, file, word(6), 1, 0);
    });
}

TEST(SocketCalls, SemaphoresAndSegments) {
    check_calls("semget, shmget", [](UserMachine& u) {
        const i64 set = check_made(u.syscall(SYS_semget, 77, 3, IPC_CREAT | IPC_EXCL | 0600));
        expect(u, -EEXIST, SYS_semget, 77, 3, IPC_CREAT | IPC_EXCL | 0600);
        expect(u, set, SYS_semget, 77, 2, 0);
        expect(u, -EINVAL, SYS_semget, 77, 4, 0);
        expect(u, -ENOENT, SYS_semget, 78, 1, 0);
        expect(u, -EINVAL, SYS_semget, 78, 0, IPC_CREAT);
        expect(u, 0, SYS_semctl, set, 1, SETVAL, 5);
        expect(u, 5, SYS_semctl, set, 1, GETVAL, 0);
        expect(u, -ERANGE, SYS_semctl, set, 1, SETVAL, 40'000);
        expect(u, -EINVAL, SYS_semctl, set, 3, GETVAL, 0);
        expect(u, -EINVAL, SYS_semctl, set, 0, INT32_MIN, 0);
        const u16 values[] = {1, 2, 3, 0};
        u.store(kBuffer, values);
        expect(u, 0, SYS_semctl, set, 0, SETALL, kBuffer);
        expect(u, 0, SYS_semctl, set, 0, GETALL, kBuffer + 64);
        expect_memory<u16>(u, kBuffer + 68, 3);
        const sembuf operations[] = {{0, -1, 0}, {1, 3, SEM_UNDO}};
        u.store(kBuffer, operations);
        expect(u, 0, SYS_semop, set, kBuffer, 2);
        expect(u, 5, SYS_semctl, set, 1, GETVAL, 0);
        expect(u, u.syscall(SYS_getpid), SYS_semctl, set, 1, GETPID, 0);
        const sembuf nothing = {0, -1, IPC_NOWAIT};
        u.store(kBuffer, nothing);
        expect(u, -EAGAIN, SYS_semop, set, kBuffer, 1);
        const sembuf beyond = {9, 1, 0};
        u.store(kBuffer, beyond);
        expect(u, -EFBIG, SYS_semop, set, kBuffer, 1);
        const sembuf large = {0, 32767, 0};
        u.store(kBuffer, large);
        expect(u, 0, SYS_semop, set, kBuffer, 1);
        expect(u, -ERANGE, SYS_semop, set, kBuffer, 1);
        const sembuf wait_for_zero = {0, 0, 0};
        u.store(kBuffer, wait_for_zero);
        const i64 time[] = {0, 1000};
        u.store(word(5), time);
        expect(u, -EAGAIN, SYS_semtimedop, set, kBuffer, 1, word(5));
        expect(u, -E2BIG, SYS_semop, set, kBuffer, 1000);
        expect(u, -EINVAL, SYS_semop, set, kBuffer, 0);
        expect(u, 0, SYS_semctl, set, 0, IPC_STAT, kBuffer);
        expect_memory<u32>(u, kBuffer, 77);
        expect_memory<u64>(u, kBuffer + 80, 3);  // sem_nsems
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect(c, -EACCES, SYS_semget, 77, 1, 0600);
            const i64 found = check_made(c.syscall(SYS_semget, 77, 1, 0));
            expect(c, -EACCES, SYS_semctl, found, 1, GETVAL, 0);
            expect(c, -EPERM, SYS_semctl, found, 1, IPC_RMID, 0);
            exit(c, 0);
        });
        expect(u, 0, SYS_semctl, set, 0, IPC_RMID, 0);
        expect(u, -EINVAL, SYS_semctl, set, 0, GETVAL, 0);
        const i64 segment = check_made(u.syscall(SYS_shmget, 77, 5000, IPC_CREAT | 0600));
        expect(u, -EINVAL, SYS_shmget, 77, 9000, 0);
        constexpr VirtualAddress kAt{0x2000'0000};
        expect(u, static_cast<i64>(kAt.value), SYS_shmat, segment, kAt, 0);
        u.store<u32>(kAt + 4096, 9);
        expect(u, -EINVAL, SYS_shmat, segment, kAt, 0);
        expect(u, -EINVAL, SYS_shmat, segment, kAt + 5, 0);
        expect(u, static_cast<i64>(kAt.value), SYS_shmat, segment, kAt + 5, SHM_RND | SHM_REMAP);
        const VirtualAddress again{static_cast<u64>(check_made(u.syscall(SYS_shmat, segment, 0, SHM_RDONLY)))};
        expect_memory<u32>(u, again + 4096, 9);
        expect(u, 0, SYS_shmctl, segment, IPC_STAT, kBuffer);
        expect_memory<u64>(u, kBuffer + 48, 5000);  // shm_segsz
        expect_memory<u64>(u, kBuffer + 88, 2);     // shm_nattch
        expect(u, 0, SYS_shmctl, segment, IPC_RMID, 0);
        expect_memory<u32>(u, again + 4096, 9);  // goes with the last who has it
        expect(u, 0, SYS_shmdt, again);
        expect(u, -EINVAL, SYS_shmdt, again);
        expect(u, 0, SYS_shmdt, kAt);
        expect(u, -EINVAL, SYS_shmctl, segment, IPC_STAT, kBuffer);
        require(u.syscall(SYS_shmctl, 0, IPC_INFO, kBuffer) >= 0, "IPC_INFO");
        require(u.syscall(SYS_semctl, 0, 0, 19, kBuffer) >= 0, "SEM_INFO");
    });
}

TEST(SocketCalls, MessageQueues) {
    check_calls("msgget, mq_open", [](UserMachine& u) {
        const i64 queue = check_made(u.syscall(SYS_msgget, IPC_PRIVATE, 0600));
        struct Message {
            i64 type;
            char text[8];
        };
        for (const Message& message : {Message{3, "third"}, Message{1, "first"}, Message{2, "second"}}) {
            u.store(kBuffer, message);
            expect(u, 0, SYS_msgsnd, queue, kBuffer, 8, 0);
        }
        expect(u, -E2BIG, SYS_msgrcv, queue, kBuffer, 4, 1, 0);
        expect(u, 8, SYS_msgrcv, queue, kBuffer, 8, -2, 0);  // the lowest up to two
        expect_bytes(u, kBuffer + 8, "first");
        expect(u, 4, SYS_msgrcv, queue, kBuffer, 4, 2, MSG_NOERROR);
        expect(u, 8, SYS_msgrcv, queue, kBuffer, 8, 0, 0);
        expect(u, -ENOMSG, SYS_msgrcv, queue, kBuffer, 8, 0, IPC_NOWAIT);
        u.store<i64>(kBuffer, 0);
        expect(u, -EINVAL, SYS_msgsnd, queue, kBuffer, 8, 0);
        u.store<i64>(kBuffer, 1);
        expect(u, -EINVAL, SYS_msgsnd, queue, kBuffer, 9000, 0);
        expect(u, 0, SYS_msgctl, queue, IPC_STAT, kBuffer + 256);
        expect(u, 0, SYS_msgctl, queue, IPC_SET, kBuffer + 256);
        expect(u, 0, SYS_msgctl, queue, IPC_RMID, 0);
        expect(u, -EINVAL, SYS_msgsnd, queue, kBuffer, 8, 0);
        require(u.syscall(SYS_msgctl, 0, 12, kBuffer) >= 0, "MSG_INFO");
        // POSIX queues.
        const i64 attributes[8] = {0, 2, 16};
        u.store(kBuffer, attributes);
        const i64 mq = check_made(u.syscall(SYS_mq_open, text(u, "q1"), O_RDWR | O_CREAT | O_NONBLOCK, 0600, kBuffer));
        expect_at(u, -EEXIST, SYS_mq_open, "q1", O_RDWR | O_CREAT | O_EXCL, 0600, 0);
        expect_at(u, -ENOENT, SYS_mq_open, "q2", O_RDWR, 0, 0);
        expect(u, 0, SYS_mq_timedsend, mq, text(u, "low", 1), 3, 1, 0);
        expect(u, 0, SYS_mq_timedsend, mq, text(u, "high", 1), 4, 9, 0);
        expect(u, -EAGAIN, SYS_mq_timedsend, mq, text(u, "more", 1), 4, 9, 0);
        expect(u, -EMSGSIZE, SYS_mq_timedsend, mq, kBuffer, 17, 9, 0);
        expect(u, -EINVAL, SYS_mq_timedsend, mq, kBuffer, 4, 40'000, 0);
        expect(u, -EMSGSIZE, SYS_mq_timedreceive, mq, kBuffer, 4, word(0), 0);
        expect(u, 4, SYS_mq_timedreceive, mq, kBuffer, 16, word(0), 0);
        expect_memory<u32>(u, word(0), 9);
        expect_bytes(u, kBuffer, "high");
        expect(u, 0, SYS_mq_getsetattr, mq, 0, kBuffer);
        expect_memory<i64>(u, kBuffer, O_NONBLOCK);
        expect_memory<i64>(u, kBuffer + 24, 1);  // mq_curmsgs
        u.store<i64>(kBuffer, 0);
        expect(u, 0, SYS_mq_getsetattr, mq, kBuffer, 0);
        expect(u, 3, SYS_mq_timedreceive, mq, kBuffer, 16, word(0), 0);
        const i64 past[] = {1, 0};
        u.store(word(2), past);
        expect(u, -ETIMEDOUT, SYS_mq_timedreceive, mq, kBuffer, 16, word(0), word(2));
        // A signal when something comes into the empty queue.
        set_mask(u, SIG_BLOCK, bit(34));
        sigevent event = {};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = 34;
        u.store(kBuffer, event);
        expect(u, 0, SYS_mq_notify, mq, kBuffer);
        expect(u, -EBUSY, SYS_mq_notify, mq, kBuffer);
        expect(u, 0, SYS_mq_timedsend, mq, text(u, "x", 1), 1, 1, 0);
        u.store<u64>(word(3), bit(34));
        expect(u, 34, SYS_rt_sigtimedwait, word(3), kBuffer + 128, 0, 8);
        expect_memory<i32>(u, kBuffer + 128 + 8, SI_MESGQ);
        expect(u, 0, SYS_mq_notify, mq, kBuffer);
        expect(u, 0, SYS_mq_notify, mq, 0);
        event.sigev_signo = 65;
        u.store(kBuffer, event);
        expect(u, -EINVAL, SYS_mq_notify, mq, kBuffer);
        expect(u, -EBADF, SYS_mq_notify, 0, 0);
        expect_at(u, 0, SYS_mq_unlink, "q1");
        expect_at(u, -ENOENT, SYS_mq_unlink, "q1");
    });
}

TEST(SocketCalls, Inotify) {
    check_calls("inotify", [](UserMachine& u) {
        const i64 watcher = check_made(u.syscall(SYS_inotify_init1, O_NONBLOCK));
        expect(u, 1, SYS_inotify_add_watch, watcher, text(u, "/d"), 0x300);  // IN_CREATE | IN_DELETE
        expect(u, -EAGAIN, SYS_read, watcher, kBuffer, 256);
        expect(u, 0, SYS_close, open_at(u, "/d/new", O_RDWR | O_CREAT));
        expect_at(u, 0, SYS_unlink, "/d/new");
        expect(u, 64, SYS_read, watcher, kBuffer, 256);
        expect_memory<u32>(u, kBuffer + 4, 0x100);
        expect_bytes(u, kBuffer + 16, "new");
        expect_memory<u32>(u, kBuffer + 36, 0x200);
        expect(u, -EAGAIN, SYS_read, watcher, kBuffer, 0);
        expect(u, -EINVAL, SYS_inotify_add_watch, watcher, text(u, "/d"), 0);
        expect(u, -ENOENT, SYS_inotify_add_watch, watcher, text(u, "/absent"), 2);
        expect(u, -EINVAL, SYS_inotify_add_watch, 0, text(u, "/d"), 2);
        expect(u, -ENOTDIR, SYS_inotify_add_watch, watcher, text(u, "/d/f"), 2 | 0x0100'0000);
        expect(u, 0, SYS_inotify_rm_watch, watcher, 1);
        expect(u, -EINVAL, SYS_inotify_rm_watch, watcher, 1);
        expect(u, 16, SYS_read, watcher, kBuffer, 256);
        expect_memory<u32>(u, kBuffer + 4, 0x8000);  // IN_IGNORED
    });
}

}  // namespace
}  // namespace cairn
