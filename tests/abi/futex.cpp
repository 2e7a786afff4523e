// Futexes: wait, wake, requeue, bitsets, priority inheritance, robust lists. Rules S03, X02.
#include "tests/abi/support/futex.h"

using namespace abi_test;

TEST(Futex, WaitNeedsTheValue) {
    std::atomic<unsigned> word{5};
    EXPECT_ERRNO(EAGAIN, futex(&word, FUTEX_WAIT, 4));
    timespec little{0, 1'000'000};
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_WAIT, 5, &little));
}

TEST(Futex, WakeTellsHowMany) {
    std::atomic<unsigned> word{0};
    EXPECT_EQ(0, futex(&word, FUTEX_WAKE, 1));
    Waiter a(&word);
    Waiter b(&word);
    Waiter c(&word);
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 1));
    EXPECT_EQ(2, futex(&word, FUTEX_WAKE, INT_MAX));
    EXPECT_EQ(0, a.join());
    EXPECT_EQ(0, b.join());
    EXPECT_EQ(0, c.join());
}

TEST(Futex, Errors) {
    std::atomic<unsigned> word[2] = {};
    char* bytes = reinterpret_cast<char*>(word);
    EXPECT_ERRNO(EINVAL, futex(bytes + 1, FUTEX_WAIT, 0));
    EXPECT_ERRNO(EFAULT, futex(reinterpret_cast<void*>(8), FUTEX_WAIT, 0));
    EXPECT_ERRNO(EFAULT, futex(map_pages(1, PROT_NONE), FUTEX_WAIT, 0));
    EXPECT_ERRNO(ENOSYS, futex(word, 77, 0));
    timespec wrong{0, 1'000'000'000};
    EXPECT_ERRNO(EINVAL, futex(word, FUTEX_WAIT, 0, &wrong));
    EXPECT_ERRNO(EFAULT, futex(word, FUTEX_WAIT, 0, reinterpret_cast<timespec*>(8)));
    EXPECT_ERRNO(EINVAL, futex(word, FUTEX_WAIT_BITSET, 0, nullptr, nullptr, 0)) << "no bits";
    EXPECT_ERRNO(EINVAL, futex(word, FUTEX_WAKE_BITSET, 0, nullptr, nullptr, 0));
    EXPECT_ERRNO(ENOSYS, futex(word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0));
}

TEST(Futex, BitsetsSelect) {
    std::atomic<unsigned> word{0};
    Waiter one(&word, 1);
    Waiter two(&word, 2);
    EXPECT_EQ(0, futex(&word, FUTEX_WAKE_BITSET, 9, nullptr, nullptr, 4));
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE_BITSET, 9, nullptr, nullptr, 2));
    two.join();
    EXPECT_FALSE(one.done());
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 9));
    one.join();
}

TEST(Futex, TimesAreRelativeOrAbsolute) {
    std::atomic<unsigned> word{0};
    int64_t begin = now_ns();
    timespec limit{0, 20'000'000};
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_WAIT, 0, &limit));
    EXPECT_GE(now_ns() - begin, 20'000'000);
    begin = now_ns();
    limit = in_ms(20, CLOCK_MONOTONIC);
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_WAIT_BITSET, 0, &limit, nullptr, ~0U));
    EXPECT_GE(now_ns() - begin, 19'000'000);
    limit = in_ms(20, CLOCK_REALTIME);
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &limit, nullptr, ~0U));
    limit = {1, 0};
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_WAIT_BITSET, 0, &limit, nullptr, ~0U)) << "long past";
}

TEST(Futex, RequeueMovesWaiters) {
    std::atomic<unsigned> from{0};
    std::atomic<unsigned> to{0};
    Waiter a(&from);
    Waiter b(&from);
    Waiter c(&from);
    EXPECT_ERRNO(EAGAIN, futex(&from, FUTEX_CMP_REQUEUE, 1, reinterpret_cast<timespec*>(9), &to, 7));
    EXPECT_EQ(3, futex(&from, FUTEX_CMP_REQUEUE, 1, reinterpret_cast<timespec*>(9), &to, 0));
    EXPECT_EQ(0, futex(&from, FUTEX_WAKE, 9));
    EXPECT_EQ(2, futex(&to, FUTEX_WAKE, 9));
    a.join();
    b.join();
    c.join();
    Waiter d(&from);
    EXPECT_EQ(0, futex(&from, FUTEX_REQUEUE, 0, reinterpret_cast<timespec*>(1), &to) - 1);
    EXPECT_EQ(1, futex(&to, FUTEX_WAKE, 1));
    d.join();
}

TEST(Futex, WakeOpChangesAndWakes) {
    std::atomic<unsigned> one{0};
    std::atomic<unsigned> two{5};
    Waiter a(&one);
    Waiter b(&two);
    // *two += 2, and wake on `two` if it was 5.
    unsigned op = (1U << 28) | (0U << 24) | (2U << 12) | 5U;
    EXPECT_EQ(2, futex(&one, FUTEX_WAKE_OP, 1, reinterpret_cast<timespec*>(1), &two, op));
    EXPECT_EQ(7u, two.load());
    a.join();
    b.join();
}

TEST(Futex, SharedBetweenProcessesAtDifferentAddresses) {
    int file = memfd_create("futex", 0);
    ASSERT_OK(ftruncate(file, kPage));
    auto map = [&] {
        return static_cast<std::atomic<unsigned>*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    };
    auto* mine = map();
    pid_t pid = start_child([&] {
        auto* other = map();
        EXPECT_NE(mine, other);
        while (other->load() == 0) {
            futex(other, FUTEX_WAIT, 0);
        }
    });
    wait_until_asleep(pid);
    mine->store(1);
    EXPECT_EQ(1, futex(mine, FUTEX_WAKE, 1));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Futex, PrivateMemoryIsNotSharedAfterFork) {
    auto* word = reinterpret_cast<std::atomic<unsigned>*>(map_pages(1));
    *word = 0;
    pid_t pid = start_child([=] {
        timespec limit{0, 30'000'000};
        EXPECT_ERRNO(ETIMEDOUT, futex(word, FUTEX_WAIT, 0, &limit));
    });
    wait_until_asleep(pid);
    EXPECT_EQ(0, futex(word, FUTEX_WAKE, 9));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Futex, PingPong) {
    std::atomic<unsigned> turn{0};
    auto play = [&](unsigned mine) {
        for (int i = 0; i < 200; i++) {
            for (unsigned now; (now = turn) != mine;) {
                futex(&turn, FUTEX_WAIT_PRIVATE, now);
            }
            turn = 1 - mine;
            futex(&turn, FUTEX_WAKE_PRIVATE, 1);
        }
    };
    std::thread other([&] { play(1); });
    play(0);
    other.join();
    EXPECT_EQ(0u, turn.load());
}

TEST(Futex, WaitV) {
    struct WaitOne {
        uint64_t value;
        uint64_t address;
        uint32_t flags;
        uint32_t reserved;
    };
    static std::atomic<unsigned> words[2];
    words[0] = words[1] = 0;
    WaitOne both[2] = {{0, reinterpret_cast<uint64_t>(&words[0]), 2, 0},
                       {0, reinterpret_cast<uint64_t>(&words[1]), 2, 0}};
    words[1] = 1;
    EXPECT_ERRNO(EAGAIN, syscall(SYS_futex_waitv, both, 2, 0, nullptr, 0));
    words[1] = 0;
    std::atomic<pid_t> tid{0};
    long result = -2;
    std::thread waiter([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        result = syscall(SYS_futex_waitv, both, 2, 0, nullptr, 0);
    });
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    words[1] = 1;
    EXPECT_EQ(1, futex(&words[1], FUTEX_WAKE, 1));
    waiter.join();
    EXPECT_EQ(1, result) << "tells which one";
    EXPECT_ERRNO(EINVAL, syscall(SYS_futex_waitv, both, 0, 0, nullptr, 0));
    both[0].flags = 0x100;
    EXPECT_ERRNO(EINVAL, syscall(SYS_futex_waitv, both, 2, 0, nullptr, 0));
}

// --- priority inheritance ----------------------------------------------------------------------------

TEST(FutexPi, LockAndUnlock) {
    std::atomic<unsigned> word{0};
    auto tid = static_cast<unsigned>(syscall(SYS_gettid));
    EXPECT_OK(futex(&word, FUTEX_LOCK_PI, 0));
    EXPECT_EQ(tid, word.load());
    EXPECT_ERRNO(EDEADLK, futex(&word, FUTEX_LOCK_PI, 0));
    EXPECT_ERRNO(EDEADLK, futex(&word, FUTEX_TRYLOCK_PI, 0));
    std::thread([&] {
        EXPECT_ERRNO(EAGAIN, futex(&word, FUTEX_TRYLOCK_PI, 0));
        EXPECT_ERRNO(EPERM, futex(&word, FUTEX_UNLOCK_PI, 0));
        timespec limit = in_ms(5, CLOCK_REALTIME);
        EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_LOCK_PI, 0, &limit));
    }).join();
    EXPECT_OK(futex(&word, FUTEX_UNLOCK_PI, 0));
    EXPECT_EQ(0u, word & FUTEX_TID_MASK);
}

TEST(FutexPi, IsHandedToAWaiter) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(futex(&word, FUTEX_LOCK_PI, 0));
    std::atomic<unsigned> waiter_tid{0};
    std::thread waiter([&] {
        waiter_tid = static_cast<unsigned>(syscall(SYS_gettid));
        EXPECT_OK(futex(&word, FUTEX_LOCK_PI, 0));
        EXPECT_EQ(waiter_tid.load(), word & FUTEX_TID_MASK);
        EXPECT_OK(futex(&word, FUTEX_UNLOCK_PI, 0));
    });
    while (waiter_tid == 0) {
        sched_yield();
    }
    wait_until_asleep(static_cast<pid_t>(waiter_tid));
    EXPECT_TRUE(word & FUTEX_WAITERS);
    EXPECT_OK(futex(&word, FUTEX_UNLOCK_PI, 0));
    waiter.join();
}

TEST(FutexPi, OwnerThatDoesNotExist) {
    std::atomic<unsigned> word{0x3ffffff0 & FUTEX_TID_MASK};
    EXPECT_ERRNO(ESRCH, futex(&word, FUTEX_LOCK_PI, 0));
}

TEST(FutexPi, PthreadMutexOfThatKind) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    ASSERT_EQ(0, pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    pthread_mutex_t mutex;
    ASSERT_EQ(0, pthread_mutex_init(&mutex, &attributes));
    int counter = 0;
    auto work = [&] {
        for (int i = 0; i < 500; i++) {
            pthread_mutex_lock(&mutex);
            counter++;
            pthread_mutex_unlock(&mutex);
        }
    };
    std::thread a(work);
    std::thread b(work);
    work();
    a.join();
    b.join();
    EXPECT_EQ(1500, counter);
}

// --- robust lists ------------------------------------------------------------------------------------

TEST(Robust, DeadOwnerIsMarkedAndAWaiterWoken) {  // X02
    auto* node = shared<RobustNode>();
    Gate locked;
    Gate end;
    pid_t pid = start_child([&] {
        static RobustHead head{};
        head.next = node;
        head.offset = offsetof(RobustNode, word);
        node->next = reinterpret_cast<RobustNode*>(&head);
        node->word = static_cast<unsigned>(getpid()) | FUTEX_WAITERS;
        ASSERT_OK(syscall(SYS_set_robust_list, &head, sizeof head));
        locked.open();
        end.wait();
    });
    locked.wait();
    unsigned value = node->word;
    pid_t waiter = start_child([=] { EXPECT_OK(futex(&node->word, FUTEX_WAIT, value)); });
    wait_until_asleep(waiter);
    end.open();
    EXPECT_ENDS("exit 0", wait_for(waiter));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_TRUE(node->word & FUTEX_OWNER_DIED);
    EXPECT_EQ(0u, node->word & FUTEX_TID_MASK);
}

TEST(Robust, OthersLocksAreLeftAlone) {  // X02
    auto* nodes = shared<RobustNode[3]>();
    RobustNode* list = reinterpret_cast<RobustNode*>(nodes);
    child([=] {
        static RobustHead head{};
        head.offset = offsetof(RobustNode, word);
        head.next = &list[0];
        list[0].next = &list[1];
        list[1].next = reinterpret_cast<RobustNode*>(&head);
        head.pending = &list[2];
        list[0].word = 1;
        list[1].word = static_cast<unsigned>(getpid());
        list[2].word = static_cast<unsigned>(getpid());
        ASSERT_OK(syscall(SYS_set_robust_list, &head, sizeof head));
    });
    EXPECT_EQ(1u, list[0].word);
    EXPECT_TRUE(list[1].word & FUTEX_OWNER_DIED);
    EXPECT_TRUE(list[2].word & FUTEX_OWNER_DIED) << "the one that was being locked";
}

TEST(Robust, BadListsHarmNobody) {  // trap J
    child([] { ASSERT_OK(syscall(SYS_set_robust_list, 8, sizeof(RobustHead))); });
    child([] {
        static RobustHead head{reinterpret_cast<RobustNode*>(0x1000), 0, reinterpret_cast<RobustNode*>(~0UL)};
        ASSERT_OK(syscall(SYS_set_robust_list, &head, sizeof head));
    });
    child([] {
        static RobustNode loop{&loop, 0};
        static RobustHead head{&loop, 8, nullptr};
        ASSERT_OK(syscall(SYS_set_robust_list, &head, sizeof head));
    });
    EXPECT_ERRNO(EINVAL, syscall(SYS_set_robust_list, nullptr, 10));
    void* head = nullptr;
    size_t size = 0;
    EXPECT_OK(syscall(SYS_get_robust_list, 0, &head, &size));
    EXPECT_EQ(24u, size);
    EXPECT_ERRNO(ESRCH, syscall(SYS_get_robust_list, 0x3fffff, &head, &size));
}

TEST(Robust, ExecWalksTheList) {  // E14, trap J
    write_probe("probe");
    auto* node = shared<RobustNode>();
    EXPECT_ENDS("exit 42", run_child([=] {
                    static RobustHead head{};
                    head.next = node;
                    head.offset = offsetof(RobustNode, word);
                    node->next = reinterpret_cast<RobustNode*>(&head);
                    node->word = static_cast<unsigned>(getpid());
                    syscall(SYS_set_robust_list, &head, sizeof head);
                    execve("./probe", pointers({"p"}).data(), pointers({}).data());
                }));
    EXPECT_TRUE(node->word & FUTEX_OWNER_DIED);
}

TEST(Robust, PthreadMutex) {  // X02
    auto* mutex = shared<pthread_mutex_t>();
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ASSERT_EQ(0, pthread_mutex_init(mutex, &attributes));
    child([=] { EXPECT_EQ(0, pthread_mutex_lock(mutex)); });
    EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(mutex));
    EXPECT_EQ(0, pthread_mutex_consistent(mutex));
    EXPECT_EQ(0, pthread_mutex_unlock(mutex));
    std::thread([=] { pthread_mutex_lock(mutex); }).join();
    EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(mutex)) << "a thread that ends does the same";
}
