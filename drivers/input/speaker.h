#pragma once
/// The speaker of a PC: counter 2 of the interval timer (8254) makes the tone, port 61h lets it through.
///
/// Lock: `lock_` (spinlock of rank Device) around the ports.

#include "kernel/base/types.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/time/timer.h"

namespace cairn::drivers {

class Speaker {
public:
    /// As sound_bell() (keyboard_entrances.h).
    void sound(u32 hertz, u32 milliseconds);

private:
    static void end(time::Timer& timer);
    void silence();

    SpinLock<LockRank::Device> lock_;
    time::Timer timer_{&end};
};

}  // namespace cairn::drivers
