#pragma once
/// Do two CPUs' time-stamp counters agree? They exchange messages: the asker reads its counter,
/// the answerer its own, then the asker again. If the answer always lies between the two readings,
/// the counters differ by less than a message takes from one CPU to the other, and nobody can see
/// time go backwards by looking at both. If not, the size of the violation is a lower bound of the
/// difference. A pause of one CPU only widens a bracket.

#include "kernel/base/atomic.h"
#include "kernel/base/result.h"

namespace cairn::arch {

class TscCheck {
public:
    constexpr TscCheck() = default;

    /// On the CPU that starts another: ticks by which the other's counter is provably off, zero
    /// if it is not. ETIMEDOUT when the other does not answer in time. Interrupts off on both.
    Result<u64> ask();
    /// On the started CPU: answers until ask() has finished or has given up.
    void answer();

private:
    // `turn_` says whose message is the last: odd the asker's, even the answerer's.
    Atomic<u32> turn_;
    Atomic<u64> answer_;
};

}  // namespace cairn::arch
