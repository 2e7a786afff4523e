/// Virtual time, timers, interrupts between CPUs and from devices.

#include <algorithm>

#include "arch/battery_clock.h"
#include "arch/host/simulator.h"
#include "arch/upcalls.h"

namespace cairn::arch {
namespace host {

// --- Time -----------------------------------------------------------------------------------------

u64 Simulator::step_of(Nanoseconds deadline) const {
    u64 distance = (deadline - now()).value;
    u64 steps = distance / nanoseconds_per_step_ + (distance % nanoseconds_per_step_ != 0 ? 1 : 0);
    return g_current.step + std::min(steps, options_.step_limit);
}

void Simulator::find_earliest_deadline() {
    earliest_deadline_ = Nanoseconds::never();
    for (const CpuState& cpu : cpus()) {
        earliest_deadline_ = std::min(earliest_deadline_, cpu.timer_deadline);
    }
}

void Simulator::arm_timer(Nanoseconds deadline) {
    current().timer_deadline = deadline;
    find_earliest_deadline();
    plan_next_event();
}

void Simulator::fire_timers() {
    if (earliest_deadline_ > now()) {
        return;
    }
    for (CpuState& cpu : cpus()) {
        if (cpu.timer_deadline <= now()) {
            cpu.timer_deadline = Nanoseconds::never();
            pend(cpu, InterruptKind::Timer, 0);
        }
    }
    find_earliest_deadline();
}

// --- Interrupts -----------------------------------------------------------------------------------

void Simulator::pend(CpuState& target, InterruptKind kind, u32 line) {
    u64 delay = 0;
    if (!options_.immediate_interrupts && !machine_random.one_in(3)) {
        delay = machine_random.below(u64{2} << machine_random.below(6));
    }
    u64& ready = target.pending[static_cast<u8>(kind)];
    ready = std::min(ready, g_current.step + delay);
    if (kind == InterruptKind::Device) {
        target.pending_lines |= u64{1} << line;
    }
    trace("interrupt for cpu", u64{target.index} << 8 | static_cast<u64>(kind));
}

void Simulator::send(CpuState& target, InterruptKind kind) {
    pend(target, kind, 0);
    if (target.index != current_ && runnable(target) && policy_.preempts_at_once(target.index, current_)) {
        switch_to(target.index);
    }
    plan_next_event();
}

void Simulator::stop_others() {
    for (CpuState& cpu : cpus()) {
        if (cpu.index != current_ && cpu.activity != CpuState::Activity::Absent) {
            cpu.activity = CpuState::Activity::Parked;
        }
    }
}

void Simulator::pend_line(u32 gsi) {
    if (gsi < kLines && line_open[gsi]) {
        pend(cpus_[line_target[gsi].value], InterruptKind::Device, gsi);
        plan_next_event();
    }
}

/// Takes one interrupt that has arrived; which of several is up to the seed.
bool Simulator::take_ready(CpuState& cpu, InterruptKind& kind, u32& line) {
    u32 ready[CpuState::kKinds];
    u32 count = 0;
    for (u32 i = 0; i < CpuState::kKinds; ++i) {
        if (cpu.pending[i] <= g_current.step) {
            ready[count++] = i;
        }
    }
    if (count == 0) {
        return false;
    }
    u32 taken = ready[count == 1 ? 0 : machine_random.below(count)];
    kind = static_cast<InterruptKind>(taken);
    line = 0;
    if (kind == InterruptKind::Device) {
        line = static_cast<u32>(__builtin_ctzll(cpu.pending_lines));
        cpu.pending_lines &= cpu.pending_lines - 1;
    }
    if (kind != InterruptKind::Device || cpu.pending_lines == 0) {
        cpu.pending[taken] = CpuState::kNone;
    }
    return true;
}

/// The running CPU takes what has arrived. The thread may have moved to another CPU when this
/// returns, so that nothing about the CPU is kept in locals.
void Simulator::deliver_interrupts() {
    InterruptKind kind{};
    u32 line = 0;
    ThreadContext* interrupted = nullptr;
    while (g_current.interrupts_enabled && take_ready(current(), kind, line)) {
        interrupted = user_mode_context();
        if (interrupted != nullptr) {
            enter_kernel(*interrupted);
        }
        trace("delivery of", static_cast<u64>(kind));
        note_progress();
        g_current.interrupts_enabled = false;
        ++this_cpu().interrupt_depth;
        this_cpu().interrupted_user_mode = interrupted != nullptr;
        plan_next_event();
        if (options_.on_interrupt != nullptr) {
            options_.on_interrupt(kind, line);
        } else {
            kernel_interrupt(kind, line);
        }
        if (--this_cpu().interrupt_depth == 0 && preempt_state() == 0) {
            kernel_preempt();
        }
        if (interrupted != nullptr) {
            leave_kernel(*interrupted);
        }
        g_current.interrupts_enabled = true;
    }
    if (interrupted != nullptr) {
        resume_user_code(*interrupted);
    }
}

void raise_interrupt_line(u32 gsi) {
    g_simulator.pend_line(gsi);
}

}  // namespace host

Nanoseconds monotonic_now() {
    if (!host::g_current.simulating) {
        return host::plain_clock();
    }
    interleave();
    return host::g_simulator.now();
}

u64 tick_counter() {
    return (host::g_current.simulating ? host::g_simulator.now() : host::plain_clock()).value;
}

void arm_timer(Nanoseconds deadline) {
    if (host::g_current.simulating) {
        host::g_simulator.arm_timer(deadline);
    } else {
        host::plain_arm_timer(deadline);
    }
}

Nanoseconds read_wall_clock() {
    constexpr u64 kStartOfTime = 1'700'000'000;  // a second in November 2023
    return Nanoseconds::from_seconds(kStartOfTime + monotonic_now().value / Nanoseconds::from_seconds(1).value);
}

bool has_battery_clock() {
    return false;
}
u8 battery_clock_century() {
    return 0;
}
u8 read_battery_clock(u8) {
    return 0xff;
}
void write_battery_clock(u8, u8) {}

void send_interrupt(const PerCpu& target, InterprocessorInterrupt what) {
    if (!host::g_current.simulating) {
        return;
    }
    interleave();
    InterruptKind kind =
        what == InterprocessorInterrupt::Reschedule ? InterruptKind::Reschedule : InterruptKind::CrossCall;
    host::g_simulator.send(*target.machine, kind);
}

void initialize_interrupts(const PlatformDescription&, MapRegisters) {}

Result<void> route_interrupt(u32 gsi, CpuIndex cpu, InterruptTrigger) {
    if (gsi >= host::Simulator::kLines || cpu.value >= host::g_simulator.cpus().size()) {
        return fail(Errno::enodev);
    }
    host::g_simulator.line_target[gsi] = cpu;
    host::g_simulator.line_routed[gsi] = true;
    host::g_simulator.line_open[gsi] = true;
    return {};
}

void mask_interrupt(u32 gsi) {
    if (gsi < host::Simulator::kLines) {
        host::g_simulator.line_open[gsi] = false;
    }
}

void unmask_interrupt(u32 gsi) {
    if (gsi < host::Simulator::kLines) {
        host::g_simulator.line_open[gsi] = host::g_simulator.line_routed[gsi];
    }
}

namespace {

/// Lines from here on are for messages.
constexpr u32 kFirstMessageLine = host::Simulator::kLines / 2;

/// What a simulated device is given: raise_interrupt_line(data) is its write.
MessageInterrupt message_of(u32 line) {
    constexpr u64 kMessageAddress = 0xfee0'0000;
    return {line, line, kMessageAddress};
}

}  // namespace

Result<MessageInterrupt> allocate_message_interrupt(CpuIndex cpu) {
    for (u32 line = kFirstMessageLine; line < host::Simulator::kLines; ++line) {
        if (!host::g_simulator.line_routed[line]) {
            TRY(route_interrupt(line, cpu, InterruptTrigger::EdgeHigh));
            return message_of(line);
        }
    }
    return fail(Errno::enospc);
}

Result<MessageInterrupt> aim_message_interrupt(u32 line, CpuIndex cpu) {
    if (line < kFirstMessageLine || line >= host::Simulator::kLines || !host::g_simulator.line_routed[line]) {
        return fail(Errno::enoent);
    }
    TRY(route_interrupt(line, cpu, InterruptTrigger::EdgeHigh));
    return message_of(line);
}

void free_message_interrupt(u32 line) {
    if (line >= kFirstMessageLine && line < host::Simulator::kLines) {
        host::g_simulator.line_open[line] = false;
        host::g_simulator.line_routed[line] = false;
    }
}

}  // namespace cairn::arch
