// fork and vfork: what a child has, shares and lacks. Rules F01-F04 and F06.
#include <sys/timerfd.h>
#include <sys/times.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

TEST(Fork, ChildSeesZeroAndParentThePid) {  // F01
    pid_t* seen = shared<pid_t>();
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        *seen = getpid();
        _exit(getppid() == parent ? 7 : 8);
    }
    ASSERT_GT(pid, 0);
    EXPECT_ENDS("exit 7", wait_for(pid));
    EXPECT_EQ(pid, *seen);
}

TEST(Fork, PrivateMemoryIsCopiedOnWrite) {  // F01
    char* memory = map_pages(8);
    memset(memory, 1, 8 * kPage);
    Gate written;
    Gate go_on;
    pid_t pid = start_child([&] {
        for (int i = 0; i < 8; i += 2) {
            memory[i * kPage] = 2;
        }
        written.open();
        go_on.wait();
        for (int i = 1; i < 8; i += 2) {
            EXPECT_EQ(1, memory[i * kPage]) << "the parent's write came through";
        }
    });
    written.wait();
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(1, memory[i * kPage]) << "the child's write came through";
        memory[i * kPage] = 3;
    }
    go_on.open();
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Fork, WholeChainsOfForksCopyOnWrite) {  // F01
    char* memory = map_pages(4);
    memset(memory, 0, 4 * kPage);
    Body generation[5];
    for (int depth = 0; depth < 4; depth++) {
        generation[depth] = [&, depth] {
            memory[depth * kPage] = static_cast<char>(depth + 1);
            if (depth < 3) {
                child(generation[depth + 1]);
            }
            for (int i = 0; i < 4; i++) {
                EXPECT_EQ(i <= depth ? i + 1 : 0, memory[i * kPage]);
            }
        };
    }
    child(generation[0]);
    EXPECT_EQ(0, memory[0]);
}

TEST(Fork, SharedAnonymousMemoryStaysShared) {  // F01
    auto* value = shared<std::atomic<int>>();
    child([&] {
        value->store(5);
        child([&] { value->fetch_add(1); });
    });
    EXPECT_EQ(6, value->load());
}

TEST(Fork, SharedMemoryFirstTouchedAfterForkIsShared) {  // F01
    char* memory = map_pages(3, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    child([&] { memory[kPage] = 9; });
    EXPECT_EQ(9, memory[kPage]);
    memory[2 * kPage] = 4;
    child([&] { EXPECT_EQ(4, memory[2 * kPage]); });
}

TEST(Fork, DontForkMemoryIsMissingInTheChild) {  // F01
    char* memory = map_pages(3);
    memset(memory, 1, 3 * kPage);
    ASSERT_OK(madvise(memory + kPage, kPage, MADV_DONTFORK));
    EXPECT_EQ("exit 0", outcome_of_read(memory));
    EXPECT_EQ("SIGSEGV", outcome_of_read(memory + kPage));
    EXPECT_EQ("exit 0", outcome_of_read(memory + 2 * kPage));
    ASSERT_OK(madvise(memory + kPage, kPage, MADV_DOFORK));
    EXPECT_EQ("exit 0", outcome_of_read(memory + kPage));
}

TEST(Fork, WipeOnForkMemoryIsZeroInTheChild) {  // F01
    char* memory = map_pages(2);
    memset(memory, 1, 2 * kPage);
    ASSERT_OK(madvise(memory, kPage, MADV_WIPEONFORK));
    child([&] {
        EXPECT_EQ(0, memory[0]);
        EXPECT_EQ(1, memory[kPage]);
        memory[0] = 2;
        child([&] { EXPECT_EQ(0, memory[0]) << "the advice is inherited"; });
    });
    EXPECT_EQ(1, memory[0]);
}

TEST(Fork, WorksFromAnyThreadAndChildHasOne) {  // F02
    Gate end;
    std::thread sleeper([&] { end.wait(); });
    std::thread forker([&] {
        child([] {
            EXPECT_EQ(getpid(), syscall(SYS_gettid));
            EXPECT_EQ("1", proc_status("Threads"));
        });
    });
    forker.join();
    end.open();
    sleeper.join();
}

TEST(Fork, RegistersSurvive) {  // F02
    uint64_t callee[4] = {};
    pid_t pid;
    // SAFETY: only registers that are declared are changed; the call itself changes rax, rcx and r11.
    asm volatile(
        "mov $0x1111, %%r12\n mov $0x2222, %%r13\n mov $0x3333, %%r14\n mov $0x4444, %%r15\n"
        "movq %%r12, %%xmm7\n"
        "mov $57, %%eax\n syscall\n"
        "mov %%r12, %0\n mov %%r13, %1\n mov %%r14, %2\n movq %%xmm7, %3\n"
        : "=m"(callee[0]), "=m"(callee[1]), "=m"(callee[2]), "=m"(callee[3]), "=a"(pid)
        :
        : "rcx", "r11", "r12", "r13", "r14", "r15", "xmm7", "memory");
    bool right = callee[0] == 0x1111 && callee[1] == 0x2222 && callee[2] == 0x3333 && callee[3] == 0x1111;
    if (pid == 0) {
        _exit(right ? 0 : 1);
    }
    EXPECT_TRUE(right);
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Fork, ThreadLocalVariablesSurvive) {  // F02
    static thread_local int local = 1;
    std::thread([&] {
        local = 17;
        child([] { EXPECT_EQ(17, local); });
    }).join();
    EXPECT_EQ(1, local);
}

TEST(Fork, MaskIsInheritedAndPendingSignalsAreNot) {  // F02, F03
    block({SIGUSR1, SIGUSR2});
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    child([] {
        sigset_t set{};
        sigprocmask(SIG_SETMASK, nullptr, &set);
        EXPECT_TRUE(sigismember(&set, SIGUSR1) == 1 && sigismember(&set, SIGUSR2) == 1);
        EXPECT_FALSE(sigismember(&set, SIGTERM) == 1);
        sigpending(&set);
        EXPECT_FALSE(sigismember(&set, SIGUSR1) == 1 || sigismember(&set, SIGUSR2) == 1);
    });
}

TEST(Fork, AlternateStackIsInherited) {  // F02
    stack_t stack{map_pages(4), 0, 4 * kPage};
    ASSERT_OK(sigaltstack(&stack, nullptr));
    child([&] {
        stack_t now{};
        ASSERT_OK(sigaltstack(nullptr, &now));
        EXPECT_EQ(stack.ss_sp, now.ss_sp);
        EXPECT_EQ(stack.ss_size, now.ss_size);
    });
}

TEST(Fork, DescriptorsShareTheFileOffset) {  // F03
    write_file("f", "0123456789");
    int file = open("f", O_RDONLY);
    ASSERT_OK(file);
    child([&] {
        char text[4];
        EXPECT_EQ(4, read(file, text, 4));
        close(file);
    });
    EXPECT_EQ(4, lseek(file, 0, SEEK_CUR));
    child([&] { fcntl(file, F_SETFL, O_APPEND); });
    EXPECT_TRUE(fcntl(file, F_GETFL) & O_APPEND);
}

TEST(Fork, DescriptorTableIsACopy) {  // F03
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    child([&] {
        EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
        fcntl(file, F_SETFD, 0);
        close(file);
        open("/dev/null", O_RDONLY);
        open("/dev/null", O_RDONLY);
    });
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    EXPECT_ERRNO(EBADF, fcntl(file + 1, F_GETFD));
}

TEST(Fork, SurroundingsAreCopies) {  // F03
    ASSERT_OK(mkdir("below", 0755));
    child([] {
        EXPECT_OK(chdir("below"));
        umask(077);
        handle(SIGUSR1, SIG_IGN);
        rlimit limit{10, 20};
        EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
        EXPECT_OK(setsid());
        EXPECT_OK(setresuid(5, 5, 5));
    });
    EXPECT_TRUE(exists("below"));
    EXPECT_EQ(022u, umask(022));
    struct sigaction action{};
    sigaction(SIGUSR1, nullptr, &action);
    EXPECT_EQ(SIG_DFL, action.sa_handler);
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_EQ(1024u, limit.rlim_cur);
    EXPECT_EQ(0u, getuid());
}

TEST(Fork, SurroundingsAreInherited) {  // F03
    ASSERT_OK(mkdir("below", 0755));
    ASSERT_OK(chdir("below"));
    umask(077);
    handle(SIGUSR1, SIG_IGN);
    count_signals(SIGUSR2);
    rlimit limit{100, 200};
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    ASSERT_EQ(5, nice(5));
    child([session = getsid(0), group = getpgrp()] {
        EXPECT_TRUE(exists("../below"));
        EXPECT_EQ(077u, umask(0));
        struct sigaction action{};
        sigaction(SIGUSR1, nullptr, &action);
        EXPECT_EQ(SIG_IGN, action.sa_handler);
        raise(SIGUSR2);
        EXPECT_EQ(1, received(SIGUSR2));
        rlimit now{};
        getrlimit(RLIMIT_NOFILE, &now);
        EXPECT_EQ(100u, now.rlim_cur);
        EXPECT_EQ(200u, now.rlim_max);
        EXPECT_EQ(session, getsid(0));
        EXPECT_EQ(group, getpgrp());
        EXPECT_EQ(5, getpriority(PRIO_PROCESS, 0));
    });
}

TEST(Fork, RecordLocksAreNotInherited) {  // F03
    write_file("f", "text");
    int file = open("f", O_RDWR);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    ASSERT_OK(fcntl(file, F_SETLK, &lock));
    child([&] { EXPECT_ERRNO(EAGAIN, fcntl(file, F_SETLK, &lock)); });
}

TEST(Fork, TimersAreNotInherited) {  // F03
    itimerval hour{{0, 0}, {3600, 0}};
    ASSERT_OK(setitimer(ITIMER_REAL, &hour, nullptr));
    timer_t timer;
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, nullptr, &timer));
    child([&] {
        itimerval now{};
        ASSERT_OK(getitimer(ITIMER_REAL, &now));
        EXPECT_EQ(0, now.it_value.tv_sec);
        itimerspec left{};
        EXPECT_ERRNO(EINVAL, timer_gettime(timer, &left));
    });
}

TEST(Fork, TimesBeginAtZero) {  // F03
    int64_t until = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 60'000'000;
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < until) {
    }
    // One of several, because a slow machine may count what it does meanwhile.
    bool fresh = false;
    for (int i = 0; i < 10 && !fresh; i++) {
        fresh = status_text(run_child([] {
                    bool small = now_ns(CLOCK_PROCESS_CPUTIME_ID) < 50'000'000;
                    tms used{};
                    times(&used);
                    _exit(small && used.tms_utime < 5 && used.tms_cutime == 0 ? 0 : 1);
                })) == "exit 0";
    }
    EXPECT_TRUE(fresh);
}

TEST(Fork, ManyChildrenAtOnce) {  // F06
    constexpr int kChildren = 100;
    Gate end;
    std::vector<pid_t> children;
    for (int i = 0; i < kChildren; i++) {
        children.push_back(start_child([&, i] {
            end.wait();
            _exit(i);
        }));
    }
    end.open(kChildren);
    for (int i = 0; i < kChildren; i++) {
        EXPECT_ENDS("exit " + std::to_string(i), wait_for(children[static_cast<size_t>(i)]));
    }
}

TEST(Fork, FromTwoThreadsAtOnce) {  // F02
    auto fork_often = [] {
        for (int i = 0; i < 10; i++) {
            child([] {});
        }
    };
    std::thread other(fork_often);
    fork_often();
    other.join();
}

TEST(Fork, ProcessLimitOfAUserIsEagain) {  // F06
    child([] {
        rlimit limit{1, 1};
        ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
        become_user(40001, 40001);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        EXPECT_ERRNO(EAGAIN, pid);
    });
}

namespace {
volatile int vfork_value;
}

TEST(Vfork, ChildRunsInTheParentsMemoryFirst) {  // F04
    vfork_value = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        vfork_value = 2;
        _exit(3);
    }
    EXPECT_EQ(2, vfork_value) << "the parent waits until the child has ended";
    EXPECT_ENDS("exit 3", wait_for(pid));
}

TEST(Vfork, FailedExecLeavesTheChildToGoOn) {  // F04
    char* argv[] = {nullptr};
    vfork_value = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        execve("/does/not/exist", argv, argv);
        vfork_value = errno;
        execve("/", argv, argv);
        _exit(errno == EACCES ? 0 : 1);
    }
    EXPECT_EQ(ENOENT, vfork_value);
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Vfork, ParentSleepsUntilExec) {  // F04, E17
    write_probe("probe");
    int ends[2];
    ASSERT_OK(pipe2(ends, O_CLOEXEC));
    std::vector<std::string> words = {"probe", "exit", "5"};
    std::vector<char*> argv = pointers(words);
    int write_end = ends[1];
    pid_t pid = vfork();
    if (pid == 0) {
        execve("probe", argv.data(), argv.data() + 3);
        _exit(1);
    }
    close(write_end);
    // Linux closes the child's end about when it lets the parent go on; Cairn before (E17, tests/sim).
    char byte;
    EXPECT_EQ(0, read(ends[0], &byte, 1));
    EXPECT_ENDS("exit 5", wait_for(pid));
}

TEST(Vfork, AnotherThreadOfTheParentGoesOn) {  // F04
    Gate ready;
    Gate release;
    std::thread other([&] {
        ready.wait();
        release.open();
    });
    int read_end = release.read_end();
    pid_t pid = vfork();
    if (pid == 0) {
        ready.open();
        char byte;
        ssize_t count = read(read_end, &byte, 1);
        _exit(count == 1 ? 0 : 1);
    }
    EXPECT_ENDS("exit 0", wait_for(pid));
    other.join();
}

TEST(Vfork, SignalDoesNotWakeTheParent) {  // F04
    // The handler must not run while the child uses the parent's stack.
    count_signals(SIGUSR1);
    pid_t parent = getpid();
    volatile int seen = -1;
    pid_t pid = vfork();
    if (pid == 0) {
        syscall(SYS_kill, parent, SIGUSR1);
        for (int i = 0; i < 20; i++) {
            sched_yield();
        }
        seen = received(SIGUSR1);
        _exit(0);
    }
    EXPECT_EQ(0, seen);
    EXPECT_EQ(1, received(SIGUSR1));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Vfork, WaitingParentCanBeKilled) {  // F04
    Gate end;
    pid_t* grandchild = shared<pid_t>();
    Gate started;
    int end_read = end.read_end();
    pid_t pid = start_child([&] {
        if (vfork() == 0) {
            *grandchild = getpid();
            started.open();
            char byte;
            (void)!read(end_read, &byte, 1);
            _exit(0);
        }
        _exit(1);
    });
    started.wait();
    kill(pid, SIGKILL);
    EXPECT_ENDS("SIGKILL", wait_for(pid));
    EXPECT_OK(kill(*grandchild, 0)) << "the child lives on";
    end.open();
}

TEST(Vfork, InsideAVforkChildAndForkToo) {  // F04
    vfork_value = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        pid_t inner = vfork();
        if (inner == 0) {
            vfork_value = vfork_value + 1;
            _exit(0);
        }
        int status = 0;
        waitpid(inner, &status, 0);
        long forked = syscall(SYS_fork);
        if (forked == 0) {
            syscall(SYS_exit_group, 0);
        }
        waitpid(static_cast<pid_t>(forked), &status, 0);
        _exit(forked > 0 && status == 0 ? 0 : 1);
    }
    EXPECT_EQ(1, vfork_value);
    EXPECT_ENDS("exit 0", wait_for(pid));
}
