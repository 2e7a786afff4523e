/// The life of a run, and the turns that simulated CPUs take.

#include "arch/host/simulator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernel/base/format.h"
#include "kernel/base/per_cpu.h"

namespace cairn::arch {

u64 CpuState::earliest_pending() const {
    return *std::min_element(pending, pending + kKinds);
}

namespace host {

namespace {

/// Stands in for a CPU while no simulation runs.
constinit PerCpu plain_cpu;

/// Where the boot CPU starts; the kernel gives all other stacks.
constexpr usize kBootStackSize = 256 * kKiB;
constinit u8* boot_stack = nullptr;

/// Relaxes in a row, over all CPUs, after which nobody can be about to end the waiting.
constexpr u64 kFruitlessRelaxLimit = 20'000;
/// Scheduling points that a loop around cpu_relax() passes in one turn.
constexpr u64 kSpinLoopSteps = 6;

struct Start {
    void (*boot)(void*);
    void* argument;
};
constinit Start start = {};

void boot_entry(void*) {
    start.boot(start.argument);
    finish_run();
}

void secondary_entry(void* cpu) {
    CpuState& state = *static_cast<CpuState*>(cpu);
    state.entry(*state.block);
    fail_run("the entry function of a CPU returned");
}

}  // namespace

constinit Current g_current = {.cpu = &plain_cpu,
                               .preempt_state = &plain_cpu.preempt_state,
                               .thread = &plain_cpu.current,
                               .interrupts_enabled = true,
                               .interrupts_pending = false,
                               .simulating = false,
                               .step = 0,
                               .next_event = ~u64{0},
                               .memory = nullptr,
                               .memory_size = 0};

Simulator g_simulator;

// --- The run --------------------------------------------------------------------------------------

void Simulator::reset(const RunOptions& options) {
    ASSERT(options.cpu_count >= 1 && options.cpu_count <= kMaxSimulatedCpus);
    options_ = options;
    Random root(options.seed);
    schedule_random_ = root.split();
    machine_random = root.split();
    scenario_random = root.split();
    static constexpr PolicyKind kSweep[] = {PolicyKind::Random, PolicyKind::PriorityChange, PolicyKind::Random,
                                            PolicyKind::BoundedPreemption};
    chosen_policy_ = options.policy.value_or(kSweep[options.seed % std::size(kSweep)]);
    policy_.begin(PolicyKind::Cooperative, {}, 0, options.cpu_count, {});
    static constexpr u64 kPaces[] = {5, 50, 500};
    nanoseconds_per_step_ = kPaces[root.below(std::size(kPaces))];
    time_base_ = 1'000'000;
    time_base_step_ = 0;
    earliest_deadline_ = Nanoseconds::never();
    for (u32 i = 0; i < options.cpu_count; ++i) {
        cpus_[i] = CpuState{};
        cpus_[i].index = i;
    }
    std::fill(std::begin(line_routed), std::end(line_routed), false);
    std::fill(std::begin(line_open), std::end(line_open), false);
    current_ = 0;
    slice_start_ = fruitless_relaxes_ = exploring_since_ = switches_ = trace_hash_ = 0;
    ending_ = Ending::Finished;
    failure_length_ = 0;
}

RunResult Simulator::run(const RunOptions& options, void (*boot)(void*), void* argument) {
    ASSERT(!g_current.simulating);
    Current outside = g_current;
    reset(options);
    install_crash_report();
    console_clear();
    console_mirror_to_stderr(options.trace);
    memory_begin_run(options.memory_size);
    if (boot_stack == nullptr) {
        void* memory =
            mmap(nullptr, kBootStackSize + kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || mprotect(memory, kPageSize, PROT_NONE) != 0) {
            std::abort();
        }
        boot_stack = static_cast<u8*>(memory) + kPageSize;
    }

    start = {boot, argument};
    cpus_[0].activity = CpuState::Activity::Running;
    cpus_[0].block = &plain_cpu;
    fiber_prepare(cpus_[0].fiber, boot_stack + kBootStackSize, kBootStackSize, boot_entry, nullptr);
    g_current.interrupts_enabled = false;
    g_current.step = 0;
    g_current.simulating = true;
    plan_next_event();
    fiber_switch(explorer_, cpus_[0].fiber);

    g_current.simulating = false;
    g_current.next_event = ~u64{0};
    RunResult result{.ending = ending_,
                     .failure = std::string(failure_, failure_length_),
                     .report = {},
                     .log = console_tail(),
                     .policy = chosen_policy_,
                     .steps = g_current.step,
                     .scenario_steps = g_current.step - exploring_since_,
                     .switches = switches_,
                     .trace_hash = trace_hash_ ^ g_current.step};
    if (ending_ == Ending::Failed) {
        describe_cpus(result.report);
        if (options.describe != nullptr) {
            options.describe(result.report);
        }
    }
    memory_end_run();
    disconnect_all_ports();
    forget_stack_contents(boot_stack, kBootStackSize);
    g_current = outside;
    return result;
}

void Simulator::end(Ending ending, std::string_view why) {
    ending_ = ending;
    failure_length_ = std::min(why.size(), sizeof failure_);
    std::copy_n(why.begin(), failure_length_, failure_);
    fiber_leave(explorer_);
}

void Simulator::begin_exploring(PolicyKind kind) {
    if (kind != PolicyKind::Cooperative) {
        exploring_since_ = g_current.step;
    }
    policy_.begin(kind, schedule_random_, g_current.step, options_.cpu_count, options_.script);
    plan_next_event();
}

void Simulator::adopt_block(PerCpu& block) {
    CpuState& cpu = current();
    cpu.block = &block;
    block.machine = &cpu;
    g_current.cpu = &block;
    g_current.preempt_state = &block.preempt_state;
    g_current.thread = &block.current;
}

void Simulator::start_cpu(CpuState& cpu) {
    fiber_prepare(cpu.fiber, cpu.fiber.stack_pointer, cpu.fiber.stack_size, secondary_entry, &cpu);
    cpu.interrupts_enabled = false;
    cpu.activity = CpuState::Activity::Running;
    trace("start of cpu", cpu.index);
}

// --- Turns ----------------------------------------------------------------------------------------

void Simulator::plan_next_event() {
    CpuState& self = current();
    u64 pending = self.earliest_pending();
    u64 next = std::min(options_.step_limit, policy_.next_preemption());
    if (earliest_deadline_ != Nanoseconds::never()) {
        next = std::min(next, step_of(earliest_deadline_));
    }
    if (g_current.interrupts_enabled) {
        next = std::min(next, pending);
    }
    g_current.interrupts_pending = pending != CpuState::kNone;
    g_current.next_event = next;
}

bool Simulator::runnable(const CpuState& cpu) const {
    switch (cpu.activity) {
        case CpuState::Activity::Running:
            return true;
        case CpuState::Activity::Halted:
            return cpu.earliest_pending() <= g_current.step;
        case CpuState::Activity::Absent:
        case CpuState::Activity::Parked:
            return false;
    }
    return false;
}

std::span<const u32> Simulator::others_runnable() {
    u32 count = 0;
    for (const CpuState& cpu : cpus()) {
        if (cpu.index != current_ && runnable(cpu)) {
            runnable_[count++] = cpu.index;
        }
    }
    return {runnable_, count};
}

void Simulator::switch_to(u32 target) {
    if (target == current_) {
        plan_next_event();
        return;
    }
    CpuState& self = current();
    CpuState& next = cpus_[target];
    self.own_steps += g_current.step - slice_start_;
    if (self.own_steps - self.own_steps_at_relax > kSpinLoopSteps) {
        note_progress();
    }
    self.interrupts_enabled = g_current.interrupts_enabled;
    slice_start_ = g_current.step;
    current_ = target;
    g_current.interrupts_enabled = next.interrupts_enabled;
    g_current.cpu = next.block;
    g_current.preempt_state = &next.block->preempt_state;
    g_current.thread = &next.block->current;
    ++switches_;
    trace("switch to cpu", target);
    plan_next_event();
    fiber_switch(self.fiber, next.fiber);
}

void Simulator::on_event() {
    if (g_current.step >= options_.step_limit) {
        fail_run("livelock: the step limit was reached");
    }
    fire_timers();
    deliver_interrupts();
    if (g_current.step >= policy_.next_preemption()) {
        u32 self = current_;
        u32 count = static_cast<u32>(others_runnable().size());
        // The policy sees the running CPU among the others, in order.
        u32 place = static_cast<u32>(std::lower_bound(runnable_, runnable_ + count, self) - runnable_);
        std::copy_backward(runnable_ + place, runnable_ + count, runnable_ + count + 1);
        runnable_[place] = self;
        switch_to(policy_.preempt({{runnable_, count + 1}, self, g_current.step}));
    }
    plan_next_event();
}

void Simulator::on_relax() {
    ++g_current.step;
    if (g_current.step >= options_.step_limit) {
        fail_run("livelock: the step limit was reached");
    }
    fire_timers();
    deliver_interrupts();
    if (account_relax()) {
        if (!any_timer_armed()) {
            fail_run("deadlock: every CPU spins or is idle, and no timer is armed");
        }
        time_base_ += earliest_deadline_.value - std::min(earliest_deadline_.value, now().value);
        note_progress();
        fire_timers();
    }
    std::span<const u32> others = others_runnable();
    if (!others.empty()) {
        switch_to(policy_.replace({others, current_, g_current.step}, SchedulingPolicy::Reason::Spins));
    }
    plan_next_event();
}

/// True when the machine has only been relaxing for too long.
bool Simulator::account_relax() {
    CpuState& self = current();
    u64 own_steps = self.own_steps + (g_current.step - slice_start_);
    if (own_steps - self.own_steps_at_relax > kSpinLoopSteps) {
        note_progress();
    }
    self.own_steps_at_relax = own_steps;
    return ++fruitless_relaxes_ >= kFruitlessRelaxLimit;
}

void Simulator::halt() {
    ++g_current.step;
    if ((preempt_state() & PerCpu::kNoRescheduleBit) == 0) {
        fail_run("a CPU halts although it was asked to reschedule");
    }
    CpuState& self = current();
    g_current.interrupts_enabled = true;
    fire_timers();
    if (self.earliest_pending() > g_current.step) {
        self.activity = CpuState::Activity::Halted;
        trace("halt of cpu", self.index);
        while (!runnable(self)) {
            wait_until_someone_can_run();
            std::span<const u32> others = others_runnable();
            if (!others.empty()) {
                switch_to(policy_.replace({others, current_, g_current.step}, SchedulingPolicy::Reason::Halts));
            }
        }
        self.activity = CpuState::Activity::Running;
    }
    note_progress();
    deliver_interrupts();
    plan_next_event();
}

/// All CPUs are idle, or one is not: in the first case time jumps to the next interrupt.
void Simulator::wait_until_someone_can_run() {
    for (;;) {
        if (std::ranges::any_of(cpus(), [this](const CpuState& cpu) { return runnable(cpu); })) {
            return;
        }
        u64 earliest = CpuState::kNone;
        for (const CpuState& cpu : cpus()) {
            if (cpu.activity == CpuState::Activity::Halted) {
                earliest = std::min(earliest, cpu.earliest_pending());
            }
        }
        if (earliest != CpuState::kNone) {
            g_current.step = earliest;
        } else if (any_timer_armed()) {
            time_base_ += earliest_deadline_.value - std::min(earliest_deadline_.value, now().value);
            fire_timers();
        } else {
            fail_run("deadlock: every CPU is idle and no timer is armed");
        }
    }
}

// --- Reports --------------------------------------------------------------------------------------

void Simulator::trace(std::string_view what, u64 value) {
    for (u64 word : {g_current.step, u64{current_}, value, u64{what.size()}}) {
        trace_hash_ = (trace_hash_ ^ word) * 0x9e37'79b9'7f4a'7c15;
        trace_hash_ ^= trace_hash_ >> 29;
    }
    if (tracing()) {
        char storage[160];
        TextBuffer text{std::span(storage)};
        format_to(text, "[step {} cpu {}] {} {}\n", g_current.step, current_, what, value);
        console_write(text.view());
    }
}

void Simulator::describe_cpus(std::string& report) {
    static constexpr std::string_view kActivities[] = {"absent", "running", "halted", "parked"};
    for (const CpuState& cpu : cpus()) {
        bool is_current = cpu.index == current_;
        char storage[240];
        TextBuffer text{std::span(storage)};
        format_to(text, "cpu {}{}: {}, interrupts {}, {}, preempt depth {}, interrupt depth {}\n", cpu.index,
                  is_current ? " (last to run)" : "", kActivities[static_cast<u8>(cpu.activity)],
                  (is_current ? g_current.interrupts_enabled : cpu.interrupts_enabled) ? "on" : "off",
                  cpu.earliest_pending() != CpuState::kNone ? "some pending" : "none pending",
                  cpu.block != nullptr ? cpu.block->preempt_state & ~PerCpu::kNoRescheduleBit : 0,
                  cpu.block != nullptr ? cpu.block->interrupt_depth : 0);
        report.append(text.view());
    }
}

// --- The interface of machine.h and run.h ---------------------------------------------------------

void scheduling_event() {
    if (g_current.simulating) {
        g_simulator.on_event();
    }
}
void interrupt_window() {
    ++g_current.step;
    scheduling_event();
}
void relax() {
    g_simulator.on_relax();
}

RunResult run(const RunOptions& options, void (*boot)(void*), void* argument) {
    return g_simulator.run(options, boot, argument);
}
void begin_exploring() {
    g_simulator.begin_exploring(g_simulator.chosen_policy());
}
void end_exploring() {
    g_simulator.begin_exploring(PolicyKind::Cooperative);
}
void finish_run() {
    g_simulator.end(Ending::Finished, {});
}
void fail_run(std::string_view why) {
    if (!g_current.simulating) {
        std::fwrite(why.data(), 1, why.size(), stderr);
        std::abort();
    }
    g_simulator.trace("failure", why.size());
    g_simulator.end(Ending::Failed, why);
}
u64 random_below(u64 bound) {
    return g_simulator.scenario_random.below(bound);
}
u64 run_seed() {
    return g_simulator.options().seed;
}
bool run_is_traced() {
    return g_simulator.tracing();
}
u64 current_step() {
    return g_current.step;
}
void trace_mark(std::string_view what, u64 value) {
    g_simulator.trace(what, value);
}
bool any_timer_armed() {
    return g_simulator.any_timer_armed();
}

}  // namespace host
}  // namespace cairn::arch
