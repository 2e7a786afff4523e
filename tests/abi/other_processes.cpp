// kcmp(2) and process_madvise(2).
#include <linux/kcmp.h>
#include <sys/epoll.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

long compare(pid_t first, pid_t second, int what, unsigned long one = 0, unsigned long other = 0) {
    return syscall(SYS_kcmp, first, second, what, one, other);
}

long advise(int pidfd, const iovec* segments, size_t count, int advice, unsigned flags = 0) {
    return syscall(SYS_process_madvise, pidfd, segments, count, advice, flags);
}

}  // namespace

TEST(Compare, Files) {
    int file = open("/dev/null", O_RDONLY);
    int same = dup(file);
    int other = open("/dev/null", O_RDONLY);
    auto by_number = [](int fd) { return static_cast<unsigned long>(fd); };
    pid_t self = getpid();
    EXPECT_EQ(0, compare(self, self, KCMP_FILE, by_number(file), by_number(same)));
    long order = compare(self, self, KCMP_FILE, by_number(file), by_number(other));
    EXPECT_TRUE(order == 1 || order == 2);
    EXPECT_EQ(3 - order, compare(self, self, KCMP_FILE, by_number(other), by_number(file)));
    EXPECT_ERRNO(EBADF, compare(self, self, KCMP_FILE, by_number(file), 999));
    Gate go_on;
    pid_t pid = start_child([&] { go_on.wait(); });
    EXPECT_EQ(0, compare(self, pid, KCMP_FILE, by_number(file), by_number(same)));
    EXPECT_NE(0, compare(self, pid, KCMP_FILE, by_number(file), by_number(other)));
    go_on.open();
    wait_for(pid);
}

TEST(Compare, WhatThreadsAndForksShare) {
    pid_t self = getpid();
    std::atomic<pid_t> tid{0};
    Gate go_on;
    std::thread thread([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        go_on.wait();
    });
    while (tid == 0) {
        sched_yield();
    }
    for (int what : {KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM}) {
        EXPECT_EQ(0, compare(self, tid, what)) << what;
    }
    go_on.open();
    thread.join();
    pid_t pid = start_child([&] { go_on.wait(); });
    for (int what : {KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND}) {
        EXPECT_NE(0, compare(self, pid, what)) << what;
    }
    go_on.open();
    wait_for(pid);
}

TEST(Compare, WatchedFiles) {
    int epoll = epoll_create1(0);
    Gate gate;
    epoll_event event{EPOLLIN, {.u32 = 0}};
    EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, gate.read_end(), &event));
    kcmp_epoll_slot slot{static_cast<unsigned>(epoll), static_cast<unsigned>(gate.read_end()), 0};
    pid_t self = getpid();
    auto file = static_cast<unsigned long>(gate.read_end());
    EXPECT_OK(compare(self, self, KCMP_EPOLL_TFD, file, reinterpret_cast<unsigned long>(&slot)));
    EXPECT_EQ(0, compare(self, self, KCMP_EPOLL_TFD, file, reinterpret_cast<unsigned long>(&slot)));
    EXPECT_NE(0, compare(self, self, KCMP_EPOLL_TFD, 0, reinterpret_cast<unsigned long>(&slot)));
    slot.toff = 1;
    EXPECT_ERRNO(ENOENT, compare(self, self, KCMP_EPOLL_TFD, file, reinterpret_cast<unsigned long>(&slot)));
    slot = {static_cast<unsigned>(gate.read_end()), 0, 0};
    EXPECT_ERRNO(EINVAL, compare(self, self, KCMP_EPOLL_TFD, file, reinterpret_cast<unsigned long>(&slot)));
}

TEST(Compare, Errors) {
    pid_t self = getpid();
    EXPECT_ERRNO(EINVAL, compare(self, self, 99));
    EXPECT_ERRNO(ESRCH, compare(self, 0x3ffffff, KCMP_VM));
    as_user(1000, [&] { EXPECT_ERRNO(EPERM, compare(getpid(), getppid(), KCMP_VM)); });
}

TEST(ProcessAdvice, OfOneselfAndOthers) {
    int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
    char* memory = map_pages(4);
    memory[0] = 1;
    iovec segments[2] = {{memory, kPage}, {memory + 2 * kPage, 2 * kPage}};
    EXPECT_EQ(long{3 * kPage}, advise(self, segments, 2, MADV_COLD));
    EXPECT_EQ(long{3 * kPage}, advise(self, segments, 2, MADV_WILLNEED));
    EXPECT_EQ(1, memory[0]);
    EXPECT_EQ(0, advise(self, segments, 0, MADV_COLD));
    EXPECT_ERRNO(EINVAL, advise(self, segments, 2, MADV_COLD, 1));
    EXPECT_ERRNO(EINVAL, advise(self, segments, 1025, MADV_COLD));
    EXPECT_ERRNO(EBADF, advise(-1, segments, 2, MADV_COLD));
    EXPECT_ERRNO(EFAULT, advise(self, reinterpret_cast<iovec*>(8), 2, MADV_COLD));
    EXPECT_OK(munmap(memory + 2 * kPage, kPage));
    EXPECT_EQ(long{kPage}, advise(self, segments, 2, MADV_COLD));
    Gate go_on;
    pid_t pid = start_child([&] { go_on.wait(); });
    int other = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    EXPECT_EQ(long{kPage}, advise(other, segments, 1, MADV_PAGEOUT));
    EXPECT_ERRNO(EINVAL, advise(other, segments, 1, MADV_DONTNEED));
    as_user(1000, [&] { EXPECT_ERRNO(EACCES, advise(other, segments, 1, MADV_COLD)); });
    go_on.open();
    wait_for(pid);
    EXPECT_ERRNO(ESRCH, advise(other, segments, 1, MADV_COLD));
}
