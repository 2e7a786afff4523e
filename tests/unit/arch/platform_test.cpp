#include "arch/platform.h"

#include <gtest/gtest.h>

namespace cairn::arch {
namespace {

TEST(IsaInterruptLine, FollowsTheOverrides) {
    PlatformDescription platform;
    platform.override_count = 2;
    platform.overrides[0] = {0, 2, InterruptTrigger::EdgeHigh};
    platform.overrides[1] = {9, 20, InterruptTrigger::LevelLow};
    EXPECT_EQ(isa_interrupt_line(platform, 0).gsi, 2u);
    EXPECT_EQ(isa_interrupt_line(platform, 9).gsi, 20u);
    EXPECT_EQ(isa_interrupt_line(platform, 9).trigger, InterruptTrigger::LevelLow);
    EXPECT_EQ(isa_interrupt_line(platform, 4).gsi, 4u);
    EXPECT_EQ(isa_interrupt_line(platform, 4).trigger, InterruptTrigger::EdgeHigh);
}

}  // namespace
}  // namespace cairn::arch
