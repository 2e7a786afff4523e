#pragma once
/// Clocks of processor time: of the calling process and thread, and of others by the numbers that
/// clock_getcpuclockid(3) and pthread_getcpuclockid(3) make.

#include <optional>

#include "kernel/signal/cpu_timer.h"
#include "kernel/task/task.h"

namespace cairn::signal {

struct CpuClock {
    Ref<task::ThreadGroup> process;
    std::optional<Ref<task::Task>> thread;  // none: the whole process
    CpuTimer::Counts counts;

    /// CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, or a number with an id in it. May be a bad one.
    static constexpr bool is_number(i32 clock) { return clock < 0 || clock == kOfProcess || clock == kOfThread; }
    /// The number of a dynamic clock that is a descriptor (clock_gettime(2)), which there are none of.
    static constexpr bool is_descriptor(i32 clock) { return clock < 0 && (clock & 7) == 3; }
    /// CLOCK_THREAD_CPUTIME_ID, and the caller's own thread by any other number.
    static bool is_own_thread(task::Task& self, i32 clock);
    /// Reading takes the id of the calling thread for its process. EINVAL.
    enum class Use : u8 { Reading, Timing };
    static Result<CpuClock> find(task::Task& self, i32 clock, Use use);

    Nanoseconds now() const;
    /// Its thread has ended, or its process has been waited for.
    bool is_gone() const;

    static constexpr i32 kOfProcess = 2, kOfThread = 3;
    /// Whether a number of an others' clock is that of a thread; the kinds are CPUCLOCK_PROF, _VIRT and _SCHED.
    static constexpr i32 kThreadBit = 4, kKindMask = 3, kUserTime = 1, kScheduled = 2;
};

/// Sleeps until the clock shows `when`, or for that long; makes `when` a time on the clock in any case. Returns how
/// much was left when the sleep was interrupted; zero: nothing.
Nanoseconds sleep_on(const CpuClock& clock, Nanoseconds& when, bool absolute);

}  // namespace cairn::signal
