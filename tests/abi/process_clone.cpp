// clone and clone3: every flag, every refusal. Rule F05.
#include <asm/prctl.h>
#include <linux/sched.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

char* new_stack() {
    return map_pages(16) + 16 * kPage;
}

pid_t clone_with(int flags, int (*body)(void*), void* argument = nullptr) {
    return clone(body, new_stack(), flags, argument);
}

// clone3, for children that get a copy of the memory (no CLONE_VM) and go on here.
long clone3(clone_args arguments, size_t size = sizeof(clone_args)) {
    return syscall(SYS_clone3, &arguments, size);
}

clone_args with_flags(uint64_t flags, uint64_t exit_signal = SIGCHLD) {
    clone_args arguments{};
    arguments.flags = flags;
    arguments.exit_signal = exit_signal;
    return arguments;
}

// The error of a raw clone that must fail; a child that is made by mistake ends at once.
testing::AssertionResult refused(int code, unsigned long flags) {
    long pid = syscall(SYS_clone, flags, (flags & CLONE_VM) != 0 ? new_stack() : nullptr, nullptr, nullptr, nullptr);
    if (pid == 0) {
        syscall(SYS_exit_group, 1);
    }
    return failed_with(code, pid) << " flags " << std::hex << flags;
}

testing::AssertionResult refused3(int code, clone_args arguments, size_t size = sizeof(clone_args)) {
    long pid = clone3(arguments, size);
    if (pid == 0) {
        syscall(SYS_exit_group, 1);
    }
    return failed_with(code, pid) << " flags " << std::hex << arguments.flags;
}

}  // namespace

TEST(Clone, SharedMemory) {  // F05
    static volatile int value;
    value = 1;
    pid_t pid = clone_with(CLONE_VM | SIGCHLD, [](void*) {
        value = 2;
        return 3;
    });
    EXPECT_ENDS("exit 3", wait_for(pid));
    EXPECT_EQ(2, value);
}

TEST(Clone, CopiedMemory) {  // F05
    static volatile int value;
    value = 1;
    pid_t pid = clone_with(SIGCHLD, [](void*) {
        value = 2;
        return 0;
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(1, value);
}

TEST(Clone, SharedDescriptors) {  // F05
    static int file;
    pid_t pid = clone_with(CLONE_FILES | CLONE_VM | SIGCHLD, [](void*) {
        file = static_cast<int>(syscall(SYS_open, "/dev/null", O_RDONLY));
        return 0;
    });
    wait_for(pid);
    EXPECT_OK(fcntl(file, F_GETFD));
}

TEST(Clone, SharedDirectoryAndMask) {  // F05
    ASSERT_OK(mkdir("d", 0755));
    pid_t pid = clone_with(CLONE_FS | SIGCHLD, [](void*) {
        umask(0111);
        return chdir("d");
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_TRUE(exists("../d"));
    EXPECT_EQ(0111u, umask(0));
}

TEST(Clone, SharedHandlers) {  // F05
    pid_t pid = clone_with(CLONE_SIGHAND | CLONE_VM | SIGCHLD, [](void*) {
        struct sigaction action{};
        action.sa_handler = SIG_IGN;
        return sigaction(SIGUSR1, &action, nullptr);
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
    struct sigaction action{};
    sigaction(SIGUSR1, nullptr, &action);
    EXPECT_EQ(SIG_IGN, action.sa_handler);
}

TEST(Clone, ExitSignal) {  // F05
    count_signals(SIGUSR1);
    count_signals(SIGCHLD);
    pid_t pid = clone_with(SIGUSR1, [](void*) { return 4; });
    int status = 0;
    while (waitpid(pid, &status, __WCLONE) != pid) {
        ASSERT_EQ(EINTR, errno);
    }
    EXPECT_ENDS("exit 4", status);
    EXPECT_EQ(1, received(SIGUSR1));
    EXPECT_EQ(0, received(SIGCHLD));
}

TEST(Clone, SameParent) {  // F05
    pid_t* made = shared<pid_t>();
    child([=] { *made = clone_with(CLONE_PARENT | SIGCHLD, [](void*) { return 6; }); });
    EXPECT_ENDS("exit 6", wait_for(*made)) << "our child, not our child's";
}

TEST(Clone, VforkWaits) {  // F05
    static volatile int value;
    value = 0;
    pid_t pid = clone_with(CLONE_VM | CLONE_VFORK | SIGCHLD, [](void*) {
        for (int i = 0; i < 50; i++) {
            sched_yield();
        }
        value = 1;
        return 0;
    });
    EXPECT_EQ(1, value) << "with a stack of its own, too (trap D)";
    wait_for(pid);
}

TEST(Clone, TidsAreStored) {  // F05
    auto* words = shared<std::atomic<int>[4]>();
    int* parent = reinterpret_cast<int*>(words);
    long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr,
                       parent, parent + 1, nullptr);
    if (pid == 0) {
        parent[2] = parent[1] == getpid() ? 1 : 2;
        _exit(0);
    }
    EXPECT_EQ(pid, parent[0]);
    wait_for(static_cast<pid_t>(pid));
    EXPECT_EQ(1, parent[2]);
}

TEST(Clone, BadTidPointersDoNotFail) {  // F05, trap B
    long pid = syscall(SYS_clone, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr, nullptr, 8, nullptr);
    if (pid == 0) {
        _exit(5);
    }
    EXPECT_ENDS("exit 5", wait_for(static_cast<pid_t>(pid)));
    pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, nullptr, 8, nullptr, nullptr);
    if (pid == 0) {
        _exit(5);
    }
    if (pid > 0) {
        EXPECT_ENDS("exit 5", wait_for(static_cast<pid_t>(pid)));
    }
    note("bad CLONE_PARENT_SETTID pointer: " + std::string(pid > 0 ? "ignored" : errno_name(errno)));
}

TEST(Clone, ThreadLocalBase) {  // F05
    static uint64_t area[8];
    static volatile uint64_t seen;
    area[0] = 0x77777;
    // With its own TLS nothing of the C library works in the child: it only reads and ends.
    long pid = 0;
    char* stack = new_stack();
    register long flags asm("rdi") = CLONE_VM | CLONE_SETTLS | SIGCHLD;
    register char* top asm("rsi") = stack;
    register void* tls asm("r8") = area;
    register long none1 asm("rdx") = 0;
    register long none2 asm("r10") = 0;
    // SAFETY: the child uses no memory but `area` and `seen`, and never leaves the asm block.
    asm volatile(
        "mov $56, %%eax\n syscall\n test %%eax, %%eax\n jnz 1f\n"
        "mov %%fs:0, %%rax\n mov %%rax, %[seen]\n mov $60, %%eax\n xor %%edi, %%edi\n syscall\n hlt\n"
        "1:"
        : "=&a"(pid), [seen] "=m"(seen)
        : "r"(flags), "r"(top), "r"(tls), "r"(none1), "r"(none2)
        : "rcx", "r11", "memory");
    ASSERT_GT(pid, 0);
    EXPECT_ENDS("exit 0", wait_for(static_cast<pid_t>(pid)));
    EXPECT_EQ(0x77777u, seen);
}

TEST(Clone, PidDescriptor) {  // F05
    int file = -1;
    long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &file, nullptr, nullptr);
    if (pid == 0) {
        _exit(9);
    }
    ASSERT_GT(pid, 0);
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(1, poll(&one, 1, -1));
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    EXPECT_ENDS("exit 9", wait_for(static_cast<pid_t>(pid)));
}

TEST(Clone, Refusals) {  // F05
    EXPECT_TRUE(refused(EINVAL, CLONE_SIGHAND | SIGCHLD)) << "without VM";
    EXPECT_TRUE(refused(EINVAL, CLONE_THREAD | CLONE_VM)) << "without SIGHAND";
    EXPECT_TRUE(refused(EINVAL, CLONE_THREAD));
    EXPECT_TRUE(refused(EINVAL, CLONE_FS | 0x00020000 | SIGCHLD)) << "FS with NEWNS";
    EXPECT_TRUE(refused(EINVAL, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD)) << "both use one argument";
    EXPECT_TRUE(refused(EINVAL, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD));
}

TEST(Clone3, Child) {  // F05
    int file = -1;
    auto* tid = shared<int>();
    clone_args arguments = with_flags(CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID);
    arguments.pidfd = reinterpret_cast<uint64_t>(&file);
    int parent_tid = 0;
    arguments.parent_tid = reinterpret_cast<uint64_t>(&parent_tid);
    arguments.child_tid = reinterpret_cast<uint64_t>(tid);
    long pid = clone3(arguments);
    if (pid == 0) {
        _exit(*tid == getpid() ? 3 : 4);
    }
    ASSERT_GT(pid, 0);
    EXPECT_EQ(pid, parent_tid);
    EXPECT_ENDS("exit 3", wait_for(static_cast<pid_t>(pid)));
    EXPECT_OK(fcntl(file, F_GETFD));
}

TEST(Clone3, ClearsHandlers) {  // F05
    count_signals(SIGUSR1);
    handle(SIGUSR2, SIG_IGN);
    long pid = clone3(with_flags(CLONE_CLEAR_SIGHAND));
    if (pid == 0) {
        struct sigaction one{};
        struct sigaction two{};
        sigaction(SIGUSR1, nullptr, &one);
        sigaction(SIGUSR2, nullptr, &two);
        _exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 0 : 1);
    }
    EXPECT_ENDS("exit 0", wait_for(static_cast<pid_t>(pid)));
}

TEST(Clone3, ChosenPid) {  // F05
    pid_t wanted[] = {30123};
    clone_args arguments = with_flags(0);
    arguments.set_tid = reinterpret_cast<uint64_t>(wanted);
    arguments.set_tid_size = 1;
    if (kill(wanted[0], 0) == 0) {
        GTEST_SKIP() << "the number is taken";
    }
    long pid = clone3(arguments);
    if (pid == 0) {
        _exit(getpid() == 30123 ? 0 : 1);
    }
    ASSERT_EQ(30123, pid);
    EXPECT_TRUE(refused3(EEXIST, arguments)) << "it is taken now";
    EXPECT_ENDS("exit 0", wait_for(30123));
    wanted[0] = 0;
    EXPECT_TRUE(refused3(EINVAL, arguments));
    wanted[0] = 30123;
    arguments.set_tid_size = 100;
    EXPECT_TRUE(refused3(EINVAL, arguments));
    arguments.set_tid_size = 1;
    as_user(1000, [&] { EXPECT_TRUE(refused3(EPERM, arguments)); });
}

TEST(Clone3, Refusals) {  // F05
    EXPECT_TRUE(refused3(EINVAL, with_flags(0), 60)) << "too small";
    EXPECT_TRUE(refused3(E2BIG, with_flags(0), 5000)) << "too large";
    EXPECT_TRUE(refused3(EINVAL, with_flags(0, 65))) << "exit signal";
    EXPECT_TRUE(refused3(EINVAL, with_flags(SIGCHLD))) << "a signal among the flags";
    EXPECT_TRUE(refused3(EINVAL, with_flags(CLONE_DETACHED)));
    EXPECT_TRUE(refused3(EINVAL, with_flags(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, SIGCHLD)))
        << "a thread has no exit signal";
    EXPECT_TRUE(refused3(EINVAL, with_flags(CLONE_PARENT, SIGCHLD)));
    EXPECT_TRUE(refused3(EINVAL, with_flags(CLONE_SIGHAND | CLONE_CLEAR_SIGHAND | CLONE_VM)));
    clone_args stack = with_flags(0);
    stack.stack = reinterpret_cast<uint64_t>(map_pages(1));
    EXPECT_TRUE(refused3(EINVAL, stack)) << "a stack without a size";
    stack.stack = 0;
    stack.stack_size = kPage;
    EXPECT_TRUE(refused3(EINVAL, stack)) << "a size without a stack";
    EXPECT_TRUE(refused3(EINVAL, with_flags(1UL << 40)));
    EXPECT_ERRNO(EFAULT, syscall(SYS_clone3, 8, sizeof(clone_args)));
}

TEST(Clone, ThreadInTheGroup) {  // F05
    static std::atomic<int> word;
    static std::atomic<pid_t> pid_seen;
    static std::atomic<pid_t> tid_seen;
    word = 1;
    char* stack = new_stack();
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    pid_t tid = clone(
        [](void*) -> int {
            pid_seen = static_cast<pid_t>(syscall(SYS_getpid));
            tid_seen = static_cast<pid_t>(syscall(SYS_gettid));
            syscall(SYS_exit, 0);
            return 0;
        },
        stack, flags, nullptr, nullptr, nullptr, &word);
    ASSERT_GT(tid, 0);
    while (word != 0) {
        syscall(SYS_futex, &word, FUTEX_WAIT, 1, nullptr);
    }
    EXPECT_EQ(getpid(), pid_seen);
    EXPECT_EQ(tid, tid_seen);
    EXPECT_ERRNO(ECHILD, waitpid(tid, nullptr, __WALL)) << "no child";
    // The word is cleared a little before the thread is gone.
    while (syscall(SYS_tgkill, getpid(), tid, 0) == 0) {
        sched_yield();
    }
    EXPECT_EQ(ESRCH, errno);
}

TEST(Unshare, FilesAndFs) {  // F05
    static int file;
    std::thread([] {
        ASSERT_OK(syscall(SYS_unshare, CLONE_FILES));
        file = open("/dev/null", O_RDONLY);
    }).join();
    EXPECT_ERRNO(EBADF, fcntl(file, F_GETFD));
    EXPECT_ERRNO(EINVAL, syscall(SYS_unshare, 0x1));
    child([] { EXPECT_OK(syscall(SYS_unshare, CLONE_VM)) << "alone, nothing is shared"; });
    std::thread([] { EXPECT_ERRNO(EINVAL, syscall(SYS_unshare, CLONE_VM)); }).join();
}

TEST(ArchPrctl, SegmentBases) {
    unsigned long base = 0;
    ASSERT_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
    EXPECT_EQ(reinterpret_cast<unsigned long>(pthread_self()), base);
    unsigned long word = 0x5a5a;
    ASSERT_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, &word));
    unsigned long read_back = 0;
    asm volatile("mov %%gs:0, %0" : "=r"(read_back));
    EXPECT_EQ(0x5a5au, read_back);
    sched_yield();
    child([&] {
        unsigned long again = 0;
        asm volatile("mov %%gs:0, %0" : "=r"(again));
        EXPECT_EQ(0x5a5au, again);
    });
    std::thread([] {
        unsigned long other = 1;
        ASSERT_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &other));
        note("a thread's GS base: " + std::string(other == 0 ? "zero" : "inherited"));
    }).join();
    EXPECT_ERRNO(EPERM, syscall(SYS_arch_prctl, ARCH_SET_FS, 1UL << 63));
    EXPECT_ERRNO(EINVAL, syscall(SYS_arch_prctl, 0x9999, 0));
    EXPECT_ERRNO(EFAULT, syscall(SYS_arch_prctl, ARCH_GET_FS, 8));
}

// A switch of threads in the middle of the call must not bring the old base back. A neighbour on the same CPU sees to
// it that there are switches.
TEST(ArchPrctl, SegmentBasesUnderPreemption) {
    child([] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        ASSERT_OK(sched_setaffinity(0, sizeof one, &one));
        const pid_t neighbour = fork();
        if (neighbour == 0) {
            for (;;) {
                asm volatile("pause");
            }
        }
        unsigned long lost = 0;
        timespec begin{};
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (unsigned long base = 1; now.tv_sec < begin.tv_sec + 3; ++base) {
            unsigned long got = 0;
            syscall(SYS_arch_prctl, ARCH_SET_GS, base);
            syscall(SYS_arch_prctl, ARCH_GET_GS, &got);
            lost += got != base;
            clock_gettime(CLOCK_MONOTONIC, &now);
        }
        EXPECT_EQ(0u, lost);
        kill(neighbour, SIGKILL);
        EXPECT_EQ(neighbour, waitpid(neighbour, nullptr, 0));
    });
}
