/// The monotonic clock. Read without a lock: the parameters of a clock never change once it is
/// published, a change of clock publishes another object. There are at most three: none (the
/// assumed rate of the first moments), the one that initialize_clock finds, and the HPET when the
/// CPUs' counters turn out to disagree.

#include "arch/x86_64/time/clock.h"

#include "arch/x86_64/interrupts/local_apic.h"
#include "arch/x86_64/time/cmos.h"
#include "arch/x86_64/time/counter.h"
#include "arch/x86_64/time/frequency.h"
#include "arch/x86_64/time/reference.h"
#include "arch/x86_64/time/timer.h"
#include "arch/x86_64/vdso/publish.h"
#include "drivers/clock/calibration.h"
#include "kernel/base/atomic.h"
#include "kernel/base/log.h"

namespace cairn::arch {

namespace {

constexpr Nanoseconds kCalibrationWindow = Nanoseconds::from_milliseconds(4);
constexpr Nanoseconds kPitCalibrationWindow = Nanoseconds::from_milliseconds(10);
constexpr u64 kAssumedHertz = 1'000'000'000;

/// now = base_time + (counter - base_counter) * scale.
struct ClockSource {
    ReferenceClock reference;  // does not exist: the time-stamp counter
    u64 base_counter = 0;
    Nanoseconds base_time;
    TickScale scale;

    u64 counter() const { return reference.exists() ? reference.counter() : read_counter(); }
    Nanoseconds time_at(u64 counter) const {
        u64 elapsed = counter - base_counter;
        // Another CPU's counter may be behind by less than anyone can see.
        bool before_base = static_cast<i64>(elapsed) < 0;
        return before_base ? base_time : base_time + Nanoseconds{scale.apply(elapsed)};
    }
};

struct Clock {
    Atomic<u64> first_counter;          // at the first reading; zero: none yet
    Atomic<const ClockSource*> source;  // null before initialize_clock
    ClockSource main;                   // constant after it
    ClockSource fallback;               // constant once published
    ReferenceClock hpet;                // constant after initialize_clock
    u64 counter_hertz = 0;              // constant after it
    TickScale counter_scale;            // likewise; until then a tick is a nanosecond
    char name_storage[96] = {};
};
constinit Clock clock;

Nanoseconds early_now() {
    u64 counter = read_counter();
    u64 first = 0;
    if (clock.first_counter.compare_exchange(first, counter, Order::relaxed, Order::relaxed)) {
        return {};
    }
    static_assert(kAssumedHertz == 1'000'000'000);  // ticks are nanoseconds
    return {counter - first};
}

/// When the time-stamp counter is not the clock, or not yet.
[[gnu::noinline]] Nanoseconds other_now(const ClockSource* source) {
    return source != nullptr ? source->time_at(source->counter()) : early_now();
}

/// Goes on where the clock is.
void publish(ClockSource& source) {
    source.base_time = monotonic_now();
    source.base_counter = source.counter();
    clock.source.store(&source, Order::release);
    if (source.reference.exists()) {
        publish_system_call_clock();
    } else {
        publish_counter_clock(source.base_counter, source.base_time, source.scale);
    }
}

/// The time-stamp counter and the APIC's timer beside a reference clock.
struct Measurement {
    const ReferenceClock& clock;
    u64 counter() { return read_counter(); }
    u64 timer() { return ~u64{local_apic::timer_count()}; }
    u64 reference() { return clock.counter(); }
    u64 reference_mask() { return clock.mask; }
    TickScale reference_scale() { return clock.to_nanoseconds; }
};

Result<Calibration> calibrate_against(const ReferenceClock& reference, Nanoseconds window) {
    if (!reference.exists()) {
        return fail(Errno::enodev);
    }
    local_apic::set_timer_divider(local_apic::TimerDivider::By1);
    local_apic::set_timer_count(~u32{0});
    Measurement measurement{reference};
    Result<Calibration> result = calibrate(measurement, window);
    local_apic::set_timer_count(0);
    if (!result.ok()) {
        log_warning("time", "{} does not work as a reference clock", reference.name);
    }
    return result;
}

struct Frequencies {
    u64 counter_hertz = 0;
    u64 timer_hertz = 0;
    std::string_view source;
    std::string_view how;  // "-calibrated" or nothing
};

/// The counter's frequency is known; the APIC's timer is measured against it where it is needed.
Frequencies from_known_frequency(u64 hertz, std::string_view source) {
    Frequencies result{hertz, 0, source, ""};
    if (!has_deadline_timer()) {
        ReferenceClock counter{"tsc",   [](const ReferenceClock&) { return read_counter(); },
                               nullptr, 0,
                               ~u64{0}, TickScale::to_nanoseconds(hertz)};
        Result<Calibration> measured = calibrate_against(counter, kCalibrationWindow);
        result.timer_hertz = measured.ok() ? measured.value().timer_hertz : kAssumedHertz;
    }
    return result;
}

Frequencies find_frequencies(const PlatformDescription& platform) {
    if (StatedFrequency stated = exact_counter_frequency(); stated.hertz != 0) {
        return from_known_frequency(stated.hertz, stated.source);
    }
    if (Result<Calibration> by_hpet = calibrate_against(clock.hpet, kCalibrationWindow); by_hpet.ok()) {
        return {by_hpet.value().counter_hertz, by_hpet.value().timer_hertz, clock.hpet.name, "-calibrated"};
    }
    ReferenceClock pm_timer = find_pm_timer(platform);
    if (Result<Calibration> by_pm = calibrate_against(pm_timer, kCalibrationWindow); by_pm.ok()) {
        return {by_pm.value().counter_hertz, by_pm.value().timer_hertz, pm_timer.name, "-calibrated"};
    }
    ReferenceClock pit = start_pit();
    if (Result<Calibration> by_pit = calibrate_against(pit, kPitCalibrationWindow); by_pit.ok()) {
        return {by_pit.value().counter_hertz, by_pit.value().timer_hertz, pit.name, "-calibrated"};
    }
    if (StatedFrequency stated = nominal_counter_frequency(); stated.hertz != 0) {
        return from_known_frequency(stated.hertz, stated.source);
    }
    log_warning("time", "nothing to measure the time-stamp counter with: taking it to run at 1 GHz");
    return from_known_frequency(kAssumedHertz, "assumed");
}

std::string_view describe(const Frequencies& found, std::string_view source) {
    constexpr u64 kKilo = 1'000;
    constexpr u64 kMega = 1'000'000;
    TextBuffer text{std::span(clock.name_storage)};
    format_to(text, "{} ({}{}, {}.{:03} MHz), {}", source, found.source, found.how, found.counter_hertz / kMega,
              found.counter_hertz / kKilo % kKilo, timer_name());
    return text.view();
}

bool hpet_can_be_clock() {
    return clock.hpet.exists() && clock.hpet.mask == ~u64{0};
}

}  // namespace

Nanoseconds monotonic_now() {
    const ClockSource* source = clock.source.load(Order::acquire);
    if (source == nullptr || source->reference.exists()) [[unlikely]] {
        return other_now(source);
    }
    return source->time_at(read_counter());
}

Moment moment() {
    const ClockSource* source = clock.source.load(Order::acquire);
    if (source == nullptr || source->reference.exists()) [[unlikely]] {
        return {other_now(source), tick_counter()};
    }
    const u64 counter = read_counter();
    return {source->time_at(counter), counter};
}

Nanoseconds time_of_ticks(u64 ticks) {
    return {clock.counter_hertz != 0 ? clock.counter_scale.apply(ticks) : ticks};
}

u64 counter_hertz() {
    return clock.counter_hertz;
}

std::string_view initialize_clock(const PlatformDescription& platform, MapRegisters map_registers) {
    clock.hpet = find_hpet(platform, map_registers);
    Frequencies found = find_frequencies(platform);
    clock.counter_hertz = found.counter_hertz;
    clock.counter_scale = TickScale::to_nanoseconds(found.counter_hertz);
    clock.main.scale = clock.counter_scale;
    bool steady = counter_is_steady();
    if (!steady && hpet_can_be_clock()) {
        clock.main.reference = clock.hpet;
        clock.main.scale = clock.hpet.to_nanoseconds;
    } else if (!steady) {
        log_warning("time", "the time-stamp counter may change its rate, but there is no better clock");
    }
    publish(clock.main);
    initialize_timer(found.timer_hertz);
    initialize_cmos(platform);
    return describe(found, clock.main.reference.exists() ? "hpet" : "tsc");
}

void note_counter_difference(const PerCpu& cpu, Result<u64> difference) {
    if (!difference.ok()) {
        log_warning("time", "CPU {} did not answer when its counter was to be compared", cpu.index.value);
        return;
    }
    const ClockSource* source = clock.source.load(Order::relaxed);
    if (difference.value() == 0 || source == nullptr || source->reference.exists()) {
        return;
    }
    log_warning("time", "the time-stamp counter of CPU {} differs by at least {} ns", cpu.index.value,
                source->scale.apply(difference.value()));
    if (!hpet_can_be_clock()) {
        log_warning("time", "no HPET to replace it: time may jump between CPUs");
        return;
    }
    clock.fallback.reference = clock.hpet;
    clock.fallback.scale = clock.hpet.to_nanoseconds;
    publish(clock.fallback);
    log_notice("time", "clock source is now hpet");
}

}  // namespace cairn::arch
