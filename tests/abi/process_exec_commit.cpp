// What a successful execve changes and what it keeps. Rules E08-E18.
#include <elf.h>
#include <linux/capability.h>
#include <sys/auxv.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

Outcome dump(const Body& before = [] {}, Probe probe = Probe::Static) {
    write_probe("probe", probe);
    return run_program_after(before, "./probe", {"probe", "dump"}, {"A=1", "B=two"});
}

unsigned long aux(const Outcome& outcome, int type) {
    std::string value = fact(outcome.output, "aux " + std::to_string(type));
    return value == "(none)" ? 0 : std::stoul(value);
}

std::string cat(const std::string& file, const Body& before = [] {}) {
    if (!exists("probe")) {
        write_probe("probe");
    }
    return run_program_after(before, "./probe", {"probe", "cat", file}).output;
}

std::string status_line(const std::string& text, const std::string& name) {
    size_t at = ("\n" + text).find("\n" + name + ":");
    if (at == std::string::npos) {
        return "(none)";
    }
    at = text.find_first_not_of(" \t", at + name.size() + 1);
    return text.substr(at, text.find('\n', at) - at);
}

}  // namespace

TEST(ExecStack, ArgumentsAndEnvironment) {  // E18
    Outcome result = dump();
    EXPECT_EQ(0u, result.output.rfind("argc 2\narg probe\narg dump\nenv A=1\nenv B=two\naux ", 0)) << result.output;
    EXPECT_EQ("0", std::to_string(std::stoul(fact(result.output, "register rsp")) % 16));
}

TEST(ExecStack, AuxiliaryVector) {  // E18
    Outcome result = dump();
    EXPECT_EQ(4096u, aux(result, AT_PAGESZ));
    EXPECT_EQ(100u, aux(result, AT_CLKTCK));
    EXPECT_EQ(56u, aux(result, AT_PHENT));
    EXPECT_EQ(0u, aux(result, AT_BASE));
    EXPECT_EQ(0u, aux(result, AT_FLAGS));
    EXPECT_EQ(0u, aux(result, AT_UID) + aux(result, AT_EUID) + aux(result, AT_GID) + aux(result, AT_EGID));
    EXPECT_EQ(0u, aux(result, AT_SECURE));
    EXPECT_EQ("x86_64", fact(result.output, "aux 15"));
    EXPECT_EQ("./probe", fact(result.output, "aux 31")) << "AT_EXECFN: as it was spelled";
    EXPECT_NE(0u, aux(result, AT_SYSINFO_EHDR));
    EXPECT_GE(aux(result, AT_MINSIGSTKSZ), 1000u);
    EXPECT_NE("(none)", fact(result.output, "aux 16"));
    EXPECT_NE("(none)", fact(result.output, "aux 26"));
    Elf64_Ehdr header;
    memcpy(&header, probe_bytes(Probe::Static).data(), sizeof header);
    EXPECT_EQ(header.e_entry, aux(result, AT_ENTRY));
    EXPECT_EQ(header.e_phnum, aux(result, AT_PHNUM));
    EXPECT_EQ(header.e_phoff, aux(result, AT_PHDR) & 0xfff);
}

TEST(ExecStack, AuxiliaryVectorOfAUser) {  // E18
    Outcome result = dump([] { become_user(1234, 1235); });
    EXPECT_EQ(1234u, aux(result, AT_UID));
    EXPECT_EQ(1234u, aux(result, AT_EUID));
    EXPECT_EQ(1235u, aux(result, AT_GID));
    EXPECT_EQ(1235u, aux(result, AT_EGID));
}

TEST(ExecStack, RandomBytesDiffer) {  // E18, trap U
    Outcome one = dump();
    Outcome two = dump();
    EXPECT_NE(fact(one.output, "random0"), fact(two.output, "random0"));
    EXPECT_NE(fact(one.output, "random1"), fact(two.output, "random1"));
}

TEST(ExecStack, ProcAuxvIsTheSame) {  // E10
    std::string text = read_file("/proc/self/auxv");
    ASSERT_EQ(0u, text.size() % 16);
    ASSERT_GT(text.size(), 160u);
    for (size_t i = 0; i + 16 <= text.size(); i += 16) {
        uint64_t entry[2];
        memcpy(entry, text.data() + i, 16);
        if (entry[0] != 0 && entry[0] != AT_HWCAP && entry[0] != AT_HWCAP2) {  // the C library has its own there
            EXPECT_EQ(getauxval(entry[0]), entry[1]) << entry[0];
        }
    }
}

TEST(ExecLayout, IsRandomised) {  // E05, trap U
    std::vector<std::string> stacks;
    std::vector<std::string> codes;
    std::vector<std::string> breaks;
    for (int i = 0; i < 3; i++) {
        Outcome result = dump([] {}, Probe::StaticPie);
        stacks.push_back(fact(result.output, "address stack"));
        codes.push_back(fact(result.output, "address code"));
        breaks.push_back(fact(result.output, "address brk"));
    }
    EXPECT_FALSE(stacks[0] == stacks[1] && stacks[1] == stacks[2]);
    EXPECT_FALSE(codes[0] == codes[1] && codes[1] == codes[2]);
    EXPECT_FALSE(breaks[0] == breaks[1] && breaks[1] == breaks[2]);
}

TEST(ExecLayout, PersonalityForbidsIt) {  // E05
    auto fixed = [] { syscall(SYS_personality, 0x0040000); };
    Outcome one = dump(fixed, Probe::StaticPie);
    Outcome two = dump(fixed, Probe::StaticPie);
    EXPECT_EQ(fact(one.output, "address stack"), fact(two.output, "address stack"));
    EXPECT_EQ(fact(one.output, "address code"), fact(two.output, "address code"));
    EXPECT_EQ(fact(one.output, "address brk"), fact(two.output, "address brk"));
}

TEST(ExecLayout, SegmentsHaveTheirRights) {  // E05
    for (Probe probe : {Probe::Static, Probe::StaticPie}) {
        write_probe("p", probe);
        auto outcome = [](const char* what) { return status_text(run_program("./p", {"p", what}).status); };
        EXPECT_EQ("SIGSEGV", outcome("write-text"));
        EXPECT_EQ("SIGSEGV", outcome("write-constant"));
        EXPECT_EQ("SIGSEGV", outcome("run-stack"));
        EXPECT_EQ("SIGSEGV", outcome("run-data"));
        EXPECT_EQ("exit 0", outcome("zero")) << ".bss";
    }
}

TEST(ExecLayout, ExecutableStackOnRequest) {  // E05
    write_probe("p", Probe::ExecutableStack);
    EXPECT_ENDS("exit 0", run_program("./p", {"p", "run-stack"}).status);
    EXPECT_ENDS("SIGSEGV", run_program("./p", {"p", "run-data"}).status);
}

TEST(ExecRegisters, AreAtTheDefaults) {  // E14
    Outcome result = dump([] {
        unsigned control = 0x1f80 | 0x6000;
        asm volatile("ldmxcsr %0" : : "m"(control));
        syscall(SYS_arch_prctl, 0x1001, 0x1234);
    });
    for (const char* name : {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13",
                             "r14", "r15", "fs_base", "gs_base"}) {
        EXPECT_EQ("0", fact(result.output, std::string("register ") + name)) << name;
    }
    EXPECT_EQ(std::to_string(0x1f80), fact(result.output, "register mxcsr"));
    EXPECT_EQ(std::to_string(0x37f), fact(result.output, "register fcw"));
    EXPECT_EQ(0x202u, std::stoul(fact(result.output, "register rflags")) & ~0x40u & 0xffff);
}

TEST(ExecNames, CommExeAndCmdline) {  // E10, trap P
    write_probe("a-name-of-more-than-15-bytes");
    ASSERT_OK(symlink("a-name-of-more-than-15-bytes", "link"));
    auto show = [](const char* program, const char* file) {
        return run_program(program, {"arg0", "cat", file}, {"E=1"}).output;
    };
    EXPECT_EQ("a-name-of-more-\n", show("./a-name-of-more-than-15-bytes", "/proc/self/comm"));
    EXPECT_EQ("link\n", show("./link", "/proc/self/comm")) << "the name as spelled";
    EXPECT_EQ(std::string("arg0\0cat\0/proc/self/cmdline\0", 28), show("./link", "/proc/self/cmdline"));
    EXPECT_EQ(std::string("E=1\0", 4), show("./link", "/proc/self/environ"));
    int ends[2];
    ASSERT_OK(pipe(ends));
    pid_t pid = start_child([&] {
        dup2(ends[1], 1);
        execve("./link", pointers({"x", "pause"}).data(), pointers({}).data());
    });
    char text[200] = {};
    ASSERT_EQ(6, read(ends[0], text, 6));
    ASSERT_OK(readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), text, sizeof text));
    EXPECT_NE(nullptr, strstr(text, "/a-name-of-more-than-15-bytes"));
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(ExecDescriptors, CloexecCloses) {  // E11
    int keep = open("/dev/null", O_RDONLY);
    int close_it = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_NE("", cat("/proc/self/fdinfo/" + std::to_string(keep)));
    EXPECT_EQ("", cat("/proc/self/fdinfo/" + std::to_string(close_it)));
    fcntl(close_it, F_SETFD, 0);
    EXPECT_NE("", cat("/proc/self/fdinfo/" + std::to_string(close_it)));
}

TEST(ExecDescriptors, SharedTableIsUnshared) {  // E11
    write_probe("probe");
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char* stack = map_pages(16) + 16 * kPage;
    auto body = [](void*) -> int {
        char* argv[] = {const_cast<char*>("probe"), nullptr};
        execve("./probe", argv, argv + 1);
        return 1;
    };
    pid_t pid = clone(body, stack, CLONE_FILES | SIGCHLD, nullptr);
    EXPECT_ENDS("exit 42", wait_for(pid));
    EXPECT_OK(fcntl(file, F_GETFD)) << "ours is still open";
}

TEST(ExecDescriptors, RecordLocksStay) {  // E16
    write_probe("probe");
    write_file("f", "x");
    int ends[2];
    ASSERT_OK(pipe(ends));
    pid_t pid = start_child([&] {
        int file = open("f", O_RDWR);
        struct flock lock{};
        lock.l_type = F_WRLCK;
        fcntl(file, F_SETLK, &lock);
        dup2(ends[1], 1);
        execve("./probe", pointers({"p", "pause"}).data(), pointers({}).data());
    });
    char text[6];
    ASSERT_EQ(6, read(ends[0], text, 6));
    struct flock lock{};
    lock.l_type = F_WRLCK;
    ASSERT_OK(fcntl(open("f", O_RDWR), F_GETLK, &lock));
    EXPECT_EQ(F_WRLCK, lock.l_type);
    EXPECT_EQ(pid, lock.l_pid);
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(ExecSignals, HandlersGoIgnoredStays) {  // E12
    std::string text = cat("/proc/self/status", [] {
        handle(SIGUSR1, SIG_IGN);
        count_signals(SIGUSR2);
        block({SIGTERM, SIGHUP});
        raise(SIGHUP);
        kill(getpid(), SIGTERM);
    });
    EXPECT_EQ("0000000000000200", status_line(text, "SigIgn"));
    EXPECT_EQ("0000000000000000", status_line(text, "SigCgt"));
    EXPECT_EQ("0000000000004001", status_line(text, "SigBlk"));
    EXPECT_EQ("0000000000000001", status_line(text, "SigPnd")) << "pending for the thread";
    EXPECT_EQ("0000000000004000", status_line(text, "ShdPnd")) << "pending for the process";
}

TEST(ExecSignals, AlternateStackIsGone) {  // E12
    EXPECT_ENDS("exit 0", capture([] {
                              stack_t stack{map_pages(16), 0, 16 * kPage};
                              sigaltstack(&stack, nullptr);
                              exec_self("report_altstack");
                          }).status);
}
ABI_HELPER(report_altstack) {
    stack_t now{};
    sigaltstack(nullptr, &now);
    return now.ss_flags == SS_DISABLE ? 0 : 1;
}

TEST(ExecTimers, ItimersGoOn) {  // E13
    EXPECT_ENDS("exit 0", capture([] {
                              itimerval hour{{0, 0}, {3600, 0}};
                              setitimer(ITIMER_REAL, &hour, nullptr);
                              timer_t timer;
                              timer_create(CLOCK_MONOTONIC, nullptr, &timer);
                              exec_self("report_timers", {std::to_string(reinterpret_cast<long>(timer))});
                          }).status);
}
ABI_HELPER(report_timers) {
    itimerval now{};
    getitimer(ITIMER_REAL, &now);
    itimerspec left{};
    bool gone = syscall(SYS_timer_gettime, 0, &left) == -1 && errno == EINVAL;
    return now.it_value.tv_sec > 3000 && gone ? 0 : 1;
}

TEST(ExecKept, SurroundingsStay) {  // E16
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_ENDS("exit 0", capture([] {
                              setpgid(0, 0);
                              chdir("d");
                              umask(0123);
                              nice(7);
                              rlimit limit{123, 456};
                              setrlimit(RLIMIT_NOFILE, &limit);
                              prctl(PR_SET_CHILD_SUBREAPER, 1);
                              exec_self("report_kept", {std::to_string(getpid()), std::to_string(getppid()),
                                                        std::to_string(getsid(0))});
                          }).status);
}
ABI_HELPER(report_kept) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    int reaper = 0;
    prctl(PR_GET_CHILD_SUBREAPER, &reaper);
    bool same = std::to_string(getpid()) == arguments[1] && std::to_string(getppid()) == arguments[2] &&
                std::to_string(getsid(0)) == arguments[3] && getpgrp() == getpid();
    return same && exists("../d") && umask(0) == 0123 && getpriority(PRIO_PROCESS, 0) == 7 && limit.rlim_cur == 123 &&
                   limit.rlim_max == 456 && reaper == 1
               ? 0
               : 1;
}

// --- threads -----------------------------------------------------------------------------------------

TEST(ExecThreads, SiblingsEndInEverySleep) {  // E08
    write_probe("probe");
    int ends[2];
    ASSERT_OK(pipe2(ends, O_CLOEXEC));
    count_signals(SIGCHLD);
    EXPECT_ENDS(
        "exit 42", run_child([&] {
            std::vector<std::thread> threads;
            std::atomic<int> ready{0};
            auto add = [&](std::function<void()> sleep) {
                threads.emplace_back([&ready, sleep] {
                    ready++;
                    sleep();
                });
            };
            static int word = 0;
            add([&] {
                char byte;
                (void)!read(ends[0], &byte, 1);
            });
            add([] { pause(); });
            add([] { syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr); });
            add([] { poll(nullptr, 0, -1); });
            add([] { sleep_ms(1'000'000); });
            add([] {
                for (volatile int i = 0;;) {
                    (void)i;
                }
            });
            add([] {
                if (vfork() == 0) {
                    pause();
                    _exit(0);
                }
            });
            add([] {
                for (;;) {
                    // While the exec is on its way new threads are refused (EAGAIN).
                    pthread_t thread;
                    if (pthread_create(&thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr) == 0) {
                        pthread_join(thread, nullptr);
                    }
                }
            });
            while (ready < 8) {
                sched_yield();
            }
            execve("./probe", pointers({"probe"}).data(), pointers({}).data());
        }));
    EXPECT_EQ(1, received(SIGCHLD)) << "the siblings were no children";
}

TEST(ExecThreads, ManyOfThem) {  // E08
    write_probe("probe");
    EXPECT_ENDS("exit 42", run_child([] {
                    static Gate never;
                    for (int i = 0; i < 100; i++) {
                        pthread_attr_t attributes;
                        pthread_attr_init(&attributes);
                        pthread_attr_setstacksize(&attributes, 65536);
                        pthread_t thread;
                        ASSERT_EQ(0, pthread_create(
                                         &thread, &attributes,
                                         [](void*) -> void* {
                                             never.wait();
                                             return nullptr;
                                         },
                                         nullptr));
                    }
                    execve("./probe", pointers({"probe"}).data(), pointers({}).data());
                }));
}

TEST(ExecThreads, OtherThreadTakesTheLeadersPlace) {  // E09
    Outcome result = capture([] {
        static std::string pid = std::to_string(getpid());
        std::thread([] { exec_self("report_leader", {pid}); }).join();
    });
    EXPECT_ENDS("exit 0", result.status);
}
ABI_HELPER(report_leader) {
    bool leader = syscall(SYS_gettid) == getpid();
    return leader && std::to_string(getpid()) == arguments[1] && proc_status("Threads") == "1" &&
                   proc_status("Tgid") == proc_status("Pid")
               ? 0
               : 1;
}

TEST(ExecThreads, TwoAtOnceOneWins) {  // E07
    write_probe("probe");
    for (int round = 0; round < 5; round++) {
        int status = run_child([] {
            static std::atomic<int> ready;
            ready = 0;
            auto become = [](const char* code) {
                ready++;
                while (ready < 2) {
                }
                execve("./probe", pointers({"p", "exit", code}).data(), pointers({}).data());
                _exit(77);
            };
            std::thread other([&] { become("1"); });
            become("2");
        });
        EXPECT_TRUE(status_text(status) == "exit 1" || status_text(status) == "exit 2") << status_text(status);
    }
}

TEST(ExecThreads, LoserGoesOnWhenTheHolderFails) {  // E07
    write_probe("probe");
    for (int round = 0; round < 5; round++) {
        EXPECT_ENDS("exit 42", run_child([] {
                        static std::atomic<int> ready;
                        ready = 0;
                        std::thread failing([] {
                            ready++;
                            for (;;) {
                                execve("./none", pointers({"p"}).data(), pointers({}).data());
                            }
                        });
                        while (ready < 1) {
                        }
                        execve("./probe", pointers({"p"}).data(), pointers({}).data());
                        _exit(77);
                    }));
    }
}

TEST(ExecThreads, ClearChildTidIsWoken) {  // E14
    write_probe("probe");
    auto* word = shared<int>();
    *word = 1;
    child([=] {
        syscall(SYS_set_tid_address, word);
        execve("./probe", pointers({"p", "exit", "0"}).data(), pointers({}).data());
    });
    EXPECT_EQ(1, *word) << "cleared only where the memory is shared with another process";
    char* stack = map_pages(16) + 16 * kPage;
    static int plain;
    plain = 1;
    auto body = [](void*) -> int {
        char* argv[] = {const_cast<char*>("p"), nullptr};
        execve("./probe", argv, argv + 1);
        return 1;
    };
    pid_t pid = clone(body, stack, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr, nullptr, nullptr, &plain);
    EXPECT_ENDS("exit 42", wait_for(pid));
    EXPECT_EQ(0, plain) << "the memory was shared: the parent sees it cleared";
}

TEST(ExecMemory, ParentThatSharesItIsUntouched) {  // E10, trap F
    write_probe("probe");
    char* stack = map_pages(16) + 16 * kPage;
    long end = syscall(SYS_brk, 0);
    static int value;
    value = 1;
    auto body = [](void*) -> int {
        value = 2;
        char* argv[] = {const_cast<char*>("p"), const_cast<char*>("zero"), nullptr};
        execve("./probe", argv, argv + 2);
        return 1;
    };
    pid_t pid = clone(body, stack, CLONE_VM | SIGCHLD, nullptr);
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_EQ(2, value);
    EXPECT_EQ(end, syscall(SYS_brk, 0));
}
