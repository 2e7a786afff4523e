// clone3's arguments one by one, and what several flags mean together. Rule F05.
#include <linux/sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

clone_args plain(uint64_t flags = 0) {
    clone_args arguments{};
    arguments.flags = flags;
    arguments.exit_signal = SIGCHLD;
    return arguments;
}

// The child runs the body on a copy of the memory.
long clone3(clone_args& arguments, const Body& body = [] {}, size_t size = sizeof(clone_args)) {
    long pid = syscall(SYS_clone3, &arguments, size);
    if (pid == 0) {
        body();
        _exit(testing::Test::HasFailure() ? 99 : 0);
    }
    return pid;
}

template <class T>
uint64_t at(T* pointer) {
    return reinterpret_cast<uint64_t>(pointer);
}

void expect_end(const char* text, long pid) {
    ASSERT_GT(pid, 0) << errno_name(errno);
    EXPECT_ENDS(text, wait_for(static_cast<pid_t>(pid)));
}

// A thread of the process that runs nothing but system calls, until *word is cleared by its end.
long raw_thread(unsigned long flags, std::atomic<int>* word, int (*body)(void*), void* argument) {
    char* stack = map_pages(16) + 16 * kPage;
    return clone(body, stack, static_cast<int>(flags | CLONE_CHILD_CLEARTID), argument, nullptr, nullptr, word);
}

void wait_for_word(std::atomic<int>& word) {
    for (int value; (value = word) != 0;) {
        syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr);
    }
}

}  // namespace

TEST(CloneArguments, SmallestStructureWillDo) {  // F05
    clone_args arguments = plain();
    expect_end("exit 0", clone3(arguments, [] {}, CLONE_ARGS_SIZE_VER0));
    expect_end("exit 0", clone3(arguments, [] {}, CLONE_ARGS_SIZE_VER1));
}

TEST(CloneArguments, LargerStructureMustEndInZeros) {  // F05
    struct {
        clone_args known;
        uint64_t unknown[2];
    } larger{plain(), {0, 0}};
    long pid = syscall(SYS_clone3, &larger, sizeof larger);
    if (pid == 0) {
        _exit(0);
    }
    expect_end("exit 0", pid);
    larger.unknown[1] = 1;
    EXPECT_ERRNO(E2BIG, syscall(SYS_clone3, &larger, sizeof larger));
}

TEST(CloneArguments, ExitSignalZeroIsSilent) {  // F05
    count_signals(SIGCHLD);
    clone_args arguments = plain();
    arguments.exit_signal = 0;
    long pid = clone3(arguments);
    ASSERT_GT(pid, 0);
    EXPECT_ERRNO(ECHILD, waitpid(static_cast<pid_t>(pid), nullptr, 0));
    EXPECT_EQ(pid, waitpid(static_cast<pid_t>(pid), nullptr, __WALL));
    EXPECT_EQ(0, received(SIGCHLD));
}

TEST(CloneArguments, RealtimeExitSignalIsQueued) {  // F05
    block({SIGRTMIN + 3});
    clone_args arguments = plain();
    arguments.exit_signal = static_cast<uint64_t>(SIGRTMIN + 3);
    long a = clone3(arguments);
    long b = clone3(arguments);
    wait_for(static_cast<pid_t>(a));
    wait_for(static_cast<pid_t>(b));
    sigset_t set = set_of({SIGRTMIN + 3});
    siginfo_t info{};
    timespec none{0, 0};
    EXPECT_EQ(SIGRTMIN + 3, sigtimedwait(&set, &info, &none));
    EXPECT_EQ(SIGRTMIN + 3, sigtimedwait(&set, &info, &none)) << "one for each";
}

TEST(CloneArguments, StackBelongsToTheChild) {  // F05
    char* stack = map_pages(4);
    // The child of a raw clone3 with a stack of its own returns there, so that assembly must call a function for it.
    clone_args arguments = plain(CLONE_VM | CLONE_VFORK);
    arguments.stack = at(stack);
    arguments.stack_size = 4 * kPage;
    static volatile uint64_t seen;
    seen = 0;
    long result;
    // SAFETY: the child touches nothing but registers and `seen`, and ends.
    asm volatile(
        "syscall\n"
        "test %%rax, %%rax\n"
        "jnz 1f\n"
        "mov %%rsp, (%[seen])\n"
        "mov $231, %%eax\n"
        "xor %%edi, %%edi\n"
        "syscall\n"
        "1:\n"
        : "=a"(result)
        : "a"(SYS_clone3), "D"(&arguments), "S"(sizeof arguments), [seen] "r"(&seen)
        : "rcx", "r11", "memory");
    expect_end("exit 0", result);
    EXPECT_EQ(at(stack) + 4 * kPage, seen) << "the end of the stack, not its beginning";
}

TEST(CloneArguments, SetTidNeedsPrivilege) {  // F05
    pid_t wish = 0;
    clone_args arguments = plain();
    arguments.set_tid = at(&wish);
    arguments.set_tid_size = 1;
    wish = 31'123;
    as_user(1000, [&] { EXPECT_ERRNO(EPERM, syscall(SYS_clone3, &arguments, sizeof arguments)); });
}

TEST(CloneArguments, SetTidErrors) {  // F05
    pid_t wish = 1;
    clone_args arguments = plain();
    arguments.set_tid = at(&wish);
    arguments.set_tid_size = 1;
    EXPECT_ERRNO(EEXIST, clone3(arguments)) << "1 is taken";
    wish = 0;
    EXPECT_ERRNO(EINVAL, clone3(arguments));
    wish = -5;
    EXPECT_ERRNO(EINVAL, clone3(arguments));
    wish = 1 << 30;
    EXPECT_ERRNO(EINVAL, clone3(arguments)) << "beyond the largest pid";
    wish = 31'124;
    arguments.set_tid_size = 2;
    EXPECT_ERRNO(EINVAL, clone3(arguments)) << "more than there are namespaces";
    arguments.set_tid_size = 33;
    EXPECT_ERRNO(EINVAL, clone3(arguments));
    arguments.set_tid_size = 0;
    EXPECT_ERRNO(EINVAL, clone3(arguments)) << "an array without elements";
    arguments.set_tid = 0;
    arguments.set_tid_size = 1;
    EXPECT_ERRNO(EINVAL, clone3(arguments)) << "elements without an array";
    arguments.set_tid = 8;
    EXPECT_ERRNO(EFAULT, clone3(arguments));
}

TEST(CloneArguments, SetTidOfAZombieIsTaken) {  // F05
    pid_t wish = 31'125;
    clone_args arguments = plain();
    arguments.set_tid = at(&wish);
    arguments.set_tid_size = 1;
    ASSERT_EQ(wish, clone3(arguments));
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(wish), &info, WEXITED | WNOWAIT));
    EXPECT_ERRNO(EEXIST, clone3(arguments));
    wait_for(wish);
    ASSERT_EQ(wish, clone3(arguments)) << "free again";
    wait_for(wish);
}

TEST(CloneArguments, CgroupNeedsADescriptorOfOne) {  // F05
    clone_args arguments = plain(CLONE_INTO_CGROUP);
    arguments.cgroup = 600;
    EXPECT_ERRNO(EBADF, clone3(arguments));
    arguments.cgroup = static_cast<uint64_t>(open("/dev/null", O_RDONLY));
    EXPECT_ERRNO(EBADF, clone3(arguments)) << "no cgroup";
    arguments.cgroup = 1ULL << 40;
    EXPECT_ERRNO(EINVAL, clone3(arguments));
}

TEST(CloneArguments, OldCallKnowsNoNewFlags) {  // F05
    // The flags above 32 bits are clone3's; the old call never sees them.
    long pid = syscall(SYS_clone, 0x1'0000'0000UL | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    expect_end("exit 0", pid);
}

TEST(CloneArguments, DetachedIsIgnoredByTheOldCall) {  // F05
    long pid = syscall(SYS_clone, CLONE_DETACHED | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    expect_end("exit 0", pid);
}

TEST(CloneArguments, PidDescriptorIsCloexec) {  // F05
    int file = -1;
    clone_args arguments = plain(CLONE_PIDFD);
    arguments.pidfd = at(&file);
    long pid = clone3(arguments);
    ASSERT_GT(pid, 0);
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    wait_for(static_cast<pid_t>(pid));
}

TEST(CloneArguments, PidDescriptorThatCannotBeStoredFails) {  // F05
    clone_args arguments = plain(CLONE_PIDFD);
    arguments.pidfd = 8;
    EXPECT_ERRNO(EFAULT, clone3(arguments));
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, __WALL)) << "and no child";
}

TEST(CloneArguments, PidDescriptorNeedsRoomInTheTable) {  // F05
    rlimit limit{3, 1024};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int file = -1;
    clone_args arguments = plain(CLONE_PIDFD);
    arguments.pidfd = at(&file);
    EXPECT_ERRNO(EMFILE, clone3(arguments));
}

TEST(CloneArguments, SharedFilesAreOneTable) {  // F05
    clone_args arguments = plain(CLONE_FILES);
    long pid = clone3(arguments, [] { dup2(1, 77); });
    wait_for(static_cast<pid_t>(pid));
    EXPECT_OK(fcntl(77, F_GETFD));
    arguments.flags = 0;
    pid = clone3(arguments, [] { dup2(1, 78); });
    wait_for(static_cast<pid_t>(pid));
    EXPECT_ERRNO(EBADF, fcntl(78, F_GETFD));
}

TEST(CloneArguments, SharedTableOutlivesTheChild) {  // F05, X01
    int ends[2];
    ASSERT_OK(pipe(ends));
    clone_args arguments = plain(CLONE_FILES);
    long pid = clone3(arguments);
    wait_for(static_cast<pid_t>(pid));
    EXPECT_EQ(1, write(ends[1], "x", 1)) << "its end closed nothing";
}

TEST(CloneArguments, SharedUndoBelongsToBoth) {  // F05: CLONE_SYSVSEM
    int set = semget(IPC_PRIVATE, 1, 0600);
    ASSERT_OK(set);
    clone_args arguments = plain(CLONE_SYSVSEM);
    long pid = clone3(arguments, [=] {
        sembuf up{0, 1, SEM_UNDO};
        semop(set, &up, 1);
    });
    wait_for(static_cast<pid_t>(pid));
    EXPECT_EQ(1, semctl(set, 0, GETVAL)) << "undone only when the last of them ends";
    semctl(set, 0, IPC_RMID);
}

TEST(CloneArguments, SharedHandlersAreOneTable) {  // F05
    // SIGHAND needs VM; the child runs on a stack of its own.
    static std::atomic<int> word;
    word = 1;
    long pid = raw_thread(
        CLONE_VM | CLONE_SIGHAND | SIGCHLD, &word,
        [](void*) -> int {
            struct {
                void (*handler)(int);
                unsigned long flags;
                void (*restorer)();
                unsigned long mask;
            } ignore{SIG_IGN, 0, nullptr, 0};
            syscall(SYS_rt_sigaction, SIGUSR1, &ignore, nullptr, 8);
            return 0;
        },
        nullptr);
    wait_for(static_cast<pid_t>(pid));
    struct sigaction now{};
    sigaction(SIGUSR1, nullptr, &now);
    EXPECT_EQ(SIG_IGN, now.sa_handler);
}

TEST(CloneArguments, SharedMemoryWithoutSharedSignalsHasItsOwnMask) {  // F05
    static std::atomic<int> word;
    word = 1;
    long pid = raw_thread(
        CLONE_VM | SIGCHLD, &word,
        [](void*) -> int {
            unsigned long all = ~0UL;
            syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, 8);
            return 0;
        },
        nullptr);
    wait_for_word(word);
    wait_for(static_cast<pid_t>(pid));
    sigset_t now{};
    sigprocmask(SIG_BLOCK, nullptr, &now);
    EXPECT_FALSE(sigismember(&now, SIGUSR1));
}

TEST(CloneArguments, ParentOfAChildWithThatFlagIsTheGrandparent) {  // F05
    Gate told;
    child([&] {
        pid_t grandparent = getppid();
        clone_args arguments = plain(CLONE_PARENT);
        arguments.exit_signal = 0;
        long pid = clone3(arguments, [&] { _exit(getppid() == grandparent ? 5 : 6); });
        EXPECT_GT(pid, 0);
        EXPECT_ERRNO(ECHILD, waitpid(static_cast<pid_t>(pid), nullptr, __WALL)) << "a brother, not a child";
    });
    int status = 0;
    while (waitpid(-1, &status, __WALL) > 0) {
        EXPECT_ENDS("exit 5", status);
    }
}

TEST(CloneArguments, VforkFlagWaitsWithoutSharedMemoryToo) {  // F04
    auto* done = shared<std::atomic<int>>();
    clone_args arguments = plain(CLONE_VFORK);
    long pid = clone3(arguments, [=] {
        for (int i = 0; i < 1000; i++) {
            sched_yield();
        }
        *done = 1;
    });
    EXPECT_EQ(1, done->load()) << "it ran to its end first";
    wait_for(static_cast<pid_t>(pid));
}

TEST(CloneArguments, ThreadsChildBelongsToTheProcess) {  // F05
    pid_t pid = 0;
    pid_t seen = 0;
    std::thread([&] {
        auto* parent = shared<pid_t>();
        pid = start_child([=] { *parent = getppid(); });
        wait_for(pid);
        seen = *parent;
    }).join();
    EXPECT_EQ(getpid(), seen) << "not the thread";
}

TEST(CloneArguments, ChildTidIsClearedAndWoken) {  // X02
    auto* word = shared<std::atomic<int>>();
    *word = 1;
    clone_args arguments = plain(CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID);
    arguments.child_tid = at(word);
    long pid = clone3(arguments, [=] {
        if (word->load() != getpid()) {
            _exit(1);
        }
    });
    expect_end("exit 0", pid);
    EXPECT_EQ(pid, word->load()) << "nobody shares the memory, so nothing was cleared";
}

TEST(CloneArguments, ClearedHandlersKeepTheMask) {  // F05
    block({SIGUSR1});
    count_signals(SIGUSR2);
    clone_args arguments = plain(CLONE_CLEAR_SIGHAND);
    long pid = clone3(arguments, [] {
        sigset_t now{};
        sigprocmask(SIG_BLOCK, nullptr, &now);
        struct sigaction action{};
        sigaction(SIGUSR2, nullptr, &action);
        _exit(sigismember(&now, SIGUSR1) && action.sa_handler == SIG_DFL ? 3 : 4);
    });
    expect_end("exit 3", pid);
}

TEST(CloneArguments, NamespaceNeedsPrivilege) {  // F05
    as_user(1000, [] {
        clone_args arguments = plain(CLONE_NEWUTS);
        EXPECT_ERRNO(EPERM, clone3(arguments));
    });
}

TEST(Unshare, OnlyWhatIsShared) {  // F05
    child([] {
        EXPECT_OK(unshare(0));
        EXPECT_OK(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
        EXPECT_OK(unshare(CLONE_THREAD)) << "there is one thread";
        EXPECT_OK(unshare(CLONE_SIGHAND | CLONE_VM));
        EXPECT_ERRNO(EINVAL, unshare(SIGCHLD));
        EXPECT_ERRNO(EINVAL, unshare(CLONE_PARENT));
        EXPECT_ERRNO(EINVAL, unshare(CLONE_VFORK));
    });
}

TEST(Unshare, ThreadsCannotLeaveTheirProcess) {  // F05
    std::thread([] {
        EXPECT_ERRNO(EINVAL, unshare(CLONE_THREAD));
        EXPECT_ERRNO(EINVAL, unshare(CLONE_SIGHAND));
        EXPECT_ERRNO(EINVAL, unshare(CLONE_VM));
    }).join();
}

TEST(Unshare, FilesOfAThread) {  // F05
    std::thread([] {
        ASSERT_OK(unshare(CLONE_FILES));
        dup2(1, 88);
    }).join();
    EXPECT_ERRNO(EBADF, fcntl(88, F_GETFD));
}

TEST(Vfork, ChildMayMakeAChildOfItsOwn) {  // F04
    auto* seen = shared<int>();
    pid_t pid = vfork();
    if (pid == 0) {
        pid_t inner = static_cast<pid_t>(syscall(SYS_fork));
        if (inner == 0) {
            *seen = 5;
            _exit(0);
        }
        int status = 0;
        syscall(SYS_wait4, inner, &status, 0, nullptr);
        _exit(*seen);
    }
    EXPECT_ENDS("exit 5", wait_for(pid));
}

TEST(Vfork, KilledChildReleasesTheParent) {  // F04
    pid_t pid = vfork();
    if (pid == 0) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
        _exit(1);
    }
    EXPECT_ENDS("SIGKILL", wait_for(pid));
}

TEST(Vfork, StoppedChildKeepsTheParent) {  // F04, S04
    Gate done;
    pid_t middle = start_child([&] {
        auto* inner = shared<pid_t>();
        std::thread([=] {
            while (*inner == 0 || process_state(*inner) != 'T') {
                sched_yield();
            }
            kill(*inner, SIGCONT);
        }).detach();
        pid_t pid = vfork();
        if (pid == 0) {
            *inner = static_cast<pid_t>(syscall(SYS_getpid));
            syscall(SYS_kill, *inner, SIGSTOP);
            _exit(4);
        }
        EXPECT_ENDS("exit 4", wait_for(pid));
        done.open();
    });
    EXPECT_ENDS("exit 0", wait_for(middle));
}

TEST(Fork, PendingAlarmAndTimersStayBehind) {  // F03
    itimerval soon{{0, 0}, {100, 0}};
    ASSERT_OK(setitimer(ITIMER_REAL, &soon, nullptr));
    child([] {
        itimerval now{};
        ASSERT_OK(getitimer(ITIMER_REAL, &now));
        EXPECT_EQ(0, now.it_value.tv_sec);
    });
    itimerval now{};
    getitimer(ITIMER_REAL, &now);
    EXPECT_GT(now.it_value.tv_sec, 0);
}

TEST(Fork, DeepChainOfForksEndsInOrder) {  // F02
    std::function<int(int)> descend = [&](int depth) -> int {
        if (depth == 0) {
            return 7;
        }
        pid_t pid = fork();
        if (pid == 0) {
            _exit(descend(depth - 1));
        }
        int status = 0;
        waitpid(pid, &status, 0);
        return WEXITSTATUS(status);
    };
    EXPECT_EQ(7, descend(40));
}
