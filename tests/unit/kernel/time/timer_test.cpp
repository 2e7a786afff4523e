#include "kernel/time/timer.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "arch/host/run.h"
#include "kernel/time/clock.h"

namespace cairn::time {
namespace {

/// The plain CPU of unit tests with timers, at time zero.
class TimerTest : public ::testing::Test {
protected:
    void SetUp() override {
        saved_ = arch::this_cpu().timers;
        arch::this_cpu().timers = &timers_;
        arch::host::set_clock({0});
    }
    void TearDown() override {
        arch::this_cpu().timers = saved_;
        arch::host::set_clock({0});
    }
    void advance_to(u64 time) {
        arch::host::set_clock({time});
        arch::InterruptState state = arch::disable_interrupts();
        handle_timer_interrupt();
        arch::restore_interrupts(state);
    }
    CpuTimers timers_;
    CpuTimers* saved_ = nullptr;
};

struct Recorder {
    explicit Recorder(u32 number) : index(number), timer(&fire) {}
    static void fire(Timer& timer) {
        auto& self = *object_of_member<Recorder, Timer, &Recorder::timer>(&timer);
        fired.push_back(self.index);
        if (self.again != Nanoseconds{}) {
            self.timer.arm(std::exchange(self.again, {}));
        }
    }
    static inline std::vector<u32> fired;
    u32 index;
    Nanoseconds again{};
    Timer timer;
};

TEST_F(TimerTest, RandomOperationsAgreeWithAMultimap) {
    std::mt19937 random(7);
    std::deque<Recorder> recorders;
    for (u32 i = 0; i < 100; ++i) {
        recorders.emplace_back(i);
    }
    std::multimap<u64, u32> model;
    auto forget = [&](u32 index) {
        for (auto it = model.begin(); it != model.end(); ++it) {
            if (it->second == index) {
                model.erase(it);
                return true;
            }
        }
        return false;
    };
    u64 present = 0;
    Recorder::fired.clear();
    for (u32 step = 0; step < 20'000; ++step) {
        u32 index = static_cast<u32>(random() % recorders.size());
        switch (random() % 4) {
            case 0:
            case 1: {
                u64 deadline = present + 1 + random() % 1000;
                forget(index);
                model.emplace(deadline, index);
                recorders[index].timer.arm({deadline});
                break;
            }
            case 2:
                ASSERT_EQ(recorders[index].timer.cancel(), forget(index));
                break;
            case 3: {
                present += random() % 200;
                std::vector<u32> expected;
                while (!model.empty() && model.begin()->first <= present) {
                    expected.push_back(model.begin()->second);
                    model.erase(model.begin());
                }
                Recorder::fired.clear();
                advance_to(present);
                ASSERT_EQ(Recorder::fired, expected);
                ASSERT_EQ(arch::host::armed_deadline(),
                          model.empty() ? Nanoseconds::never() : Nanoseconds{model.begin()->first});
                break;
            }
        }
        // The hardware may be early (a cancelled timer was the first) but never late.
        if (!model.empty()) {
            ASSERT_LE(arch::host::armed_deadline(), Nanoseconds{model.begin()->first});
        }
    }
    for (Recorder& recorder : recorders) {
        recorder.timer.cancel_and_wait();
    }
}

TEST_F(TimerTest, ACallbackMayArmItsTimerAgain) {
    Recorder::fired.clear();
    Recorder recorder(3);
    recorder.again = {20};
    recorder.timer.arm({10});
    advance_to(10);
    EXPECT_EQ(Recorder::fired, std::vector<u32>({3}));
    EXPECT_EQ(arch::host::armed_deadline(), Nanoseconds{20});
    advance_to(25);
    EXPECT_EQ(Recorder::fired, std::vector<u32>({3, 3}));
    EXPECT_FALSE(recorder.timer.cancel());
}

TEST_F(TimerTest, ADeadlineInThePastFiresInTheSameInterrupt) {
    Recorder::fired.clear();
    Recorder recorder(1);
    recorder.again = {5};  // already past when it is armed again
    recorder.timer.arm({10});
    advance_to(10);
    EXPECT_EQ(Recorder::fired, std::vector<u32>({1, 1}));
}

TEST_F(TimerTest, NeverCancels) {
    Recorder recorder(1);
    recorder.timer.arm(Nanoseconds::never());
    EXPECT_FALSE(recorder.timer.cancel_and_wait());
    recorder.timer.arm({10});
    recorder.timer.arm(Nanoseconds::never());
    EXPECT_FALSE(recorder.timer.cancel());
    recorder.timer.arm({10});
    EXPECT_TRUE(recorder.timer.cancel_and_wait());
}

TEST_F(TimerTest, ATimerMovesToTheCpuThatArmsIt) {
    Recorder::fired.clear();
    CpuTimers other;
    Recorder recorder(9);
    arch::this_cpu().timers = &other;
    recorder.timer.arm({10});
    arch::this_cpu().timers = &timers_;
    recorder.timer.arm({20});
    arch::this_cpu().timers = &other;
    advance_to(30);
    EXPECT_TRUE(Recorder::fired.empty());
    arch::this_cpu().timers = &timers_;
    advance_to(30);
    EXPECT_EQ(Recorder::fired, std::vector<u32>({9}));
}

TEST(Clock, TheWallClockIsAnOffset) {
    arch::host::set_clock({1000});
    EXPECT_EQ(now(), Nanoseconds{1000});
    Clock clock;
    EXPECT_TRUE(clock.set_wall(Nanoseconds::from_seconds(1'700'000'000)).ok());
    EXPECT_EQ(clock.wall_now(), Nanoseconds::from_seconds(1'700'000'000));
    arch::host::set_clock({3000});
    EXPECT_EQ(clock.wall_now(), Nanoseconds::from_seconds(1'700'000'000) + Nanoseconds{2000});
    EXPECT_EQ(clock.set_wall({5}).error(), Errno::einval);
    arch::host::set_clock({0});
}

}  // namespace
}  // namespace cairn::time
