// System V message queues (msgget(2), msgop(2), msgctl(2)).
#include "tests/abi/support/ipc.h"

using namespace abi_test;

namespace {

// A child that receives, asleep in it when it is returned; it expects this outcome.
pid_t receiver(const MessageQueue& queue, long type, int flags, const std::string& expected, size_t size = 64) {
    pid_t pid = start_child([&, type, flags, size] { EXPECT_EQ(expected, queue.receive(type, flags, size)); });
    wait_until_asleep(pid);
    return pid;
}

void set_room(const MessageQueue& queue, size_t bytes) {
    msqid_ds status = queue.status();
    status.msg_qbytes = bytes;
    EXPECT_OK(msgctl(queue, IPC_SET, &status));
}

}  // namespace

TEST(IpcMessages, GetFollowsKeyAndFlags) {
    key_t key = fresh_key();
    EXPECT_ERRNO(ENOENT, msgget(key, 0600));
    MessageQueue queue(key);
    EXPECT_EQ(int(queue), msgget(key, 0600));
    EXPECT_EQ(int(queue), msgget(key, IPC_CREAT));
    EXPECT_ERRNO(EEXIST, msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    EXPECT_OK(queue.remove());
    EXPECT_ERRNO(EINVAL, queue.remove());
    EXPECT_ERRNO(ENOENT, msgget(key, 0600));
}

TEST(IpcMessages, ComeInOrder) {
    MessageQueue queue;
    EXPECT_EQ("ENOMSG", queue.receive());
    for (const char* text : {"one", "two", ""}) {
        EXPECT_OK(queue.send(1, text));
    }
    EXPECT_EQ("1:one", queue.receive());
    EXPECT_EQ("1:two", queue.receive());
    EXPECT_EQ("1:", queue.receive());
    EXPECT_EQ("ENOMSG", queue.receive());
}

TEST(IpcMessages, TypesChoose) {
    MessageQueue queue;
    for (long type : {5, 3, 7, 3, 1}) {
        EXPECT_OK(queue.send(type, std::to_string(type)));
    }
    EXPECT_EQ("7:7", queue.receive(7));
    EXPECT_EQ("ENOMSG", queue.receive(7));
    EXPECT_EQ("3:3", queue.receive(5, IPC_NOWAIT | MSG_EXCEPT));
    EXPECT_EQ("1:1", queue.receive(-4));  // the lowest first
    EXPECT_EQ("3:3", queue.receive(-4));
    EXPECT_EQ("ENOMSG", queue.receive(-4));
    EXPECT_EQ("ENOMSG", queue.receive(5, IPC_NOWAIT | MSG_EXCEPT));
    EXPECT_EQ("5:5", queue.receive(LONG_MIN));
}

TEST(IpcMessages, LongOnesAreRefusedOrCut) {
    MessageQueue queue;
    EXPECT_OK(queue.send(1, "0123456789"));
    EXPECT_EQ("E2BIG", queue.receive(0, IPC_NOWAIT, 9));
    EXPECT_EQ("1:0123", queue.receive(0, IPC_NOWAIT | MSG_NOERROR, 4));
    EXPECT_EQ("ENOMSG", queue.receive());
}

TEST(IpcMessages, CopyTakesNothing) {
    MessageQueue queue;
    EXPECT_OK(queue.send(4, "first"));
    EXPECT_OK(queue.send(2, "second"));
    EXPECT_EQ("2:second", queue.receive(1, IPC_NOWAIT | MSG_COPY));
    EXPECT_EQ("4:first", queue.receive(0, IPC_NOWAIT | MSG_COPY));
    EXPECT_EQ("ENOMSG", queue.receive(2, IPC_NOWAIT | MSG_COPY));
    EXPECT_EQ("EINVAL", queue.receive(0, MSG_COPY));
    EXPECT_EQ("EINVAL", queue.receive(0, IPC_NOWAIT | MSG_COPY | MSG_EXCEPT));
    EXPECT_EQ("E2BIG", queue.receive(0, IPC_NOWAIT | MSG_COPY, 2));
    EXPECT_EQ("EINVAL", queue.receive(0, IPC_NOWAIT | MSG_COPY | MSG_NOERROR, 2));
    EXPECT_EQ(2u, queue.status().msg_qnum);
}

TEST(IpcMessages, Errors) {
    MessageQueue queue;
    EXPECT_ERRNO(EINVAL, queue.send(0, "x"));
    EXPECT_ERRNO(EINVAL, queue.send(-1, "x"));
    EXPECT_ERRNO(EINVAL, queue.send(1, std::string(8193, 'x')));
    EXPECT_OK(queue.send(1, std::string(8192, 'x')));
    struct {
        long type;
        char text[8];
    } message{1, "text"};
    EXPECT_ERRNO(EINVAL, msgsnd(queue, &message, ~size_t{0}, 0));
    EXPECT_ERRNO(EINVAL, msgrcv(queue, &message, ~size_t{0}, 0, 0));
    EXPECT_ERRNO(EFAULT, msgsnd(queue, reinterpret_cast<void*>(8), 4, 0));
    EXPECT_ERRNO(EFAULT, msgsnd(-1, nullptr, 4, 0));
    EXPECT_ERRNO(EINVAL, msgsnd(-1, &message, 4, 0));
    EXPECT_ERRNO(EINVAL, msgrcv(-1, &message, 4, 0, IPC_NOWAIT));
    EXPECT_ERRNO(EINVAL, msgctl(queue, 99, nullptr));
    EXPECT_ERRNO(EFAULT, msgctl(queue, IPC_STAT, reinterpret_cast<msqid_ds*>(8)));
    // A message that cannot be put into the program's memory is gone all the same.
    EXPECT_OK(queue.send(2, "lost"));
    EXPECT_ERRNO(EFAULT, msgrcv(queue, reinterpret_cast<void*>(8), 8, 2, IPC_NOWAIT));
    EXPECT_EQ("ENOMSG", queue.receive(2));
}

TEST(IpcMessages, ReceiverWaits) {
    MessageQueue queue;
    pid_t any = receiver(queue, 0, 0, "3:hello");
    EXPECT_OK(queue.send(3, "hello"));
    EXPECT_ENDS("exit 0", wait_for(any));
    msqid_ds status = queue.status();
    EXPECT_EQ(any, status.msg_lrpid);
    EXPECT_EQ(getpid(), status.msg_lspid);
    EXPECT_EQ(0u, status.msg_qnum);
    pid_t seven = receiver(queue, 7, 0, "7:b");
    pid_t low = receiver(queue, -4, 0, "4:c");
    pid_t other = receiver(queue, 7, MSG_EXCEPT, "9:a");
    EXPECT_OK(queue.send(9, "a"));
    EXPECT_OK(queue.send(7, "b"));
    EXPECT_OK(queue.send(4, "c"));
    for (pid_t pid : {seven, low, other}) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
}

TEST(IpcMessages, FirstReceiverFirst) {
    MessageQueue queue;
    std::vector<pid_t> waiting;
    for (int i = 0; i < 3; ++i) {
        waiting.push_back(receiver(queue, 0, 0, "1:" + std::to_string(i)));
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_OK(queue.send(1, std::to_string(i)));
    }
    for (pid_t pid : waiting) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
}

TEST(IpcMessages, TooSmallAReceiverIsPassedOver) {
    MessageQueue queue;
    pid_t small = receiver(queue, 0, 0, "E2BIG", 2);
    pid_t cutting = receiver(queue, 0, MSG_NOERROR, "1:lon", 3);
    EXPECT_OK(queue.send(1, "long"));
    EXPECT_ENDS("exit 0", wait_for(small));
    EXPECT_ENDS("exit 0", wait_for(cutting));
    EXPECT_EQ("ENOMSG", queue.receive());
}

TEST(IpcMessages, SenderWaitsForRoom) {
    MessageQueue queue;
    set_room(queue, 10);
    EXPECT_OK(queue.send(1, "12345678"));
    EXPECT_ERRNO(EAGAIN, queue.send(1, "abc"));
    EXPECT_OK(queue.send(1, "ab"));
    pid_t pid = start_child([&] { EXPECT_OK(queue.send(2, "abc", 0)); });
    wait_until_asleep(pid);
    EXPECT_EQ("1:12345678", queue.receive());
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ("2:abc", queue.receive(2));
    // Messages without a text count, too.
    set_room(queue, 2);
    EXPECT_EQ("1:ab", queue.receive());
    EXPECT_OK(queue.send(1, ""));
    EXPECT_OK(queue.send(1, ""));
    EXPECT_ERRNO(EAGAIN, queue.send(1, ""));
}

TEST(IpcMessages, MoreRoomWakesTheSender) {
    MessageQueue queue;
    set_room(queue, 4);
    EXPECT_OK(queue.send(1, "1234"));
    pid_t pid = start_child([&] { EXPECT_OK(queue.send(1, "567", 0)); });
    wait_until_asleep(pid);
    set_room(queue, 7);
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(7u, queue.status().__msg_cbytes);
}

TEST(IpcMessages, RemovalEndsTheWaits) {
    MessageQueue queue;
    pid_t reading = receiver(queue, 5, 0, "EIDRM");
    set_room(queue, 1);
    EXPECT_OK(queue.send(1, "x"));
    pid_t sending = start_child([&] { EXPECT_ERRNO(EIDRM, queue.send(1, "y", 0)); });
    wait_until_asleep(sending);
    EXPECT_OK(queue.remove());
    EXPECT_ENDS("exit 0", wait_for(reading));
    EXPECT_ENDS("exit 0", wait_for(sending));
    EXPECT_EQ("EINVAL", queue.receive());
}

TEST(IpcMessages, SignalsEndTheWaits) {  // S03
    MessageQueue queue;
    pid_t pid = start_child([&] {
        count_signals(SIGUSR1, SA_RESTART);
        EXPECT_EQ("EINTR", queue.receive(5, 0));
        set_room(queue, 1);
        EXPECT_OK(queue.send(1, "x"));
        EXPECT_ERRNO(EINTR, queue.send(1, "y", 0));
    });
    wait_until_asleep(pid);
    kill(pid, SIGUSR1);
    for (bool alive = true; alive;) {
        int status;
        sleep_ms(5);
        kill(pid, SIGUSR1);
        alive = waitpid(pid, &status, WNOHANG) == 0;
        if (!alive) {
            EXPECT_ENDS("exit 0", status);
        }
    }
}

TEST(IpcMessages, StopAndContinueIsNoInterruption) {  // S03
    MessageQueue queue;
    pid_t pid = receiver(queue, 0, 0, "1:late");
    kill(pid, SIGSTOP);
    int status;
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    kill(pid, SIGCONT);
    wait_until_asleep(pid);
    EXPECT_OK(queue.send(1, "late"));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(IpcMessages, StatusTellsWhatHappened) {
    key_t key = fresh_key();
    MessageQueue queue(key, IPC_CREAT | 0640);
    msqid_ds status = queue.status();
    EXPECT_EQ(key, status.msg_perm.__key);
    EXPECT_EQ(0640u, status.msg_perm.mode);
    EXPECT_EQ(16384u, status.msg_qbytes);
    EXPECT_EQ(0, status.msg_stime);
    EXPECT_EQ(0, status.msg_rtime);
    EXPECT_EQ(0, status.msg_lspid);
    EXPECT_OK(queue.send(1, "abc"));
    EXPECT_OK(queue.send(1, "de"));
    status = queue.status();
    EXPECT_EQ(2u, status.msg_qnum);
    EXPECT_EQ(5u, status.__msg_cbytes);
    EXPECT_EQ(getpid(), status.msg_lspid);
    EXPECT_GE(status.msg_stime, status.msg_ctime);
    queue.receive();
    status = queue.status();
    EXPECT_EQ(2u, status.__msg_cbytes);
    EXPECT_EQ(getpid(), status.msg_lrpid);
    EXPECT_GE(status.msg_rtime, status.msg_stime);
    std::vector<std::string> line = sysvipc_line("msg", queue);
    ASSERT_EQ(14u, line.size());
    EXPECT_EQ("640", line[2]);
    EXPECT_EQ("2", line[3]);
    EXPECT_EQ("1", line[4]);
    EXPECT_EQ(std::to_string(getpid()), line[5]);
    std::string text = read_file("/proc/sysvipc/msg");
    note("msg heading " + text.substr(0, text.find('\n')));
}

TEST(IpcMessages, Permissions) {
    MessageQueue readable(IPC_PRIVATE, 0604);
    MessageQueue writable(IPC_PRIVATE, 0602);
    EXPECT_OK(readable.send(1, "x"));
    as_user(1000, [&] {
        EXPECT_EQ("1:x", readable.receive());
        EXPECT_ERRNO(EACCES, readable.send(1, "x"));
        EXPECT_OK(writable.send(1, "y"));
        EXPECT_EQ("EACCES", writable.receive());
        msqid_ds status{};
        EXPECT_ERRNO(EACCES, msgctl(writable, IPC_STAT, &status));
        EXPECT_OK(msgctl(readable, IPC_STAT, &status));
        EXPECT_ERRNO(EPERM, msgctl(readable, IPC_SET, &status));
        EXPECT_ERRNO(EPERM, msgctl(readable, IPC_RMID, nullptr));
        MessageQueue own;
        status = own.status();
        status.msg_qbytes = 20000;
        EXPECT_ERRNO(EPERM, msgctl(own, IPC_SET, &status));
        status.msg_qbytes = 100;
        EXPECT_OK(msgctl(own, IPC_SET, &status));
        EXPECT_EQ(100u, own.status().msg_qbytes);
    });
}

TEST(IpcMessages, ChangedPermissionsReachWhoWaits) {
    MessageQueue queue(IPC_PRIVATE, 0606);
    pid_t pid = start_child([&] {
        become_user(1000, 1000);
        EXPECT_EQ("EACCES", queue.receive(0, 0));
    });
    wait_until_asleep(pid);
    msqid_ds status = queue.status();
    status.msg_perm.mode = 0600;
    EXPECT_OK(msgctl(queue, IPC_SET, &status));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(IpcMessages, Information) {
    MessageQueue queue;
    EXPECT_OK(queue.send(1, "abc"));
    msginfo limits{};
    EXPECT_GE(msgctl(0, IPC_INFO, reinterpret_cast<msqid_ds*>(&limits)), int(queue) & 0x7fff);
    EXPECT_EQ(std::to_string(limits.msgmax) + "\n", read_file("/proc/sys/kernel/msgmax"));
    EXPECT_EQ(std::to_string(limits.msgmnb) + "\n", read_file("/proc/sys/kernel/msgmnb"));
    EXPECT_EQ(std::to_string(limits.msgmni) + "\n", read_file("/proc/sys/kernel/msgmni"));
    note("msgpool " + std::to_string(limits.msgpool) + " msgmap " + std::to_string(limits.msgmap) + " msgssz " +
         std::to_string(limits.msgssz) + " msgtql " + std::to_string(limits.msgtql) + " msgseg " +
         std::to_string(limits.msgseg));
    EXPECT_GE(msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&limits)), int(queue) & 0x7fff);
    EXPECT_GE(limits.msgpool, 1);
    EXPECT_GE(limits.msgmap, 1);
    EXPECT_GE(limits.msgtql, 3);
    msqid_ds status{};
    EXPECT_EQ(int(queue), msgctl(int(queue) & 0x7fff, MSG_STAT, &status));
    as_user(1000, [&] {
        EXPECT_ERRNO(EACCES, msgctl(int(queue) & 0x7fff, MSG_STAT, &status));
        EXPECT_EQ(int(queue), msgctl(int(queue) & 0x7fff, MSG_STAT_ANY, &status));
    });
}

TEST(IpcMessages, NothingIsLostAmongMany) {
    MessageQueue queue;
    set_room(queue, 64);
    auto* sum = shared<std::atomic<int>>();
    auto send = [&] {
        for (int i = 1; i <= 300; ++i) {
            EXPECT_OK(queue.send(1 + i % 3, std::to_string(i), 0));
        }
    };
    auto receive = [&] {
        for (int i = 1; i <= 300; ++i) {
            *sum += std::stoi(queue.receive(0, 0).substr(2));
        }
    };
    together_apart({send, receive, send, receive});
    EXPECT_EQ(2 * 300 * 301 / 2, *sum);
    EXPECT_EQ(0u, queue.status().msg_qnum);
}
