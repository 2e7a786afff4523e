#include "kernel/sync/lock_rank.h"

#include <gtest/gtest.h>

#include "kernel/sync/preemption.h"
#include "kernel/sync/spin_lock.h"

namespace cairn {
namespace {

TEST(LockRank, NamesComeFromTheTable) {
    EXPECT_EQ(lock_rank_name(LockRank::RunQueue), "RunQueue");
    EXPECT_EQ(lock_rank_name(LockRank::Console), "Console");
}

TEST(LockRank, InwardOnly) {
    HeldLocks held;
    int a = 0;
    int b = 0;
    note_lock_acquired(held, &a, LockRank::Thread, RankUse::Strict);
    note_lock_acquired(held, &b, LockRank::RunQueue, RankUse::Strict);
    note_lock_released(held, &a);  // any order
    EXPECT_EQ(held.count, 1u);
    note_lock_acquired(held, &a, LockRank::RunQueue, RankUse::SecondOfPair);
    note_lock_released(held, &b);
    note_lock_released(held, &a);
    EXPECT_EQ(held.count, 0u);
}

TEST(LockRankDeathTest, OutwardPanics) {
    HeldLocks held;
    int a = 0;
    int b = 0;
    note_lock_acquired(held, &a, LockRank::RunQueue, RankUse::Strict);
    EXPECT_DEATH(note_lock_acquired(held, &b, LockRank::Thread, RankUse::Strict), "lock order");
    EXPECT_DEATH(note_lock_acquired(held, &b, LockRank::RunQueue, RankUse::Strict), "lock order");
    EXPECT_DEATH(note_lock_acquired(held, &b, LockRank::Thread, RankUse::SecondOfPair), "lock order");
    EXPECT_DEATH(note_lock_released(held, &b), "not held");
    note_lock_released(held, &a);
}

TEST(LockRankDeathTest, TooManyPanics) {
    HeldLocks held;
    held.count = HeldLocks::kDepth;
    EXPECT_DEATH(note_lock_acquired(held, &held, LockRank::Console, RankUse::Strict), "locks held");
    held.count = 0;
}

TEST(SpinLock, MasksInterruptsAndIsRecorded) {
    SpinLock<LockRank::TestSpinOuter> lock;
    EXPECT_TRUE(arch::interrupts_enabled());
    {
        SpinLockGuard guard(lock);
        EXPECT_FALSE(arch::interrupts_enabled());
        EXPECT_FALSE(sleep_allowed());
        EXPECT_EQ(arch::this_cpu().held_spin_locks.count, 1u);
        lock.assert_held();
        EXPECT_FALSE(SpinLockWord().held_by_this_cpu());
    }
    EXPECT_TRUE(arch::interrupts_enabled());
    EXPECT_EQ(arch::this_cpu().held_spin_locks.count, 0u);
}

TEST(SpinLock, TryLockTakesAFreeLock) {
    SpinLock<LockRank::TestSpinOuter> lock;
    InterruptGuard guard;
    ASSERT_TRUE(lock.try_lock_interrupts_off());
    lock.unlock_keep_interrupts_off();
}

TEST(SpinLock, PairsAreTakenByAddress) {
    SpinLock<LockRank::TestSpinOuter> locks[2];
    {
        SpinLockPairGuard guard(locks[1], locks[0]);
        EXPECT_EQ(arch::this_cpu().held_spin_locks.entries[0].lock, &locks[0]);
        EXPECT_EQ(arch::this_cpu().held_spin_locks.entries[1].lock, &locks[1]);
    }
    EXPECT_EQ(arch::this_cpu().held_spin_locks.count, 0u);
    EXPECT_TRUE(arch::interrupts_enabled());
}

TEST(SpinLock, LockedDataIsReachedThroughWith) {
    SpinLocked<int, LockRank::TestSpinInner> locked(4);
    EXPECT_EQ(locked.with([](int& value) { return ++value; }), 5);
}

TEST(SpinLockDeathTest, SecondAcquisitionPanics) {
    SpinLock<LockRank::TestSpinOuter> lock;
    SpinLockGuard guard(lock);
    EXPECT_DEATH(lock.lock_interrupts_off(), "lock order");
}

TEST(Preemption, GuardsNest) {
    EXPECT_TRUE(sleep_allowed());
    {
        PreemptionGuard outer;
        EXPECT_FALSE(sleep_allowed());
        {
            PreemptionGuard inner;
            EXPECT_EQ(arch::preempt_state(), PerCpu::kNoRescheduleBit + 2);
        }
        EXPECT_FALSE(sleep_allowed());
    }
    EXPECT_TRUE(sleep_allowed());
    {
        InterruptGuard interrupts;
        EXPECT_FALSE(sleep_allowed());
    }
    EXPECT_TRUE(arch::interrupts_enabled());
}

}  // namespace
}  // namespace cairn
