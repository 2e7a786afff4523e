#pragma once
/// Scheduling policies and what they weigh. sched(7) describes them as a program sees them.

#include "kernel/base/types.h"

namespace cairn::sched {

/// SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR.
enum class Policy : u8 { Fair, Batch, Idle, Fifo, RoundRobin };

constexpr bool is_realtime(Policy policy) {
    return policy == Policy::Fifo || policy == Policy::RoundRobin;
}

constexpr i32 kNiceLowest = -20;
constexpr i32 kNiceHighest = 19;
/// Real-time priorities are 1 (least urgent) … 99; the queue has a list for each of 0 … 99.
constexpr u32 kRealtimePriorities = 100;

/// How long a RoundRobin thread runs before the next one of its priority has its turn.
constexpr Nanoseconds kRoundRobinSlice = Nanoseconds::from_milliseconds(100);
/// What a fair thread asks for at a time: its virtual deadline lies this far (scaled by its
/// weight) behind its virtual run time.
constexpr Nanoseconds kFairSlice = Nanoseconds::from_milliseconds(3);

/// The weight of nice 0.
constexpr u32 kUnitWeight = 1024;
/// What a thread of Policy::Idle weighs, whatever its nice value.
constexpr u32 kIdlePolicyWeight = 3;

/// Each step of nice is 10 % of processor time against a competitor: a factor of 1.25. The numbers
/// are those of Linux (kernel/sched/core.c, sched_prio_to_weight), so that programs that were tuned
/// there share alike here. `nice` is between kNiceLowest and kNiceHighest.
constexpr u32 weight_of_nice(i32 nice) {
    constexpr u32 kWeights[] = {
        88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
        3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
        172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15,
    };
    return kWeights[nice - kNiceLowest];
}

}  // namespace cairn::sched
