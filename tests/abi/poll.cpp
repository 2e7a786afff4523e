// poll, select, epoll, eventfd, inotify.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

int ends[2];

void make_pipe() {
    ASSERT_OK(pipe(ends));
}

void put(int file = -1) {
    (void)!write(file < 0 ? ends[1] : file, "x", 1);
}

void take(int file = -1) {
    char byte;
    (void)!read(file < 0 ? ends[0] : file, &byte, 1);
}

int add(int epoll, int file, uint32_t events, int data = 1) {
    epoll_event event{};
    event.events = events;
    event.data.fd = data;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
}

int modify(int epoll, int file, uint32_t events) {
    epoll_event event{};
    event.events = events;
    return epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event);
}

// The events that are ready now, of one descriptor; 0 if none.
uint32_t ready(int epoll, int timeout = 0) {
    epoll_event event{};
    int count = epoll_wait(epoll, &event, 1, timeout);
    return count == 1 ? event.events : 0;
}

}  // namespace

TEST(Poll, ReadyInvalidAndIgnored) {
    make_pipe();
    put();
    pollfd list[4] = {{ends[0], POLLIN, 9}, {ends[1], POLLIN, 9}, {-1, POLLIN, 9}, {600, POLLIN, 9}};
    EXPECT_EQ(2, poll(list, 4, 0));
    EXPECT_EQ(POLLIN, list[0].revents);
    EXPECT_EQ(0, list[1].revents);
    EXPECT_EQ(0, list[2].revents);
    EXPECT_EQ(POLLNVAL, list[3].revents);
}

TEST(Poll, OfManyKinds) {
    make_pipe();
    write_file("f", "x");
    struct {
        const char* name;
        int file;
    } kinds[] = {{"regular file", open("f", O_RDWR)},
                 {"directory", open(".", O_RDONLY)},
                 {"/dev/null", open("/dev/null", O_RDWR)},
                 {"/dev/zero", open("/dev/zero", O_RDWR)},
                 {"empty pipe", ends[0]},
                 {"pipe's writer", ends[1]},
                 {"eventfd", eventfd(0, 0)},
                 {"epoll", epoll_create1(0)},
                 {"inotify", inotify_init1(0)},
                 {"new unix socket", socket(AF_UNIX, SOCK_STREAM, 0)},
                 {"new unix datagram socket", socket(AF_UNIX, SOCK_DGRAM, 0)},
                 {"path", open("f", O_PATH)},
                 {"/proc file", open("/proc/self/status", O_RDONLY)},
                 {"/dev/urandom", open("/dev/urandom", O_RDONLY)}};
    for (auto& kind : kinds) {
        pollfd one{kind.file, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM, 0};
        int count = poll(&one, 1, 0);
        note(std::string(kind.name) + ": " + std::to_string(count) + " " + std::to_string(one.revents));
    }
}

TEST(Poll, TimesOut) {
    int64_t begin = now_ns();
    EXPECT_EQ(0, poll(nullptr, 0, 20));
    EXPECT_GE(now_ns() - begin, 20'000'000);
    timespec limit{0, 20'000'000};
    begin = now_ns();
    EXPECT_EQ(0, ppoll(nullptr, 0, &limit, nullptr));
    EXPECT_GE(now_ns() - begin, 20'000'000);
    timespec wrong{0, -1};
    EXPECT_ERRNO(EINVAL, ppoll(nullptr, 0, &wrong, nullptr));
    EXPECT_ERRNO(EFAULT, poll(reinterpret_cast<pollfd*>(8), 1, 0));
    rlimit limit_files{64, 64};
    setrlimit(RLIMIT_NOFILE, &limit_files);
    std::vector<pollfd> many(65, pollfd{-1, 0, 0});
    EXPECT_ERRNO(EINVAL, poll(many.data(), 65, 0));
}

TEST(Poll, WaitingWithAMaskTakesNoTime) {
    sigset_t none = set_of({});
    timespec length{0, 300'000'000};
    int64_t begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    EXPECT_EQ(0, ppoll(nullptr, 0, &length, &none));
    EXPECT_LT(now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin, 100'000'000) << "it sleeps";
}

TEST(Poll, WakesWhenSomethingHappens) {
    make_pipe();
    pid_t parent = getpid();
    pid_t pid = start_child([=] {
        wait_until_asleep(parent);
        put();
    });
    pollfd one{ends[0], POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, -1));
    wait_for(pid);
}

TEST(Poll, SeveralPollersAllWake) {
    make_pipe();
    std::vector<pid_t> children;
    for (int i = 0; i < 3; i++) {
        children.push_back(start_child([] {
            pollfd one{ends[0], POLLIN, 0};
            EXPECT_EQ(1, poll(&one, 1, -1));
        }));
    }
    for (pid_t pid : children) {
        wait_until_asleep(pid);
    }
    put();
    for (pid_t pid : children) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
}

TEST(Poll, PpollSwapsTheMask) {
    block({SIGUSR1});
    count_signals(SIGUSR1);
    raise(SIGUSR1);
    sigset_t none = set_of({});
    EXPECT_ERRNO(EINTR, ppoll(nullptr, 0, nullptr, &none));
    EXPECT_EQ(1, received(SIGUSR1));
    sigset_t now{};
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR1));
}

TEST(Select, SetsAndCount) {
    make_pipe();
    fd_set in;
    fd_set out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    timeval none{0, 0};
    EXPECT_EQ(1, select(ends[1] + 1, &in, &out, nullptr, &none));
    EXPECT_FALSE(FD_ISSET(ends[0], &in));
    EXPECT_TRUE(FD_ISSET(ends[1], &out));
    put();
    FD_SET(ends[0], &in);
    EXPECT_EQ(2, select(ends[1] + 1, &in, &out, nullptr, &none)) << "counts bits";
    FD_SET(500, &in);
    EXPECT_ERRNO(EBADF, select(501, &in, nullptr, nullptr, &none));
    EXPECT_ERRNO(EINVAL, select(-1, nullptr, nullptr, nullptr, &none));
    timeval wrong{-1, 0};
    EXPECT_ERRNO(EINVAL, select(0, nullptr, nullptr, nullptr, &wrong));
}

TEST(Select, TellsTheTimeLeft) {
    make_pipe();
    put();
    fd_set in;
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    timeval limit{1000, 0};
    EXPECT_EQ(1, select(ends[0] + 1, &in, nullptr, nullptr, &limit));
    EXPECT_GE(limit.tv_sec, 900);
    EXPECT_LE(limit.tv_sec, 1000);
    limit = {0, 5000};
    EXPECT_EQ(0, select(0, nullptr, nullptr, nullptr, &limit));
    EXPECT_EQ(0, limit.tv_usec);
    sigset_t none = set_of({});
    timespec soon{0, 1000};
    EXPECT_EQ(0, pselect(0, nullptr, nullptr, nullptr, &soon, &none));
    EXPECT_EQ(1000, soon.tv_nsec) << "the library's pselect hides the rest";
}

TEST(Epoll, LevelAndEdge) {
    make_pipe();
    int level = epoll_create1(EPOLL_CLOEXEC);
    int edge = epoll_create1(0);
    EXPECT_EQ(FD_CLOEXEC, fcntl(level, F_GETFD));
    ASSERT_OK(add(level, ends[0], EPOLLIN));
    ASSERT_OK(add(edge, ends[0], EPOLLIN | EPOLLET));
    EXPECT_EQ(0u, ready(level));
    put();
    EXPECT_EQ(EPOLLIN, ready(level));
    EXPECT_EQ(EPOLLIN, ready(level));
    EXPECT_EQ(EPOLLIN, ready(edge));
    EXPECT_EQ(0u, ready(edge)) << "told once";
    put();
    EXPECT_EQ(EPOLLIN, ready(edge)) << "and at each new arrival";
    take();
    take();
    EXPECT_EQ(0u, ready(level));
}

TEST(Epoll, OneShot) {
    make_pipe();
    int epoll = epoll_create1(0);
    ASSERT_OK(add(epoll, ends[0], EPOLLIN | EPOLLONESHOT));
    put();
    EXPECT_EQ(EPOLLIN, ready(epoll));
    put();
    EXPECT_EQ(0u, ready(epoll));
    ASSERT_OK(modify(epoll, ends[0], EPOLLIN | EPOLLONESHOT));
    EXPECT_EQ(EPOLLIN, ready(epoll));
}

TEST(Epoll, EventsAndData) {
    make_pipe();
    int epoll = epoll_create1(0);
    ASSERT_OK(add(epoll, ends[0], EPOLLIN, 10));
    ASSERT_OK(add(epoll, ends[1], EPOLLOUT, 20));
    put();
    epoll_event events[4];
    EXPECT_EQ(2, epoll_wait(epoll, events, 4, 0));
    int sum = events[0].data.fd + events[1].data.fd;
    EXPECT_EQ(30, sum);
    EXPECT_EQ(1, epoll_wait(epoll, events, 1, 0));
    int first = events[0].data.fd;
    EXPECT_EQ(1, epoll_wait(epoll, events, 1, 0));
    EXPECT_NE(first, events[0].data.fd) << "the ready ones take turns";
    close(ends[1]);
    EXPECT_EQ(EPOLLIN | EPOLLHUP, ready(epoll)) << "a closed descriptor has left the set";
}

TEST(Epoll, Errors) {
    make_pipe();
    write_file("f", "");
    int epoll = epoll_create1(0);
    epoll_event event{};
    EXPECT_ERRNO(EINVAL, epoll_create(0));
    EXPECT_ERRNO(EINVAL, epoll_create1(1));
    ASSERT_OK(add(epoll, ends[0], EPOLLIN));
    EXPECT_ERRNO(EEXIST, add(epoll, ends[0], EPOLLIN));
    EXPECT_ERRNO(ENOENT, modify(epoll, ends[1], EPOLLIN));
    EXPECT_ERRNO(ENOENT, epoll_ctl(epoll, EPOLL_CTL_DEL, ends[1], nullptr));
    EXPECT_ERRNO(EBADF, add(epoll, 600, EPOLLIN));
    EXPECT_ERRNO(EPERM, add(epoll, open("f", O_RDONLY), EPOLLIN)) << "a regular file is always ready";
    EXPECT_ERRNO(EINVAL, add(epoll, epoll, EPOLLIN));
    EXPECT_ERRNO(EINVAL, add(ends[0], ends[1], EPOLLIN));
    EXPECT_ERRNO(EINVAL, epoll_ctl(epoll, 9, ends[0], &event));
    EXPECT_ERRNO(EFAULT, epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], nullptr));
    EXPECT_ERRNO(EINVAL, epoll_wait(epoll, &event, 0, 0));
    put();
    EXPECT_ERRNO(EFAULT, epoll_wait(epoll, reinterpret_cast<epoll_event*>(8), 1, 0));
    EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], nullptr));
    EXPECT_EQ(0u, ready(epoll));
}

TEST(Epoll, DuplicatesAreSeparateAndOutliveTheirNumber) {
    make_pipe();
    int copy = dup(ends[0]);
    int epoll = epoll_create1(0);
    ASSERT_OK(add(epoll, ends[0], EPOLLIN, 1));
    ASSERT_OK(add(epoll, copy, EPOLLIN, 2));
    put();
    epoll_event events[4];
    EXPECT_EQ(2, epoll_wait(epoll, events, 4, 0));
    close(copy);
    EXPECT_EQ(2, epoll_wait(epoll, events, 4, 0)) << "the open file is still there";
    close(ends[0]);
    EXPECT_EQ(0, epoll_wait(epoll, events, 4, 0));
}

TEST(Epoll, Nested) {
    make_pipe();
    int inner = epoll_create1(0);
    int outer = epoll_create1(0);
    ASSERT_OK(add(inner, ends[0], EPOLLIN));
    ASSERT_OK(add(outer, inner, EPOLLIN));
    EXPECT_EQ(0u, ready(outer));
    put();
    EXPECT_EQ(EPOLLIN, ready(outer));
    pollfd one{outer, POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, 0));
    take();
    EXPECT_EQ(0u, ready(outer));
    EXPECT_ERRNO(ELOOP, add(inner, outer, EPOLLIN));
    int chain[7];
    chain[0] = inner;
    int added = 0;
    for (int i = 1; i < 7; i++) {
        chain[i] = epoll_create1(0);
        added += add(chain[i], chain[i - 1], EPOLLIN) == 0 ? 1 : 0;
    }
    EXPECT_EQ(ELOOP, errno);
    note("nesting depth " + std::to_string(added));
}

TEST(Epoll, WakesAndTimesOut) {
    make_pipe();
    int epoll = epoll_create1(0);
    ASSERT_OK(add(epoll, ends[0], EPOLLIN));
    int64_t begin = now_ns();
    EXPECT_EQ(0u, ready(epoll, 20));
    EXPECT_GE(now_ns() - begin, 20'000'000);
    pid_t parent = getpid();
    pid_t pid = start_child([=] {
        wait_until_asleep(parent);
        put();
    });
    EXPECT_EQ(EPOLLIN, ready(epoll, -1));
    wait_for(pid);
    timespec limit{0, 1000};
    epoll_event event{};
    take();
    EXPECT_EQ(0, syscall(SYS_epoll_pwait2, epoll, &event, 1, &limit, nullptr, 0));
}

TEST(Epoll, AddedWhileSomebodyWaits) {
    make_pipe();
    put();
    static int epoll;
    epoll = epoll_create1(0);
    std::atomic<pid_t> tid{0};
    std::thread waiter([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        EXPECT_EQ(EPOLLIN, ready(epoll, -1));
    });
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    ASSERT_OK(add(epoll, ends[0], EPOLLIN));
    waiter.join();
}

TEST(Epoll, ExclusiveWakesAtLeastOne) {
    make_pipe();
    auto* woken = shared<std::atomic<int>>();
    std::vector<pid_t> children;
    for (int i = 0; i < 3; i++) {
        children.push_back(start_child([=] {
            int epoll = epoll_create1(0);
            ASSERT_OK(add(epoll, ends[0], EPOLLIN | EPOLLEXCLUSIVE));
            while (ready(epoll, -1) != EPOLLIN) {
            }
            woken->fetch_add(1);
        }));
    }
    for (pid_t pid : children) {
        wait_until_asleep(pid);
    }
    put();
    while (woken->load() == 0) {
        sched_yield();
    }
    for (pid_t pid : children) {
        kill(pid, SIGKILL);
        wait_for(pid);
    }
    int epoll = epoll_create1(0);
    ASSERT_OK(add(epoll, ends[0], EPOLLIN | EPOLLEXCLUSIVE));
    EXPECT_ERRNO(EINVAL, modify(epoll, ends[0], EPOLLIN));
    EXPECT_ERRNO(EINVAL, add(epoll, ends[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
}

TEST(Eventfd, Counts) {
    int file = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT_OK(file);
    uint64_t value = 4;
    EXPECT_EQ(8, write(file, &value, 8));
    EXPECT_EQ(8, read(file, &value, 8));
    EXPECT_EQ(7u, value);
    EXPECT_ERRNO(EAGAIN, read(file, &value, 8));
    value = ~0UL;
    EXPECT_ERRNO(EINVAL, write(file, &value, 8));
    value = ~0UL - 1;
    EXPECT_EQ(8, write(file, &value, 8));
    value = 1;
    EXPECT_ERRNO(EAGAIN, write(file, &value, 8)) << "it would overflow";
    pollfd one{file, POLLIN | POLLOUT, 0};
    EXPECT_EQ(1, poll(&one, 1, 0));
    EXPECT_EQ(POLLIN, one.revents);
    EXPECT_ERRNO(EINVAL, read(file, &value, 4));
    EXPECT_ERRNO(EINVAL, write(file, &value, 4));
    EXPECT_ERRNO(EINVAL, eventfd(0, 0x10));
}

TEST(Eventfd, Semaphore) {
    int file = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    uint64_t value = 0;
    EXPECT_EQ(8, read(file, &value, 8));
    EXPECT_EQ(1u, value);
    EXPECT_EQ(8, read(file, &value, 8));
    EXPECT_ERRNO(EAGAIN, read(file, &value, 8));
}

TEST(Eventfd, BlocksUntilWritten) {
    int file = eventfd(0, 0);
    pid_t parent = getpid();
    pid_t pid = start_child([=] {
        wait_until_asleep(parent);
        uint64_t one = 1;
        (void)!write(file, &one, 8);
    });
    uint64_t value = 0;
    EXPECT_EQ(8, read(file, &value, 8));
    wait_for(pid);
}

// --- inotify -----------------------------------------------------------------------------------------

namespace {

std::string inotify_events(int file) {
    alignas(inotify_event) char buffer[4096];
    ssize_t count = read(file, buffer, sizeof buffer);
    std::string text;
    for (ssize_t at = 0; at < count;) {
        auto* event = reinterpret_cast<inotify_event*>(buffer + at);
        char line[300];
        snprintf(line, sizeof line, "%x:%s ", event->mask, event->len > 0 ? event->name : "");
        text += line;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    return text;
}

}  // namespace

TEST(Inotify, EventsOfADirectory) {
    ASSERT_OK(mkdir("d", 0755));
    int file = inotify_init1(IN_NONBLOCK);
    ASSERT_OK(file);
    ASSERT_EQ(1, inotify_add_watch(file, "d", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE));
    int made = open("d/f", O_CREAT | O_WRONLY, 0600);
    close(made);
    ASSERT_OK(rename("d/f", "d/g"));
    ASSERT_OK(mkdir("d/sub", 0755));
    ASSERT_OK(unlink("d/g"));
    EXPECT_EQ("100:f 8:f 40:f 80:g 40000100:sub 200:g ", inotify_events(file));
    EXPECT_ERRNO(EAGAIN, read(file, ends, 100));
}

TEST(Inotify, EventsOfAFileAndRemoval) {
    write_file("f", "text");
    int file = inotify_init1(IN_NONBLOCK);
    int watch = inotify_add_watch(file, "f", IN_ALL_EVENTS);
    ASSERT_OK(watch);
    EXPECT_EQ("text", read_file("f"));
    EXPECT_EQ("20: 1: 10: ", inotify_events(file)) << "open, access, close";
    ASSERT_OK(chmod("f", 0600));
    ASSERT_OK(truncate("f", 0));
    EXPECT_EQ("4: 2: ", inotify_events(file));
    EXPECT_OK(inotify_rm_watch(file, watch));
    EXPECT_EQ("8000: ", inotify_events(file));
    EXPECT_ERRNO(EINVAL, inotify_rm_watch(file, watch));
    watch = inotify_add_watch(file, "f", IN_DELETE_SELF);
    ASSERT_OK(unlink("f"));
    EXPECT_EQ("400: 8000: ", inotify_events(file));
    EXPECT_ERRNO(ENOENT, inotify_add_watch(file, "f", IN_OPEN));
    EXPECT_ERRNO(EINVAL, inotify_add_watch(file, ".", 0));
    EXPECT_ERRNO(ENOTDIR, inotify_add_watch(file, "/dev/null", IN_OPEN | IN_ONLYDIR));
}

TEST(Inotify, AReadThatFaultsTellsIt) {
    int file = inotify_init1(IN_NONBLOCK);
    ASSERT_OK(inotify_add_watch(file, ".", IN_CREATE | IN_DELETE));
    write_file("f", "");
    ASSERT_OK(unlink("f"));
    char* memory = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_OK(munmap(memory + 4096, 4096));
    EXPECT_ERRNO(EFAULT, read(file, memory + 4096 - 32, 200)) << "there is room for the first event";
    EXPECT_ERRNO(EAGAIN, read(file, memory, 200)) << "both are lost";
}
