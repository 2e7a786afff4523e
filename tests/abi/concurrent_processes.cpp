// Two and more at once, in memory, processes, signals and waiting: races that a kernel loses only sometimes. Each is
// small, and hammers one place.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

constexpr int kRounds = 100;

}  // namespace

TEST(Concurrent, ForksWhileMemoryChanges) {
    std::atomic<bool> done{false};
    auto change = [&] {
        while (!done) {
            char* memory = map_pages(8);
            memset(memory, 1, 8 * kPage);
            mprotect(memory, 2 * kPage, PROT_READ);
            munmap(memory, 8 * kPage);
        }
    };
    auto forks = [&] {
        for (int i = 0; i < 30; i++) {
            child([] {});
        }
        done = true;
    };
    together({change, forks});
}

TEST(Concurrent, CopyOnWriteFromBothSides) {
    char* memory = map_pages(16);
    for (int round = 0; round < 10; round++) {
        memset(memory, 1, 16 * kPage);
        Gate begin;
        pid_t pid = start_child([&] {
            begin.wait();
            for (size_t i = 0; i < 16; i++) {
                memory[i * kPage] = 2;
            }
            for (size_t i = 0; i < 16; i++) {
                ASSERT_EQ(2, memory[i * kPage]);
                ASSERT_EQ(1, memory[i * kPage + 1]);
            }
        });
        begin.open();
        for (size_t i = 0; i < 16; i++) {
            memory[i * kPage] = 3;
        }
        for (size_t i = 0; i < 16; i++) {
            ASSERT_EQ(3, memory[i * kPage]);
            ASSERT_EQ(1, memory[i * kPage + 1]);
        }
        ASSERT_EQ("exit 0", status_text(wait_for(pid)));
    }
}

TEST(Concurrent, ProtectionTakesEffectOnEveryCpu) {
    static char* memory = map_pages(1);
    static std::atomic<int> faults{0};
    static std::atomic<bool> done{false};
    handle_info(SIGSEGV, [](int, siginfo_t*, void*) {
        // First the right, then the count: the other way round it could undo the next round's mprotect.
        mprotect(memory, kPage, PROT_READ | PROT_WRITE);
        faults++;
    });
    auto write_always = [] {
        while (!done) {
            *reinterpret_cast<volatile char*>(memory) = 1;
        }
    };
    std::thread writer(write_always);
    for (int i = 0; i < 30; i++) {
        int before = faults;
        ASSERT_OK(mprotect(memory, kPage, PROT_READ));
        while (faults == before) {
            sched_yield();
        }
    }
    done = true;
    writer.join();
    EXPECT_GE(faults.load(), 30);
}

TEST(Concurrent, TruncationAgainstMappedReaders) {
    write_file("f", std::string(4 * kPage, 'x'));
    child([] {
        static sig_atomic_t volatile buses;
        handle_info(SIGBUS, [](int, siginfo_t*, void* context) {
            buses = buses + 1;
            // Goes on behind the two-byte `mov (%rdi), %al`.
            static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
        });
        int file = open("f", O_RDWR);
        auto* memory = static_cast<char*>(mmap(nullptr, 4 * kPage, PROT_READ, MAP_SHARED, file, 0));
        std::atomic<bool> done{false};
        std::thread cutter([&] {
            for (int i = 0; i < kRounds; i++) {
                ftruncate(file, kPage);
                ftruncate(file, 4 * kPage);
            }
            done = true;
        });
        while (!done) {
            asm volatile("mov (%0), %%al" : : "D"(memory + 3 * kPage) : "rax", "memory");
        }
        cutter.join();
    });
}

TEST(Concurrent, SignalsFromManySides) {
    count_signals(SIGUSR1);
    static std::atomic<int> realtime;
    handle(SIGRTMIN, [](int) { realtime++; });
    pid_t parent = getpid();
    auto send = [=] {
        for (int i = 0; i < 50; i++) {
            kill(parent, SIGUSR1);
            ASSERT_OK(sigqueue(parent, SIGRTMIN, sigval{.sival_int = i}));
        }
    };
    together_apart({send, send, send});
    EXPECT_EQ(150, realtime.load()) << "queued signals are never lost";
    EXPECT_GE(received(SIGUSR1), 1);
}

TEST(Concurrent, WaitersForOneChild) {
    for (int i = 0; i < 20; i++) {
        pid_t pid = start_child([] {});
        std::atomic<int> reaped{0};
        auto wait_for_it = [&] {
            int status = 0;
            reaped += waitpid(pid, &status, 0) == pid ? 1 : 0;
        };
        together({wait_for_it, wait_for_it, wait_for_it});
        ASSERT_EQ(1, reaped);
    }
}

TEST(Concurrent, ExitOfThreadsAndGroup) {  // trap K
    for (int i = 0; i < 20; i++) {
        ASSERT_EQ("exit 3", status_text(run_child([] {
                      for (int j = 0; j < 4; j++) {
                          std::thread([] { syscall(SYS_exit, 0); }).detach();
                      }
                      std::thread([] { _exit(3); }).detach();
                      _exit(3);
                  })));
    }
}

TEST(Concurrent, KillDuringExec) {  // E08
    write_probe("probe");
    for (int i = 0; i < 20; i++) {
        pid_t pid = start_child([] { execve("./probe", pointers({"p"}).data(), pointers({}).data()); });
        for (int j = 0; j < i; j++) {
            sched_yield();
        }
        kill(pid, SIGKILL);
        std::string text = status_text(wait_for(pid));
        ASSERT_TRUE(text == "SIGKILL" || text == "exit 42") << text;
    }
}

TEST(Concurrent, ExecWhileTheFileIsReplaced) {  // E06
    write_probe("probe");
    std::atomic<bool> done{false};
    std::thread replacer([&] {
        while (!done) {
            write_probe("other");
            rename("other", "probe");
        }
    });
    for (int i = 0; i < 20; i++) {
        int status = run_program("./probe", {"p"}).status;
        // A fork of ours may hold the new file open for writing for a moment.
        if (status_text(status) != "exit " + std::to_string(200 + ETXTBSY % 50)) {
            ASSERT_EQ("exit 42", status_text(status));
        }
    }
    done = true;
    replacer.join();
}

TEST(Concurrent, EventfdAsASemaphore) {
    int file = eventfd(2, EFD_SEMAPHORE);
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    auto work = [&] {
        for (int i = 0; i < 50; i++) {
            uint64_t one = 1;
            ASSERT_EQ(8, read(file, &one, 8));
            int now = ++inside;
            int seen = most;
            while (seen < now && !most.compare_exchange_weak(seen, now)) {
            }
            sched_yield();
            inside--;
            one = 1;
            ASSERT_EQ(8, write(file, &one, 8));
        }
    };
    together({work, work, work, work});
    EXPECT_LE(most.load(), 2);
}

TEST(Concurrent, EpollWaitersShareTheWork) {
    int epoll = epoll_create1(0);
    int events = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, events, &event));
    std::atomic<int> taken{0};
    auto consume = [&] {
        while (taken < 200) {
            epoll_event got{};
            uint64_t one = 0;
            if (epoll_wait(epoll, &got, 1, 10) == 1 && read(events, &one, 8) == 8) {
                taken++;
            }
        }
    };
    auto produce = [&] {
        for (int i = 0; i < 200; i++) {
            uint64_t one = 1;
            ASSERT_EQ(8, write(events, &one, 8));
        }
    };
    together({consume, consume, produce});
    EXPECT_EQ(200, taken.load());
}

TEST(Concurrent, ConnectsAndAccepts) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    strcpy(name.sun_path, "s");
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name));
    ASSERT_OK(listen(listener, 2));
    auto serve = [&] {
        for (int i = 0; i < 30; i++) {
            int file = accept(listener, nullptr, nullptr);
            ASSERT_OK(file);
            char byte;
            ASSERT_EQ(1, read(file, &byte, 1));
            ASSERT_EQ(1, write(file, &byte, 1));
            close(file);
        }
    };
    auto ask = [&] {
        for (int i = 0; i < 30; i++) {
            int file = socket(AF_UNIX, SOCK_STREAM, 0);
            ASSERT_OK(connect(file, reinterpret_cast<sockaddr*>(&name), sizeof name));
            char byte = static_cast<char>(i);
            ASSERT_EQ(1, write(file, &byte, 1));
            ASSERT_EQ(1, read(file, &byte, 1));
            EXPECT_EQ(static_cast<char>(i), byte);
            close(file);
        }
    };
    together({serve, serve, ask, ask});
}

TEST(Concurrent, MmapAndMunmapOfOneRange) {
    char* memory = map_pages(4);
    std::atomic<bool> done{false};
    handle_info(SIGSEGV, [](int, siginfo_t*, void* context) {
        static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
    });
    auto remap = [&] {
        for (int i = 0; i < 200; i++) {
            ASSERT_OK(munmap(memory, 4 * kPage));
            ASSERT_EQ(memory,
                      mmap(memory, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        }
        done = true;
    };
    auto touch = [&] {
        while (!done) {
            asm volatile("mov %%al, (%0)" : : "D"(memory + kPage) : "memory");
        }
    };
    together({remap, touch, touch});
}

TEST(Concurrent, TidsOfThreadsAreUnique) {
    static std::atomic<int> tids[64];
    static std::atomic<int> count;
    Gate end;
    std::vector<std::thread> threads;
    for (int i = 0; i < 40; i++) {
        threads.emplace_back([&] {
            tids[count++] = static_cast<int>(syscall(SYS_gettid));
            end.wait();
        });
    }
    while (count < 40) {
        sched_yield();
    }
    for (int i = 0; i < 40; i++) {
        for (int j = 0; j < i; j++) {
            ASSERT_NE(tids[i].load(), tids[j].load());
        }
    }
    end.open(40);
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(Concurrent, SetuidInAllThreads) {
    Gate end;
    Gate ready;
    std::vector<std::thread> threads;
    child([&] {
        std::vector<std::thread> inner;
        for (int i = 0; i < 4; i++) {
            inner.emplace_back([&] {
                ready.open();
                end.wait();
                EXPECT_EQ(77, static_cast<int>(syscall(SYS_getuid))) << "the library tells every thread";
            });
            ready.wait();
        }
        EXPECT_OK(setresuid(77, 77, 77));
        end.open(4);
        for (std::thread& thread : inner) {
            thread.join();
        }
    });
}
