#include "drivers/input/speaker.h"

#include "arch/arch.h"
#include "drivers/input/input.h"
#include "drivers/input/keyboard_entrances.h"
#include "kernel/time/clock.h"

namespace cairn::drivers {

namespace {

constexpr u16 kCounter = 0x42, kCommand = 0x43, kGate = 0x61;
constexpr u8 kSquareWave = 0xb6;  // counter 2, both bytes, mode 3
constexpr u8 kSpeakerOn = 3;
constexpr u32 kTimerHertz = 1'193'182;

}  // namespace

void Speaker::silence() {
    SpinLockGuard guard(lock_);
    arch::io_write8(kGate, static_cast<u8>(arch::io_read8(kGate) & ~kSpeakerOn));
}

void Speaker::end(time::Timer& timer) {
    object_of_member<Speaker, time::Timer, &Speaker::timer_>(&timer)->silence();
}

void Speaker::sound(u32 hertz, u32 milliseconds) {
    constexpr u32 kLowest = 20, kHighest = 32'767;
    static_cast<void>(timer_.cancel());
    if (hertz < kLowest || hertz > kHighest) {
        silence();
        return;
    }
    {
        const u32 count = kTimerHertz / hertz;
        SpinLockGuard guard(lock_);
        arch::io_write8(kCommand, kSquareWave);
        arch::io_write8(kCounter, static_cast<u8>(count));
        arch::io_write8(kCounter, static_cast<u8>(count >> 8));
        arch::io_write8(kGate, static_cast<u8>(arch::io_read8(kGate) | kSpeakerOn));
    }
    if (milliseconds != 0) {
        timer_.arm(time::now() + Nanoseconds::from_milliseconds(milliseconds));
    }
}

void sound_bell(u32 hertz, u32 milliseconds) {
    if (g_kernel.input != nullptr) {
        g_kernel.input->speaker.sound(hertz, milliseconds);
    }
}

}  // namespace cairn::drivers
