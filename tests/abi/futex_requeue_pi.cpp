// Condition variables with priority inheritance: FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI. futex(2).
#include "tests/abi/support/futex.h"

using namespace abi_test;

namespace {

constexpr unsigned kTid = FUTEX_TID_MASK;

long lock(void* word) {
    return futex(word, FUTEX_LOCK_PI, 0);
}
long unlock(void* word) {
    return futex(word, FUTEX_UNLOCK_PI, 0);
}

}  // namespace

TEST(FutexRequeuePi, FreeLockIsTakenForTheWaiter) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    std::atomic<bool> go{false};
    Sleeper waiter([&] {
        EXPECT_OK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, &mutex));
        EXPECT_EQ(static_cast<unsigned>(own_tid()), mutex & kTid);
        while (!go) {
            sched_yield();
        }
        EXPECT_OK(unlock(&mutex));
    });
    EXPECT_EQ(1, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(INT_MAX), &mutex, 0));
    EXPECT_EQ(static_cast<unsigned>(waiter.tid()), mutex & kTid) << "before the waiter has run";
    go = true;
    waiter.join();
}

TEST(FutexRequeuePi, HeldLockIsWaitedFor) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    auto wait = [&] {
        EXPECT_OK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, &mutex));
        EXPECT_EQ(static_cast<unsigned>(own_tid()), mutex & kTid);
        EXPECT_OK(unlock(&mutex));
    };
    Sleeper a(wait);
    Sleeper b(wait);
    ASSERT_OK(lock(&mutex));
    EXPECT_EQ(2, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(INT_MAX), &mutex, 0)) << "moved ones count";
    EXPECT_FALSE(a.done() || b.done());
    EXPECT_TRUE(mutex & FUTEX_WAITERS);
    ASSERT_OK(unlock(&mutex));
    a.join();
    b.join();
    EXPECT_EQ(0u, mutex.load());
}

TEST(FutexRequeuePi, OnlyOneIsMovedOnRequest) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    auto wait = [&] {
        EXPECT_OK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, &mutex));
        EXPECT_OK(unlock(&mutex));
    };
    Sleeper a(wait);
    Sleeper b(wait);
    EXPECT_EQ(1, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(0), &mutex, 0));
    a.join();
    EXPECT_FALSE(b.done());
    EXPECT_EQ(1, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(0), &mutex, 0));
    b.join();
}

TEST(FutexRequeuePi, ValueIsCompared) {
    std::atomic<unsigned> condition{1};
    std::atomic<unsigned> mutex{0};
    EXPECT_ERRNO(EAGAIN, futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, &mutex));
    EXPECT_ERRNO(EAGAIN, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(1), &mutex, 7));
}

TEST(FutexRequeuePi, TimesOutWithoutTheLock) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    timespec limit = in_ms(3, CLOCK_MONOTONIC);
    EXPECT_ERRNO(ETIMEDOUT, futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, &limit, &mutex));
    limit = in_ms(3, CLOCK_REALTIME);
    EXPECT_ERRNO(ETIMEDOUT, futex(&condition, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, &limit, &mutex));
    EXPECT_EQ(0u, mutex.load());
}

TEST(FutexRequeuePi, OtherLockThanTheWaitersIsRefused) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    std::atomic<unsigned> other{0};
    Sleeper waiter([&] {
        EXPECT_OK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, &mutex));
        EXPECT_OK(unlock(&mutex));
    });
    EXPECT_ERRNO(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(1), &other, 0));
    EXPECT_EQ(1, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(1), &mutex, 0));
    waiter.join();
}

TEST(FutexRequeuePi, Errors) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    EXPECT_ERRNO(EINVAL, futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, &condition)) << "one word for both";
    EXPECT_ERRNO(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(1), &condition, 0));
    EXPECT_ERRNO(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI, 2, number(1), &mutex, 0)) << "more than one to wake";
    EXPECT_ERRNO(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI, 0, number(1), &mutex, 0));
    EXPECT_ERRNO(EFAULT, futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, nullptr, reinterpret_cast<void*>(8)));
}

TEST(FutexRequeuePi, PlainWaiterCannotBeMovedToALock) {
    std::atomic<unsigned> condition{0};
    std::atomic<unsigned> mutex{0};
    Waiter waiter(&condition);
    EXPECT_ERRNO(EINVAL, futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, number(1), &mutex, 0));
    EXPECT_EQ(1, futex(&condition, FUTEX_WAKE, 1));
    waiter.join();
}
