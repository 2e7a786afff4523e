// Threads as the C library makes them: creation, TLS, locks, conditions, cancellation. Rules F05, F07.
#include <semaphore.h>
#include <spawn.h>

#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#include "tests/abi/support/abi.h"

using namespace abi_test;

TEST(Thread, ManyAtOnce) {  // F06
    std::vector<std::thread> threads;
    std::atomic<int> sum{0};
    Gate end;
    for (int i = 0; i < 60; i++) {
        threads.emplace_back([&, i] {
            sum += i;
            end.wait();
        });
    }
    while (sum != 60 * 59 / 2) {
        sched_yield();
    }
    EXPECT_EQ("61", proc_status("Threads"));
    end.open(60);
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(Thread, ManyOneAfterAnother) {  // F06
    for (int i = 0; i < 300; i++) {
        std::thread([] {}).join();
    }
}

namespace {
thread_local int number = 5;
thread_local std::string text = "initial";
}  // namespace

TEST(Thread, LocalStorage) {  // F05
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([i] {
            EXPECT_EQ(5, number);
            EXPECT_EQ("initial", text);
            number = i;
            text = std::to_string(i);
            sched_yield();
            EXPECT_EQ(i, number);
            EXPECT_EQ(std::to_string(i), text);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(5, number);
}

TEST(Thread, MutexKeepsCount) {
    std::mutex mutex;
    int counter = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            for (int j = 0; j < 1000; j++) {
                std::lock_guard<std::mutex> guard(mutex);
                counter++;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(4000, counter);
}

TEST(Thread, ConditionVariable) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<int> queue;
    int taken = 0;
    std::thread consumer([&] {
        while (taken < 500) {
            std::unique_lock<std::mutex> lock(mutex);
            changed.wait(lock, [&] { return !queue.empty(); });
            taken += static_cast<int>(queue.size());
            queue.clear();
            changed.notify_all();
        }
    });
    for (int i = 0; i < 500; i++) {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [&] { return queue.size() < 5; });
        queue.push_back(i);
        changed.notify_all();
    }
    consumer.join();
    EXPECT_EQ(500, taken);
}

TEST(Thread, TimedWaitTimesOut) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock<std::mutex> lock(mutex);
    int64_t begin = now_ns();
    EXPECT_EQ(std::cv_status::timeout, never.wait_for(lock, std::chrono::milliseconds(10)));
    EXPECT_GE(now_ns() - begin, 10'000'000);
}

TEST(Thread, SemaphoresAndBarriers) {
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, 4);
    std::atomic<int> serial{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            for (int round = 0; round < 50; round++) {
                serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD ? 1 : 0;
            }
            sem_post(&semaphore);
        });
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(0, sem_wait(&semaphore));
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(50, serial);
}

TEST(Thread, ReadersAndWriters) {
    std::shared_mutex lock;
    int value = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&, i] {
            for (int j = 0; j < 200; j++) {
                if (i == 0) {
                    std::unique_lock<std::shared_mutex> guard(lock);
                    value++;
                } else {
                    std::shared_lock<std::shared_mutex> guard(lock);
                    EXPECT_LE(value, 200);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(200, value);
}

TEST(Thread, CancellationEndsASleep) {  // S01
    pthread_t thread;
    static std::atomic<bool> cleaned;
    static std::atomic<pid_t> tid;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            struct Cleaner {
                ~Cleaner() { cleaned = true; }
            } cleaner;
            tid = static_cast<pid_t>(syscall(SYS_gettid));
            for (;;) {
                pause();
            }
        },
        nullptr);
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    EXPECT_EQ(0, pthread_cancel(thread));
    void* result = nullptr;
    EXPECT_EQ(0, pthread_join(thread, &result));
    EXPECT_EQ(PTHREAD_CANCELED, result);
    EXPECT_TRUE(cleaned);
}

TEST(Thread, DetachedOnesGoAway) {
    Gate done;
    for (int i = 0; i < 20; i++) {
        std::thread([&] { done.open(); }).detach();
    }
    for (int i = 0; i < 20; i++) {
        done.wait();
    }
    while (proc_status("Threads") != "1") {
        sched_yield();
    }
}

TEST(Thread, NamesAreSeparate) {
    ASSERT_OK(prctl(PR_SET_NAME, "main"));
    std::thread([] {
        char name[16];
        prctl(PR_GET_NAME, name);
        EXPECT_STREQ("main", name) << "inherited";
        prctl(PR_SET_NAME, "a name longer than fifteen");
        prctl(PR_GET_NAME, name);
        EXPECT_STREQ("a name longer t", name);
        std::string tid = std::to_string(syscall(SYS_gettid));
        EXPECT_EQ("a name longer t\n", read_file("/proc/self/task/" + tid + "/comm"));
    }).join();
    char name[16];
    prctl(PR_GET_NAME, name);
    EXPECT_STREQ("main", name);
    EXPECT_EQ("main\n", read_file("/proc/self/comm"));
}

TEST(Thread, ExceptionsUnwind) {
    std::thread([] {
        try {
            throw std::runtime_error("thrown");
        } catch (const std::exception& error) {
            EXPECT_STREQ("thrown", error.what());
        }
    }).join();
}

TEST(Thread, StackOfAThreadHasAGuard) {  // S05
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    std::thread([] {
                        volatile char* here = static_cast<char*>(__builtin_frame_address(0));
                        for (size_t depth = 0; depth < (64 << 20); depth += kPage) {
                            here[-static_cast<ptrdiff_t>(depth)] = 1;
                        }
                    }).join();
                }));
}

TEST(Thread, FloatingPointStateIsPerThread) {
    auto work = [](double start) {
        double sum = start;
        for (int i = 0; i < 20'000; i++) {
            sum = sum * 1.0000001 + 1;
            if (i % 1000 == 0) {
                sched_yield();
            }
        }
        return sum;
    };
    double alone[4];
    for (int i = 0; i < 4; i++) {
        alone[i] = work(i);
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&, i] { EXPECT_EQ(alone[i], work(i)); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

// --- what the C library builds on fork and exec ------------------------------------------------------

TEST(Library, PosixSpawn) {  // F07, trap E
    write_probe("probe");
    pid_t pid = 0;
    EXPECT_EQ(0, posix_spawn(&pid, "./probe", nullptr, nullptr, pointers({"p", "exit", "6"}).data(), environ));
    EXPECT_ENDS("exit 6", wait_for(pid));
    EXPECT_EQ(ENOENT, posix_spawn(&pid, "./none", nullptr, nullptr, pointers({"p"}).data(), environ));
    EXPECT_ERRNO(ECHILD, wait(nullptr)) << "the failed one is reaped";
}

TEST(Library, PosixSpawnWithActions) {  // F07
    write_probe("probe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_CREAT | O_WRONLY, 0644);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    sigset_t mask = set_of({SIGUSR1});
    posix_spawnattr_setsigmask(&attributes, &mask);
    pid_t pid = 0;
    ASSERT_EQ(0, posix_spawn(&pid, "./probe", &actions, &attributes, pointers({"p", "cat", "/proc/self/status"}).data(),
                             environ));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_NE(std::string::npos, read_file("out").find("SigBlk:\t0000000000000200"));
}

TEST(Library, SpawnFromSeveralThreads) {  // F07
    write_probe("probe");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([] {
            for (int j = 0; j < 5; j++) {
                pid_t pid = 0;
                EXPECT_EQ(0, posix_spawn(&pid, "./probe", nullptr, nullptr, pointers({"p"}).data(), environ));
                EXPECT_ENDS("exit 42", wait_for(pid));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(Library, AtforkHandlersRun) {  // F07
    static int before, parent, after;
    pthread_atfork([] { before++; }, [] { parent++; }, [] { after++; });
    child([] { EXPECT_EQ(1, after); });
    EXPECT_EQ(1, before);
    EXPECT_EQ(1, parent);
    EXPECT_EQ(0, after);
}

TEST(Library, MallocInManyThreadsAndForks) {  // F02
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([i] {
            for (int j = 0; j < 20; j++) {
                std::string text(static_cast<size_t>(1000 * (i + 1) + j), 'x');
                if (j % 5 == 0) {
                    child([&] {
                        std::string copy = text + text;
                        EXPECT_EQ('x', copy.back());
                    });
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}
