#include "arch/x86_64/time/timer.h"

#include "arch/x86_64/interrupts/local_apic.h"
#include "arch/x86_64/time/clock.h"
#include "arch/x86_64/time/counter.h"
#include "arch/x86_64/time/frequency.h"
#include "drivers/clock/tick_scale.h"
#include "kernel/base/cpu_set.h"

namespace cairn::arch {

namespace {

/// Only its own CPU touches it, interrupts off. All zero before initialize_timer_this_cpu(), so that a thousand of
/// them take no room in the image.
struct alignas(kCacheLine) CpuTimer {
    Nanoseconds deadline;
    local_apic::TimerDivider divider{};
};

struct Timers {
    bool use_deadline = false;
    TickScale nanoseconds_to_ticks;  // of the time-stamp counter, or of the APIC's undivided counter
    CpuTimer cpus[kMaxCpus];
};
constinit Timers timers;

/// Longer waits are made of several; keeps tick counts far from 2^64.
constexpr Nanoseconds kLongestWait = Nanoseconds::from_seconds(3600);
constexpr u64 kLargestCount = 0xffff'ffff;
constexpr u32 kDividerShift = 7;

/// The APIC's counter has 32 bits: waits that do not fit run 128 times slower.
void start_countdown(CpuTimer& timer, u64 ticks) {
    bool divide = ticks > kLargestCount;
    local_apic::TimerDivider divider = divide ? local_apic::TimerDivider::By128 : local_apic::TimerDivider::By1;
    if (divider != timer.divider) {
        local_apic::set_timer_divider(divider);
        timer.divider = divider;
    }
    u64 count = divide ? (ticks >> kDividerShift) + 1 : ticks;
    local_apic::set_timer_count(static_cast<u32>(count < kLargestCount ? count : kLargestCount));
}

void program(CpuTimer& timer) {
    if (timer.deadline == Nanoseconds::never()) {
        if (timers.use_deadline) {
            local_apic::set_timer_deadline(0);
        } else {
            local_apic::set_timer_count(0);
        }
        return;
    }
    Nanoseconds left = timer.deadline - monotonic_now();
    left = left < kLongestWait ? left : kLongestWait;
    u64 ticks = timers.nanoseconds_to_ticks.apply(left.value) + 1;  // rounded up; never zero
    if (timers.use_deadline) {
        // Relative to the counter as it is now, so that it also works while the HPET is the clock.
        local_apic::set_timer_deadline(read_counter() + ticks);
    } else {
        start_countdown(timer, ticks);
    }
}

}  // namespace

void initialize_timer(u64 timer_hertz) {
    timers.use_deadline = has_deadline_timer();
    timers.nanoseconds_to_ticks = TickScale::from_nanoseconds(timers.use_deadline ? counter_hertz() : timer_hertz);
    initialize_timer_this_cpu();
}

void initialize_timer_this_cpu() {
    timers.cpus[this_cpu().index.value] = {Nanoseconds::never(), local_apic::TimerDivider::By1};
    if (timers.use_deadline) {
        local_apic::enable_timer(local_apic::TimerMode::Deadline);
        return;
    }
    local_apic::set_timer_divider(local_apic::TimerDivider::By1);
    local_apic::set_timer_count(0);
    local_apic::enable_timer(local_apic::TimerMode::OneShot);
}

std::string_view timer_name() {
    return timers.use_deadline ? "tsc-deadline" : "apic-timer";
}

void arm_timer(Nanoseconds deadline) {
    CpuTimer& timer = timers.cpus[this_cpu().index.value];
    timer.deadline = deadline;
    program(timer);
}

bool timer_expired() {
    CpuTimer& timer = timers.cpus[this_cpu().index.value];
    if (timer.deadline == Nanoseconds::never()) {
        return false;
    }
    if (monotonic_now() < timer.deadline) {
        program(timer);
        return false;
    }
    timer.deadline = Nanoseconds::never();
    return true;
}

}  // namespace cairn::arch
