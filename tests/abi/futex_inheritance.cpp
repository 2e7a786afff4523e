// Futexes with priority inheritance: owners, waiters, chains, the death of an owner. futex(2), rule X02.
#include "tests/abi/support/futex.h"

using namespace abi_test;

namespace {

constexpr unsigned kTid = FUTEX_TID_MASK;
constexpr int kLockPi2 = 13;

// Field 18 of stat: the priority as the scheduler sees it now; -1 - N for the real-time priority N.
long priority_of(pid_t tid) {
    std::string text = read_file("/proc/self/task/" + std::to_string(tid) + "/stat");
    text = text.substr(text.rfind(')') + 2);
    for (int field = 3; field < 18; field++) {
        text = text.substr(text.find(' ') + 1);
    }
    return std::stol(text);
}

bool become_realtime(int priority) {
    sched_param param{};
    param.sched_priority = priority;
    return sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}

long lock(void* word) {
    return futex(word, FUTEX_LOCK_PI, 0);
}
long unlock(void* word) {
    return futex(word, FUTEX_UNLOCK_PI, 0);
}

// A thread that holds a lock until it is told to give it back.
class Owner {
public:
    explicit Owner(
        void* word, const Body& then = [] {})
        : sleeper_([this, word, then] {
              EXPECT_OK(lock(word));
              then();
              go_.wait();
              EXPECT_OK(unlock(word));
          }) {}
    pid_t tid() const { return sleeper_.tid(); }
    void release() { go_.open(); }
    void join() {
        release();
        sleeper_.join();
    }

private:
    Gate go_;
    Sleeper sleeper_;
};

}  // namespace

TEST(FutexPi, WordWithoutWaitersIsTheTidAlone) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    EXPECT_EQ(static_cast<unsigned>(own_tid()), word.load());
    ASSERT_OK(unlock(&word));
    EXPECT_EQ(0u, word.load());
}

TEST(FutexPi, HandedOverWordKeepsTheWaitersBit) {
    // So that the new owner gives it back through the kernel, which knows who waits.
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    Owner waiter(&word);
    ASSERT_OK(unlock(&word));
    while ((word & kTid) != static_cast<unsigned>(waiter.tid())) {
        sched_yield();
    }
    EXPECT_EQ(static_cast<unsigned>(waiter.tid()) | FUTEX_WAITERS, word.load());
    waiter.join();
    EXPECT_EQ(0u, word.load());
}

TEST(FutexPi, UserSpaceOwnerIsHonoured) {
    // The usual fast path: user space puts its id into the word; the kernel hears of it when somebody waits.
    std::atomic<unsigned> word{static_cast<unsigned>(own_tid())};
    Owner waiter(&word);
    EXPECT_TRUE(word & FUTEX_WAITERS);
    ASSERT_OK(unlock(&word));
    waiter.join();
}

TEST(FutexPi, MostUrgentWaiterIsNext) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    std::vector<int> order;
    auto wait_as = [&](int priority) {
        return [&, priority] {
            if (priority > 0) {
                EXPECT_TRUE(become_realtime(priority));
            }
            EXPECT_OK(lock(&word));
            order.push_back(priority);
            EXPECT_OK(unlock(&word));
        };
    };
    Sleeper plain(wait_as(0));
    Sleeper low(wait_as(5));
    Sleeper high(wait_as(9));
    Sleeper middle(wait_as(7));
    ASSERT_OK(unlock(&word));
    for (Sleeper* each : {&plain, &low, &high, &middle}) {
        each->join();
    }
    EXPECT_EQ((std::vector<int>{9, 7, 5, 0}), order);
}

TEST(FutexPi, EqualWaitersComeInOrder) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    std::vector<int> order;
    auto wait_as = [&](int name) {
        return [&, name] {
            EXPECT_OK(lock(&word));
            order.push_back(name);
            EXPECT_OK(unlock(&word));
        };
    };
    Sleeper a(wait_as(1));
    Sleeper b(wait_as(2));
    Sleeper c(wait_as(3));
    ASSERT_OK(unlock(&word));
    a.join();
    b.join();
    c.join();
    EXPECT_EQ((std::vector<int>{1, 2, 3}), order);
}

TEST(FutexPi, OwnerIsRaisedWhileAnUrgentThreadWaits) {
    std::atomic<unsigned> word{0};
    Owner owner(&word);
    EXPECT_EQ(20, priority_of(owner.tid()));
    Sleeper urgent([&] {
        ASSERT_TRUE(become_realtime(10));
        EXPECT_OK(lock(&word));
        EXPECT_OK(unlock(&word));
    });
    EXPECT_EQ(-11, priority_of(owner.tid()));
    EXPECT_EQ(SCHED_OTHER, sched_getscheduler(owner.tid())) << "the policy that was asked for stays";
    owner.release();
    urgent.join();
    owner.join();
}

TEST(FutexPi, OwnerFallsBackWhenItGivesTheLockBack) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    Sleeper urgent([&] {
        ASSERT_TRUE(become_realtime(10));
        EXPECT_OK(lock(&word));
        EXPECT_OK(unlock(&word));
    });
    EXPECT_EQ(-11, priority_of(own_tid()));
    ASSERT_OK(unlock(&word));
    EXPECT_EQ(20, priority_of(own_tid()));
    urgent.join();
}

TEST(FutexPi, OwnerFallsBackWhenTheWaiterGivesUp) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    Sleeper urgent([&] {
        ASSERT_TRUE(become_realtime(10));
        timespec limit = in_ms(100, CLOCK_REALTIME);
        EXPECT_ERRNO(ETIMEDOUT, futex(&word, FUTEX_LOCK_PI, 0, &limit));
    });
    urgent.join();
    EXPECT_EQ(20, priority_of(own_tid()));
    ASSERT_OK(unlock(&word));
}

TEST(FutexPi, MostUrgentOfSeveralWaitersCounts) {
    std::atomic<unsigned> first{0};
    std::atomic<unsigned> second{0};
    ASSERT_OK(lock(&first));
    ASSERT_OK(lock(&second));
    auto wait_for_it = [&](void* word, int priority) {
        return [=] {
            ASSERT_TRUE(become_realtime(priority));
            EXPECT_OK(lock(word));
            EXPECT_OK(unlock(word));
        };
    };
    Sleeper low(wait_for_it(&first, 5));
    EXPECT_EQ(-6, priority_of(own_tid()));
    Sleeper high(wait_for_it(&second, 15));
    EXPECT_EQ(-16, priority_of(own_tid()));
    ASSERT_OK(unlock(&second));
    EXPECT_EQ(-6, priority_of(own_tid())) << "the other waiter is still there";
    ASSERT_OK(unlock(&first));
    EXPECT_EQ(20, priority_of(own_tid()));
    low.join();
    high.join();
}

TEST(FutexPi, RaiseGoesThroughAChain) {
    // urgent waits for `middle`, whose owner waits for `end`: both owners are raised.
    std::atomic<unsigned> middle{0};
    std::atomic<unsigned> end{0};
    Owner last(&end);
    Owner between(&middle, [&] {
        EXPECT_OK(lock(&end));
        EXPECT_OK(unlock(&end));
    });
    EXPECT_EQ(20, priority_of(last.tid()));
    Sleeper urgent([&] {
        ASSERT_TRUE(become_realtime(10));
        EXPECT_OK(lock(&middle));
        EXPECT_OK(unlock(&middle));
    });
    EXPECT_EQ(-11, priority_of(between.tid()));
    EXPECT_EQ(-11, priority_of(last.tid()));
    last.release();
    between.release();
    urgent.join();
    last.join();
    between.join();
}

TEST(FutexPi, NewPriorityOfAWaiterReachesTheOwner) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    Sleeper waiter([&] {
        EXPECT_OK(lock(&word));
        EXPECT_OK(unlock(&word));
    });
    EXPECT_EQ(20, priority_of(own_tid()));
    sched_param param{};
    param.sched_priority = 12;
    ASSERT_OK(sched_setscheduler(waiter.tid(), SCHED_FIFO, &param));
    EXPECT_EQ(-13, priority_of(own_tid()));
    ASSERT_OK(unlock(&word));
    waiter.join();
}

TEST(FutexPi, CycleOfTwoIsADeadlock) {
    std::atomic<unsigned> one{0};
    std::atomic<unsigned> two{0};
    ASSERT_OK(lock(&one));
    Owner other(&two, [&] {
        EXPECT_OK(lock(&one));
        EXPECT_OK(unlock(&one));
    });
    EXPECT_ERRNO(EDEADLK, lock(&two));
    EXPECT_EQ(static_cast<unsigned>(other.tid()), two & kTid);
    ASSERT_OK(unlock(&one));
    other.join();
}

TEST(FutexPi, CycleOfThreeIsADeadlock) {
    std::atomic<unsigned> words[3] = {};
    ASSERT_OK(lock(&words[0]));
    Owner second(&words[1], [&] {
        EXPECT_OK(lock(&words[0]));
        EXPECT_OK(unlock(&words[0]));
    });
    Owner third(&words[2], [&] {
        EXPECT_OK(lock(&words[1]));
        EXPECT_OK(unlock(&words[1]));
    });
    EXPECT_ERRNO(EDEADLK, lock(&words[2]));
    ASSERT_OK(unlock(&words[0]));
    second.release();
    third.release();
    second.join();
    third.join();
}

TEST(FutexPi, TryLockTakesWhatADeadOwnerLeft) {
    std::atomic<unsigned> word{FUTEX_OWNER_DIED};
    ASSERT_OK(futex(&word, FUTEX_TRYLOCK_PI, 0));
    EXPECT_EQ(static_cast<unsigned>(own_tid()) | FUTEX_OWNER_DIED, word.load()) << "the mark stays for user space";
    ASSERT_OK(unlock(&word));
    EXPECT_EQ(0u, word.load());
}

TEST(FutexPi, WaitersBitWithoutOwnerIsTaken) {
    std::atomic<unsigned> word{FUTEX_WAITERS};
    ASSERT_OK(lock(&word));
    EXPECT_EQ(static_cast<unsigned>(own_tid()), word & kTid);
    ASSERT_OK(unlock(&word));
}

TEST(FutexPi, UnlockOfAnothersOrNobodysIsRefused) {
    std::atomic<unsigned> word{0};
    EXPECT_ERRNO(EPERM, unlock(&word));
    word = 1;
    EXPECT_ERRNO(EPERM, unlock(&word));
}

TEST(FutexPi, OwnerInAnotherProcess) {
    auto* word = shared<std::atomic<unsigned>>();
    Gate locked;
    Gate go;
    pid_t pid = start_child([&] {
        EXPECT_OK(lock(word));
        locked.open();
        go.wait();
        EXPECT_OK(unlock(word));
    });
    locked.wait();
    EXPECT_ERRNO(EAGAIN, futex(word, FUTEX_TRYLOCK_PI, 0));
    Sleeper waiter([&] {
        EXPECT_OK(lock(word));
        EXPECT_OK(unlock(word));
    });
    go.open();
    waiter.join();
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(FutexPi, EndOfTheOwnersThreadHandsItOver) {  // X02
    std::atomic<unsigned> word{0};
    Gate go;
    Sleeper owner([&] {
        EXPECT_OK(lock(&word));
        go.wait();
    });
    Sleeper waiter([&] {
        EXPECT_OK(lock(&word));
        EXPECT_TRUE(word & FUTEX_OWNER_DIED);
        EXPECT_EQ(static_cast<unsigned>(own_tid()), word & kTid);
        EXPECT_OK(unlock(&word));
    });
    go.open();
    owner.join();
    waiter.join();
}

TEST(FutexPi, EndOfTheOwnersProcessHandsItOver) {  // X02
    auto* word = shared<std::atomic<unsigned>>();
    Gate locked;
    pid_t pid = start_child([&] {
        EXPECT_OK(lock(word));
        locked.open();
        pause();
    });
    locked.wait();
    Sleeper waiter([&] {
        EXPECT_OK(lock(word));
        EXPECT_TRUE(*word & FUTEX_OWNER_DIED);
        EXPECT_OK(unlock(word));
    });
    kill(pid, SIGKILL);
    waiter.join();
    wait_for(pid);
}

TEST(FutexPi, RobustMutexThatInherits) {  // X02
    auto* mutex = shared<pthread_mutex_t>();
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ASSERT_EQ(0, pthread_mutex_init(mutex, &attributes));
    child([=] { EXPECT_EQ(0, pthread_mutex_lock(mutex)); });
    EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(mutex)) << "nobody waited when it died";
    EXPECT_EQ(0, pthread_mutex_consistent(mutex));
    EXPECT_EQ(0, pthread_mutex_unlock(mutex));
    Gate locked;
    pid_t pid = start_child([&] {
        EXPECT_EQ(0, pthread_mutex_lock(mutex));
        locked.open();
        pause();
    });
    locked.wait();
    Sleeper waiter([=] {
        EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(mutex));
        EXPECT_EQ(0, pthread_mutex_consistent(mutex));
        EXPECT_EQ(0, pthread_mutex_unlock(mutex));
    });
    kill(pid, SIGKILL);
    waiter.join();
    wait_for(pid);
}

TEST(FutexPi, SecondLockHasEitherClock) {
    std::atomic<unsigned> word{0};
    Owner owner(&word);
    timespec limit = in_ms(3, CLOCK_MONOTONIC);
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, kLockPi2, 0, &limit));
    EXPECT_GE(now_ns(), limit.tv_sec * 1'000'000'000 + limit.tv_nsec);
    limit = in_ms(3, CLOCK_REALTIME);
    EXPECT_ERRNO(ETIMEDOUT, futex(&word, kLockPi2 | FUTEX_CLOCK_REALTIME, 0, &limit));
    EXPECT_ERRNO(ENOSYS, futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, &limit)) << "the old one has only that";
    owner.join();
}

TEST(FutexPi, Errors) {
    std::atomic<unsigned> word{0};
    char* bytes = reinterpret_cast<char*>(&word);
    EXPECT_ERRNO(EINVAL, lock(bytes + 1));
    EXPECT_ERRNO(EFAULT, lock(reinterpret_cast<void*>(8)));
    EXPECT_ERRNO(EFAULT, lock(map_pages(1, PROT_READ)));
    timespec limit{0, -1};
    EXPECT_ERRNO(EINVAL, futex(&word, FUTEX_LOCK_PI, 0, &limit));
    EXPECT_ERRNO(EFAULT, unlock(reinterpret_cast<void*>(8)));
}

TEST(FutexPi, PlainWaiterOnItsWordIsAnError) {
    std::atomic<unsigned> word{static_cast<unsigned>(own_tid()) | FUTEX_WAITERS};
    Sleeper plain([&] { futex(&word, FUTEX_WAIT, word); });
    std::thread([&] { EXPECT_ERRNO(EINVAL, lock(&word)) << "the two kinds may not be mixed"; }).join();
    EXPECT_EQ(1, futex(&word, FUTEX_WAKE, 1));
    plain.join();
}

TEST(FutexPi, PlainWakeOfAWaiterForTheLockIsAnError) {
    std::atomic<unsigned> word{0};
    ASSERT_OK(lock(&word));
    Owner waiter(&word);
    EXPECT_ERRNO(EINVAL, futex(&word, FUTEX_WAKE, 1));
    ASSERT_OK(unlock(&word));
    waiter.join();
}
