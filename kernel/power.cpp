#include "kernel/power.h"

#include "kernel/base/console_level.h"
#include "kernel/sched/thread.h"

namespace cairn {

void finish_log() {
    constexpr u32 kLooks = 100;
    for (u32 i = 0; i < kLooks && !show_rest_of_log(); ++i) {
        sched::sleep_for(Nanoseconds::from_milliseconds(10));
    }
}

}  // namespace cairn
