#pragma once
/// The inside of the simulated machine: its CPUs, the step counter that everything is ordered by,
/// virtual time and interrupts. Only arch/host includes this file.
///
/// The hot path is interleave(): one increment and one comparison with g_current.next_event, the
/// earliest step at which anything can happen (plan_next_event). Host code never passes a
/// scheduling point by itself, so that the machine's own state needs no protection.

#include <span>
#include <string>

#include "arch/host/fiber.h"
#include "arch/host/mmu.h"
#include "arch/host/policy.h"
#include "arch/host/random.h"
#include "arch/host/run.h"

namespace cairn::arch {

/// One simulated CPU; PerCpu::machine points to it. While it runs, the fields that g_current
/// shadows are out of date.
struct CpuState {
    enum class Activity : u8 { Absent, Running, Halted, Parked };
    static constexpr u32 kKinds = 4;  // of InterruptKind
    static constexpr u64 kNone = ~u64{0};

    u32 index = 0;
    Activity activity = Activity::Absent;
    bool interrupts_enabled = false;  // while another CPU runs
    PerCpu* block = nullptr;
    host::Fiber fiber;                                   // where it goes on
    u64 pending[kKinds] = {kNone, kNone, kNone, kNone};  // step from which the interrupt is delivered
    u64 pending_lines = 0;                               // of the pending device interrupt, by GSI
    Nanoseconds timer_deadline = Nanoseconds::never();
    u64 own_steps = 0;  // scheduling points of this CPU before its present slice
    u64 own_steps_at_relax = 0;
    void (*entry)(PerCpu&) = nullptr;  // what start_cpu asked for
    host::Mmu mmu;
    ThreadContext* context = nullptr;  // of the running thread, since the first switch
    u64 vector_pattern = 0;            // stands for the contents of all vector registers

    u64 earliest_pending() const;
};

namespace host {

class Simulator {
public:
    static constexpr u32 kMaxSimulatedCpus = 64;
    static constexpr u32 kLines = 64;

    RunResult run(const RunOptions& options, void (*boot)(void*), void* argument);
    [[noreturn]] void end(Ending ending, std::string_view why);

    // Scheduling points
    void on_event();
    void on_relax();
    void halt();
    void begin_exploring(PolicyKind kind);
    PolicyKind chosen_policy() const { return chosen_policy_; }
    /// The running CPU enters (at the first call) or changes its block.
    void adopt_block(PerCpu& block);
    void start_cpu(CpuState& cpu);
    /// A thread switch or another sign that the machine gets on.
    void note_progress() { fruitless_relaxes_ = 0; }

    // Time and interrupts
    Nanoseconds now() const { return {time_base_ + (g_current.step - time_base_step_) * nanoseconds_per_step_}; }
    void arm_timer(Nanoseconds deadline);
    void pend(CpuState& target, InterruptKind kind, u32 line);
    /// As pend, from the running CPU, which may have to give way to the target.
    void send(CpuState& target, InterruptKind kind);
    void pend_line(u32 gsi);
    /// A panic: no other CPU runs any more.
    void stop_others();
    bool any_timer_armed() const { return earliest_deadline_ != Nanoseconds::never(); }

    CpuState& current() { return cpus_[current_]; }
    CpuState& cpu(u32 index) { return cpus_[index]; }
    std::span<CpuState> cpus() { return {cpus_, options_.cpu_count}; }
    const RunOptions& options() const { return options_; }
    void trace(std::string_view what, u64 value);
    bool tracing() const { return options_.trace; }

    Random machine_random;   // delays, evictions
    Random scenario_random;  // random_below
    CpuIndex line_target[kLines] = {};
    bool line_routed[kLines] = {};
    bool line_open[kLines] = {};  // routed and not masked

private:
    void reset(const RunOptions& options);
    void plan_next_event();
    void fire_timers();
    void find_earliest_deadline();
    u64 step_of(Nanoseconds deadline) const;
    void deliver_interrupts();
    bool take_ready(CpuState& cpu, InterruptKind& kind, u32& line);
    bool runnable(const CpuState& cpu) const;
    std::span<const u32> others_runnable();
    void switch_to(u32 target);
    void wait_until_someone_can_run();
    bool account_relax();
    void describe_cpus(std::string& report);

    RunOptions options_;
    CpuState cpus_[kMaxSimulatedCpus];
    u32 current_ = 0;
    u32 runnable_[kMaxSimulatedCpus] = {};
    SchedulingPolicy policy_;
    PolicyKind chosen_policy_ = PolicyKind::Cooperative;
    Random schedule_random_;

    u64 time_base_ = 0;
    u64 time_base_step_ = 0;
    u64 nanoseconds_per_step_ = 1;
    Nanoseconds earliest_deadline_ = Nanoseconds::never();

    u64 slice_start_ = 0;        // step at which the running CPU got its turn
    u64 fruitless_relaxes_ = 0;  // in a row, over all CPUs
    u64 exploring_since_ = 0;
    u64 switches_ = 0;
    u64 trace_hash_ = 0;

    Fiber explorer_;  // the test's own stack
    Ending ending_ = Ending::Finished;
    char failure_[512] = {};
    usize failure_length_ = 0;
};

/// The machine of the run that is under way.
extern Simulator g_simulator;

// --- Parts that live in files of their own --------------------------------------------------------

/// memory.cpp: physical memory
void memory_begin_run(usize size);
void memory_end_run();
bool frame_is_freed(FrameNumber frame);

/// console.cpp: the tail of what the kernel printed in this run
void console_clear();
std::string console_tail();
void console_write(std::string_view text);
void console_mirror_to_stderr(bool enabled);
/// The text of the first panic in this run's output.
std::string_view last_panic();

/// machine.cpp: the clock and timer of unit tests
Nanoseconds plain_clock();
void plain_arm_timer(Nanoseconds deadline);

/// ports.cpp: no device answers any more
void disconnect_all_ports();

/// user_mode.cpp. The context of the running thread if it is in user mode, else null.
ThreadContext* user_mode_context();
/// An exception or interrupt of user mode begins: the frame becomes that of the kernel.
void enter_kernel(ThreadContext& context);
/// The way back, interrupts off; they still are when it returns.
void leave_kernel(ThreadContext& context);
/// Goes on with what user mode has come to: signal handlers first. Interrupts on. Returns when the
/// function that was interrupted can go on.
void resume_user_code(ThreadContext& context);
/// An exception of user mode, from beginning to end; false if the test's stand-in did not resolve it.
bool raise_user_exception(ThreadContext& context, const TrapDetails& details);

/// crash.cpp: tells the seed when the process dies
void install_crash_report();

}  // namespace host
}  // namespace cairn::arch
