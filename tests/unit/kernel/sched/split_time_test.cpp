#include "kernel/sched/split_time.h"

#include <gtest/gtest.h>

#include <random>

namespace cairn::sched {
namespace {

SplitTime::Parts split(const SplitTime& time, u64 ran) {
    return time.split([ran] { return ran; });
}

TEST(SplitTime, IsTheUsersUntilASampleSaysOtherwise) {
    SplitTime time;
    EXPECT_EQ(split(time, 10).user, 10u);
    time.sample(12, true);
    EXPECT_EQ(split(time, 15).user, 12u);
    EXPECT_EQ(split(time, 15).system, 3u);
    EXPECT_TRUE(time.in_kernel());
    time.sample(16, true);
    time.sample(20, false);
    EXPECT_FALSE(time.in_kernel());
    EXPECT_EQ(split(time, 25).user, 17u);
    EXPECT_EQ(split(time, 25).system, 8u);
}

TEST(SplitTime, NeitherPartRunsBackwardsAndNothingIsLost) {
    std::mt19937 random(1);
    SplitTime time;
    u64 ran = 0;
    SplitTime::Parts last{};
    for (int i = 0; i < 10'000; ++i) {
        ran += random() % 5;
        if (random() % 3 == 0) {
            time.sample(ran, random() % 2 == 0);
        }
        const SplitTime::Parts now = split(time, ran);
        ASSERT_EQ(now.user + now.system, ran);
        ASSERT_GE(now.user, last.user);
        ASSERT_GE(now.system, last.system);
        last = now;
    }
}

/// Another CPU's counter may be a little behind.
TEST(SplitTime, OutlivesACounterThatIsBehind) {
    SplitTime time;
    time.sample(10, true);
    time.sample(30, false);
    EXPECT_EQ(split(time, 15).user + split(time, 15).system, 15u);
    time.sample(40, true);
    EXPECT_EQ(split(time, 5).user, 5u);
    time.sample(15, true);
    EXPECT_EQ(split(time, 40).user + split(time, 40).system, 40u);
    EXPECT_GE(split(time, 40).system, 20u);
}

}  // namespace
}  // namespace cairn::sched
