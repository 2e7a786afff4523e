// POSIX message queues: mq_notify(3), and what a queue reads as.
#include "tests/abi/support/queue.h"

using namespace abi_test;

namespace {

siginfo_t last_info;
void keep_info(int, siginfo_t* info, void*) {
    last_info = *info;
}

sigevent by_signal(int signal, int value = 0) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = value;
    return event;
}

}  // namespace

TEST(MessageQueue, NotifiesBySignalOnce) {
    Queue queue;
    handle_info(SIGUSR1, keep_info);
    sigevent event = by_signal(SIGUSR1, 42);
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_ERRNO(EBUSY, mq_notify(queue, &event));
    child([&] { EXPECT_ERRNO(EBUSY, mq_notify(queue, &event)); });
    pid_t pid = start_child([&] { EXPECT_OK(queue.send("x")); });
    wait_for(pid);
    EXPECT_EQ(SIGUSR1, last_info.si_signo);
    EXPECT_EQ(SI_MESGQ, last_info.si_code);
    EXPECT_EQ(42, last_info.si_value.sival_int);
    EXPECT_EQ(pid, last_info.si_pid);
    EXPECT_EQ(getuid(), last_info.si_uid);
    last_info = {};
    EXPECT_EQ("0:x", queue.receive());
    EXPECT_OK(queue.send("y"));
    EXPECT_EQ(0, last_info.si_signo);
    EXPECT_OK(mq_notify(queue, &event));  // there is a message already: it waits for an empty queue
    EXPECT_OK(queue.send("z"));
    EXPECT_EQ(0, last_info.si_signo);
    queue.receive();
    queue.receive();
    EXPECT_OK(queue.send("w"));
    EXPECT_EQ(SIGUSR1, last_info.si_signo);
}

TEST(MessageQueue, AReceiverComesBeforeTheNotification) {
    Queue queue;
    handle_info(SIGUSR1, keep_info);
    sigevent event = by_signal(SIGUSR1);
    EXPECT_OK(mq_notify(queue, &event));
    pid_t pid = start_child([&] { EXPECT_EQ("0:x", queue.receive()); });
    wait_until_asleep(pid);
    EXPECT_OK(queue.send("x"));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(0, last_info.si_signo);
    EXPECT_ERRNO(EBUSY, mq_notify(queue, &event));
}

TEST(MessageQueue, NotificationIsTakenBack) {
    Queue queue;
    handle_info(SIGUSR1, keep_info);
    sigevent event = by_signal(SIGUSR1);
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_OK(mq_notify(queue, nullptr));
    EXPECT_OK(mq_notify(queue, nullptr));
    EXPECT_OK(mq_notify(queue, &event));
    close(queue.open(O_RDONLY));  // closing any descriptor of it does that
    child([&] { EXPECT_OK(mq_notify(queue, &event)); });
    EXPECT_OK(mq_notify(queue, &event));
    child([&] { EXPECT_OK(mq_notify(queue, nullptr)); });  // another's it does not take back
    EXPECT_ERRNO(EBUSY, mq_notify(queue, &event));
    EXPECT_OK(queue.send("x"));
    EXPECT_EQ(SIGUSR1, last_info.si_signo);
}

TEST(MessageQueue, NotificationMethods) {
    Queue queue;
    sigevent event = by_signal(65);
    EXPECT_ERRNO(EINVAL, mq_notify(queue, &event));
    event.sigev_notify = 7;
    EXPECT_ERRNO(EINVAL, mq_notify(queue, &event));
    event = by_signal(0);
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_OK(queue.send("x"));
    queue.receive();
    event.sigev_notify = SIGEV_NONE;
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_ERRNO(EBUSY, mq_notify(queue, &event));
    EXPECT_OK(queue.send("x"));
    queue.receive();
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_OK(mq_notify(queue, nullptr));
    event.sigev_notify = SIGEV_THREAD;
    char cookie[32] = {};
    event.sigev_value.sival_ptr = cookie;
    int file = open("/dev/null", O_RDWR);
    event.sigev_signo = file;
    EXPECT_ERRNO(ENOTSOCK, syscall(SYS_mq_notify, int(queue), &event));
    event.sigev_signo = 999;
    EXPECT_ERRNO(EBADF, syscall(SYS_mq_notify, int(queue), &event));
    event.sigev_signo = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERRNO(EINVAL, syscall(SYS_mq_notify, int(queue), &event));
    event.sigev_value.sival_ptr = reinterpret_cast<void*>(8);
    EXPECT_ERRNO(EFAULT, syscall(SYS_mq_notify, int(queue), &event));
    EXPECT_ERRNO(EFAULT, syscall(SYS_mq_notify, int(queue), 8));
}

TEST(MessageQueue, NotifiesAThread) {
    Queue queue;
    static Gate* called;
    static std::atomic<int> value;
    called = new Gate;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_value.sival_int = 17;
    event.sigev_notify_function = [](sigval given) {
        value = given.sival_int;
        called->open();
    };
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_OK(queue.send("x"));
    called->wait();
    EXPECT_EQ(17, value);
    queue.receive();
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_OK(mq_notify(queue, nullptr));
    EXPECT_OK(queue.send("y"));
    queue.receive();
    event.sigev_value.sival_int = 18;
    EXPECT_OK(mq_notify(queue, &event));
    EXPECT_OK(queue.send("z"));
    called->wait();
    EXPECT_EQ(18, value);
}

TEST(MessageQueue, NotificationThroughNetlink) {
    Queue queue;
    int socket_end = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    ASSERT_OK(socket_end);
    char cookie[32] = "a cookie", answer[64] = {};
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_signo = socket_end;
    event.sigev_value.sival_ptr = cookie;
    EXPECT_OK(syscall(SYS_mq_notify, int(queue), &event));
    EXPECT_ERRNO(EAGAIN, recv(socket_end, answer, sizeof answer, MSG_DONTWAIT));
    pollfd readable{socket_end, POLLIN, 0};
    EXPECT_EQ(0, poll(&readable, 1, 0));
    EXPECT_OK(queue.send("x"));
    EXPECT_EQ(1, poll(&readable, 1, 0));
    EXPECT_EQ(32, recv(socket_end, answer, sizeof answer, 0));
    EXPECT_STREQ("a cookie", answer);
    EXPECT_EQ(1, answer[31]);
    EXPECT_OK(syscall(SYS_mq_notify, int(queue), &event));
    EXPECT_OK(mq_notify(queue, nullptr));
    EXPECT_EQ(32, recv(socket_end, answer, sizeof answer, 0));
    EXPECT_EQ(2, answer[31]);
}

TEST(MessageQueue, StatusFile) {
    Queue queue(4, 100);
    EXPECT_EQ("QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", queue.status());
    EXPECT_OK(queue.send("12345"));
    EXPECT_OK(queue.send("67"));
    sigevent event = by_signal(SIGUSR2);
    EXPECT_OK(mq_notify(queue, &event));
    char expected[100];
    snprintf(expected, sizeof expected, "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 7, 0, SIGUSR2,
             getpid());
    EXPECT_EQ(expected, queue.status());
    struct stat info{};
    EXPECT_OK(fstat(queue, &info));
    EXPECT_EQ(mode_t{S_IFREG | 0600}, info.st_mode);
    EXPECT_EQ(80, info.st_size);
    char text[10];
    EXPECT_EQ(10, read(queue, text, 10));
    EXPECT_EQ(10, lseek(queue, 0, SEEK_CUR));
}
