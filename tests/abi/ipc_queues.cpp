// POSIX message queues (mq_overview(7)).
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "tests/abi/support/queue.h"

using namespace abi_test;

namespace {

timespec after_ms(int milliseconds) {
    int64_t at = now_ns(CLOCK_REALTIME) + int64_t{milliseconds} * 1'000'000;
    return {at / 1'000'000'000, at % 1'000'000'000};
}

}  // namespace

TEST(MessageQueue, OpenAndUnlink) {
    Queue queue;
    ASSERT_OK(int(queue));
    EXPECT_EQ(FD_CLOEXEC, fcntl(queue, F_GETFD));
    EXPECT_ERRNO(EEXIST, mq_open(queue.name(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr));
    mqd_t second = mq_open(queue.name(), O_CREAT | O_RDWR, 0600, nullptr);
    EXPECT_OK(second);
    EXPECT_OK(mq_unlink(queue.name()));
    EXPECT_ERRNO(ENOENT, mq_unlink(queue.name()));
    EXPECT_ERRNO(ENOENT, queue.open(O_RDWR));
    EXPECT_OK(queue.send("still"));  // open ones go on
    EXPECT_EQ("0:still", queue.receive(second));
}

TEST(MessageQueue, Names) {
    auto open_raw = [](const char* name, int flags) { return syscall(SYS_mq_open, name, flags, 0600, nullptr); };
    EXPECT_ERRNO(EACCES, open_raw("/slash", O_RDWR));
    EXPECT_ERRNO(EACCES, open_raw("a/b", O_RDWR | O_CREAT));
    EXPECT_ERRNO(EACCES, open_raw(".", O_RDWR));
    EXPECT_ERRNO(EACCES, open_raw("..", O_RDWR | O_CREAT));
    EXPECT_ERRNO(ENOENT, open_raw("", O_RDWR | O_CREAT));
    EXPECT_ERRNO(ENAMETOOLONG, open_raw(std::string(256, 'n').c_str(), O_RDWR | O_CREAT));
    EXPECT_ERRNO(EFAULT, open_raw(reinterpret_cast<char*>(8), O_RDWR | O_CREAT));
    EXPECT_ERRNO(EACCES, syscall(SYS_mq_unlink, "a/b"));
    EXPECT_ERRNO(ENOENT, syscall(SYS_mq_unlink, ""));
    EXPECT_ERRNO(ENOENT, syscall(SYS_mq_unlink, "no such queue"));
    Queue queue;
    EXPECT_ERRNO(EINVAL, open_raw(queue.name() + 1, O_RDWR | O_WRONLY));
    EXPECT_ERRNO(EFAULT, syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, 8));
}

TEST(MessageQueue, AttributesAreChecked) {
    auto create = [](long messages, long size) {
        mq_attr attributes{};
        attributes.mq_maxmsg = messages;
        attributes.mq_msgsize = size;
        std::string name = "/abi-checked-" + std::to_string(getpid());
        mqd_t id = mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
        int code = errno;
        if (id >= 0) {
            mq_unlink(name.c_str());
            close(id);
        }
        errno = code;
        return id;
    };
    EXPECT_ERRNO(EINVAL, create(0, 8));
    EXPECT_ERRNO(EINVAL, create(8, 0));
    EXPECT_ERRNO(EINVAL, create(-1, 8));
    EXPECT_ERRNO(EINVAL, create(65537, 8));
    EXPECT_ERRNO(EINVAL, create(1, 16 * 1024 * 1024 + 1));
    constexpr unsigned long kSysResource = 1UL << 24;
    if ((std::stoul(proc_status("CapEff"), nullptr, 16) & kSysResource) != 0) {
        EXPECT_OK(create(11, 8));
    } else {
        EXPECT_ERRNO(EINVAL, create(11, 8));
    }
    as_user(1000, [&] {
        EXPECT_ERRNO(EINVAL, create(11, 8));
        EXPECT_ERRNO(EINVAL, create(1, 8193));
        EXPECT_OK(create(10, 8192));
    });
    Queue queue(3, 20, O_RDWR | O_NONBLOCK);
    EXPECT_OK(queue.send("x"));
    mq_attr found = queue.attributes();
    EXPECT_EQ(O_NONBLOCK, found.mq_flags);
    EXPECT_EQ(3, found.mq_maxmsg);
    EXPECT_EQ(20, found.mq_msgsize);
    EXPECT_EQ(1, found.mq_curmsgs);
    mq_attr wanted{}, old{};
    wanted.mq_maxmsg = 100;
    EXPECT_OK(mq_setattr(queue, &wanted, &old));
    EXPECT_EQ(O_NONBLOCK, old.mq_flags);
    EXPECT_EQ(0, queue.attributes().mq_flags);
    EXPECT_EQ(3, queue.attributes().mq_maxmsg);
    EXPECT_EQ(0, fcntl(queue, F_GETFL) & O_NONBLOCK);
    wanted.mq_flags = O_APPEND;
    EXPECT_ERRNO(EINVAL, mq_setattr(queue, &wanted, nullptr));
    EXPECT_ERRNO(EBADF, mq_getattr(open("/", O_RDONLY), &old));
}

TEST(MessageQueue, DefaultAttributes) {
    std::string name = "/abi-default-" + std::to_string(getpid());
    mqd_t id = mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr);
    mq_unlink(name.c_str());
    mq_attr found{};
    EXPECT_OK(mq_getattr(id, &found));
    EXPECT_EQ(std::to_string(found.mq_maxmsg) + "\n", read_file("/proc/sys/fs/mqueue/msg_default"));
    EXPECT_EQ(std::to_string(found.mq_msgsize) + "\n", read_file("/proc/sys/fs/mqueue/msgsize_default"));
    note("queues " + read_file("/proc/sys/fs/mqueue/queues_max") + read_file("/proc/sys/fs/mqueue/msg_max") +
         read_file("/proc/sys/fs/mqueue/msgsize_max"));
}

TEST(MessageQueue, HigherPrioritiesFirst) {
    Queue queue(6);
    for (auto [text, priority] : {std::pair("a", 1), {"b", 5}, {"c", 1}, {"d", 32767}, {"e", 5}, {"", 0}}) {
        EXPECT_OK(queue.send(text, static_cast<unsigned>(priority)));
    }
    for (const char* expected : {"32767:d", "5:b", "5:e", "1:a", "1:c", "0:"}) {
        EXPECT_EQ(expected, queue.receive());
    }
    EXPECT_ERRNO(EINVAL, queue.send("x", 32768));
}

TEST(MessageQueue, Errors) {
    Queue queue(2, 16, O_RDWR | O_NONBLOCK);
    char text[16];
    EXPECT_EQ("EAGAIN", queue.receive());
    EXPECT_ERRNO(EMSGSIZE, queue.send(std::string(17, 'x')));
    EXPECT_ERRNO(EMSGSIZE, mq_receive(queue, text, 15, nullptr));
    EXPECT_OK(queue.send("x"));
    EXPECT_OK(queue.send("y"));
    EXPECT_ERRNO(EAGAIN, queue.send("z"));
    EXPECT_ERRNO(EFAULT, mq_send(queue, reinterpret_cast<char*>(8), 4, 0));
    mqd_t reader = queue.open(O_RDONLY), writer = queue.open(O_WRONLY | O_NONBLOCK);
    EXPECT_ERRNO(EBADF, mq_send(reader, "x", 1, 0));
    EXPECT_ERRNO(EBADF, mq_receive(writer, text, 16, nullptr));
    EXPECT_ERRNO(EBADF, mq_send(-1, "x", 1, 0));
    int other = open("/dev/null", O_RDWR);
    EXPECT_ERRNO(EBADF, mq_send(other, "x", 1, 0));
    EXPECT_ERRNO(EBADF, mq_receive(other, text, 16, nullptr));
    EXPECT_ERRNO(EBADF, mq_notify(other, nullptr));
    timespec bad{0, 1'000'000'000};
    EXPECT_ERRNO(EINVAL, mq_timedreceive(queue, text, 16, nullptr, &bad));
    EXPECT_ERRNO(EINVAL, mq_timedsend(queue, text, 1, 0, &bad));
    EXPECT_ERRNO(EINVAL, write(queue, "x", 1));
    EXPECT_ERRNO(EFAULT, mq_receive(queue, reinterpret_cast<char*>(8), 16, nullptr));
    EXPECT_EQ(1, queue.attributes().mq_curmsgs);
}

TEST(MessageQueue, Timeouts) {
    Queue queue(1);
    char text[16];
    timespec past{0, 0};
    EXPECT_ERRNO(ETIMEDOUT, mq_timedreceive(queue, text, 16, nullptr, &past));
    timespec soon = after_ms(20);
    EXPECT_ERRNO(ETIMEDOUT, mq_timedreceive(queue, text, 16, nullptr, &soon));
    EXPECT_GE(now_ns(CLOCK_REALTIME), soon.tv_sec * 1'000'000'000 + soon.tv_nsec);
    EXPECT_OK(mq_timedsend(queue, "x", 1, 0, &past));
    soon = after_ms(20);
    EXPECT_ERRNO(ETIMEDOUT, mq_timedsend(queue, "y", 1, 0, &soon));
    EXPECT_EQ(1, mq_timedreceive(queue, text, 16, nullptr, &past));
    EXPECT_EQ(0, queue.attributes().mq_curmsgs);
}

TEST(MessageQueue, ReceiverWaits) {
    Queue queue;
    pid_t pid = start_child([&] { EXPECT_EQ("3:hello", queue.receive()); });
    wait_until_asleep(pid);
    EXPECT_OK(queue.send("hello", 3));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(0, queue.attributes().mq_curmsgs);
}

TEST(MessageQueue, SenderWaitsAndKeepsItsPriority) {
    Queue queue(1);
    EXPECT_OK(queue.send("first", 1));
    pid_t pid = start_child([&] { EXPECT_OK(queue.send("second", 7)); });
    wait_until_asleep(pid);
    EXPECT_EQ("1:first", queue.receive());
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ("7:second", queue.receive());
}

TEST(MessageQueue, WaitersInOrder) {
    Queue queue;
    std::vector<pid_t> waiting;
    for (int i = 0; i < 3; ++i) {
        waiting.push_back(start_child([&, i] { EXPECT_EQ("0:" + std::to_string(i), queue.receive()); }));
        wait_until_asleep(waiting.back());
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_OK(queue.send(std::to_string(i)));
        EXPECT_ENDS("exit 0", wait_for(waiting[static_cast<size_t>(i)]));
    }
}

TEST(MessageQueue, UrgentReceiversFirst) {
    Queue queue;
    pid_t usual = start_child([&] { EXPECT_EQ("0:second", queue.receive()); });
    wait_until_asleep(usual);
    pid_t urgent = start_child([&] {
        sched_param parameter{5};
        if (sched_setscheduler(0, SCHED_FIFO, &parameter) != 0) {
            setpriority(PRIO_PROCESS, 0, -5);
        }
        EXPECT_EQ("0:first", queue.receive());
    });
    wait_until_asleep(urgent);
    EXPECT_OK(queue.send("first"));
    EXPECT_ENDS("exit 0", wait_for(urgent));
    EXPECT_OK(queue.send("second"));
    EXPECT_ENDS("exit 0", wait_for(usual));
}

TEST(MessageQueue, Poll) {
    Queue queue(2);
    pollfd poll_one{queue, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, 0};
    auto events = [&] {
        poll_one.revents = 0;
        EXPECT_GE(poll(&poll_one, 1, 0), 0);
        return poll_one.revents;
    };
    EXPECT_EQ(POLLOUT | POLLWRNORM, events());
    EXPECT_OK(queue.send("x"));
    EXPECT_EQ(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM, events());
    EXPECT_OK(queue.send("y"));
    EXPECT_EQ(POLLIN | POLLRDNORM, events());
    pid_t pid = start_child([&] {
        pollfd room{queue, POLLOUT, 0};
        EXPECT_EQ(1, poll(&room, 1, -1));
    });
    wait_until_asleep(pid);
    EXPECT_EQ("0:x", queue.receive());
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ("0:y", queue.receive());
    int epoll = epoll_create1(0);
    epoll_event event{EPOLLIN, {.u32 = 7}};
    EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, queue, &event));
    EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
    pid = start_child([&] {
        EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
        EXPECT_EQ(7u, event.data.u32);
    });
    wait_until_asleep(pid);
    EXPECT_OK(queue.send("z"));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(MessageQueue, Filesystem) {
    Queue queue(4, 100, O_RDWR, 0640);
    EXPECT_OK(mkdir("mount", 0755));
    if (unshare(CLONE_NEWNS) == 0) {
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    }
    if (mount("none", "mount", "mqueue", 0, nullptr) != 0) {
        GTEST_SKIP() << "mqueue cannot be mounted: " << errno_name(errno);
    }
    struct statfs system{};
    EXPECT_OK(statfs("mount", &system));
    EXPECT_EQ(0x19800202, system.f_type);
    EXPECT_EQ(mode_t{01777}, mode_of("mount"));
    std::string path = std::string("mount") + queue.name();
    EXPECT_EQ(mode_t{0640}, mode_of(path));
    EXPECT_OK(queue.send("abc"));
    EXPECT_EQ("QSIZE:3          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", read_file(path));
    // A file that is made there is a queue, and unlink(2) is mq_unlink(3).
    std::string name = "/abi-made-" + std::to_string(getpid());
    close(open(("mount" + name).c_str(), O_CREAT | O_RDWR, 0600));
    mqd_t made = mq_open(name.c_str(), O_RDWR | O_NONBLOCK);
    EXPECT_OK(made);
    EXPECT_OK(mq_send(made, "x", 1, 0));
    EXPECT_ERRNO(EPERM, mkdir("mount/directory", 0755));
    EXPECT_ERRNO(EPERM, symlink("a", "mount/link"));
    EXPECT_ERRNO(EPERM, link(("mount" + name).c_str(), "mount/second"));
    EXPECT_ERRNO(EPERM, rename(("mount" + name).c_str(), "mount/other"));
    EXPECT_ERRNO(EPERM, mknod("mount/pipe", S_IFIFO | 0600, 0));
    EXPECT_OK(unlink(("mount" + name).c_str()));
    EXPECT_ERRNO(ENOENT, mq_open(name.c_str(), O_RDWR));
    EXPECT_OK(umount("mount"));
    EXPECT_EQ("0:abc", queue.receive());
}

TEST(MessageQueue, Permissions) {
    Queue readable(2, 16, O_RDWR, 0604);
    Queue closed(2, 16, O_RDWR, 0600);
    umask(0);
    Queue masked(2, 16, O_RDWR, 0666);
    as_user(1000, [&] {
        EXPECT_OK(readable.open(O_RDONLY));
        EXPECT_ERRNO(EACCES, readable.open(O_WRONLY));
        EXPECT_ERRNO(EACCES, readable.open(O_RDWR));
        EXPECT_ERRNO(EACCES, closed.open(O_RDONLY));
        EXPECT_OK(masked.open(O_RDWR));
        EXPECT_ERRNO(EPERM, syscall(SYS_mq_unlink, masked.name() + 1));  // the sticky bit
    });
    umask(077);
    Queue further(2, 16, O_RDWR, 0666);
    struct stat info{};
    EXPECT_OK(fstat(further, &info));
    EXPECT_EQ(mode_t{S_IFREG | 0600}, info.st_mode);
}

TEST(MessageQueue, ResourceLimit) {
    // 10 × (8192 + 48) + 10 × 48 bytes
    as_user(1000, [&] {
        rlimit limit{82880, 82880};
        EXPECT_OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
        {
            Queue queue(10, 8192);
            EXPECT_OK(int(queue));
            Queue second(1, 1);
            EXPECT_ERRNO(EMFILE, int(second));
            EXPECT_OK(mq_unlink(queue.name()));
            Queue third(1, 1);
            EXPECT_ERRNO(EMFILE, int(third));  // it is open still
            close(queue);
            Queue fourth(10, 8192);
            EXPECT_OK(int(fourth));
            close(fourth);
        }
        limit = {82879, 82879};
        EXPECT_OK(setrlimit(RLIMIT_MSGQUEUE, &limit));
        Queue queue(10, 8192);
        EXPECT_ERRNO(EMFILE, int(queue));
    });
}

TEST(MessageQueue, NothingIsLostAmongMany) {
    Queue queue(3);
    auto* sum = shared<std::atomic<int>>();
    auto send = [&] {
        for (int i = 1; i <= 300; ++i) {
            EXPECT_OK(queue.send(std::to_string(i), static_cast<unsigned>(i % 3)));
        }
    };
    auto receive = [&] {
        for (int i = 1; i <= 300; ++i) {
            *sum += std::stoi(queue.receive().substr(2));
        }
    };
    together_apart({send, receive, send, receive});
    EXPECT_EQ(2 * 300 * 301 / 2, *sum);
    EXPECT_EQ(0, queue.attributes().mq_curmsgs);
}

TEST(MessageQueue, KilledWaitersTakeNothing) {
    Queue queue(1);
    pid_t receiver = start_child([&] { queue.receive(); });
    wait_until_asleep(receiver);
    kill(receiver, SIGKILL);
    wait_for(receiver);
    EXPECT_OK(queue.send("x"));
    pid_t sender = start_child([&] { queue.send("y"); });
    wait_until_asleep(sender);
    kill(sender, SIGKILL);
    wait_for(sender);
    EXPECT_EQ("0:x", queue.receive());
    EXPECT_EQ(0, queue.attributes().mq_curmsgs);
}
