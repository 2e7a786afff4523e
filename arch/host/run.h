#pragma once
/// Running a simulation: what a test says to the machine. One run at a time per process; a run is
/// a pure function of RunOptions and of the code that it runs: no address, no host clock and no
/// other host state has an influence.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "arch/arch.h"
#include "arch/host/policy.h"

namespace cairn::arch::host {

struct RunOptions {
    u64 seed = 0;
    u32 cpu_count = 1;             // CPUs that start_cpu may start, the boot CPU included
    usize memory_size = 4 * kMiB;  // physical memory, from address 0
    u64 step_limit = 4'000'000;    // more scheduling points than this are a livelock
    bool trace = false;            // print every switch, interrupt and fault
    /// Null: the seed chooses among Random, PriorityChange and BoundedPreemption.
    std::optional<PolicyKind> policy = {};
    std::span<const ScriptedPreemption> script = {};  // for PolicyKind::Scripted
    bool immediate_interrupts = false;                // no delays on the way to the target

    /// Stand-ins for the kernel's upcalls, for tests of the machine without a kernel.
    void (*on_interrupt)(InterruptKind kind, u32 line) = nullptr;
    bool (*on_page_fault)(const TrapDetails& details) = nullptr;  // true: try again
    void (*on_syscall)(TrapFrame& frame) = nullptr;
    void (*on_user_return)(TrapFrame& frame) = nullptr;  // for kernel_prepare_user_return
    /// Called after a failed run while the kernel's state is still there; adds to the report.
    void (*describe)(std::string& report) = nullptr;
    /// The command that runs the scenario, shown with the seed when the process dies of a signal or
    /// of a sanitizer's report in this run.
    const char* replay_hint = "";
};

enum class Ending : u8 { Finished, PoweredOff, Failed };

struct RunResult {
    Ending ending = Ending::Failed;
    std::string failure;  // what ended it, empty unless failed
    std::string report;   // CPUs, and what RunOptions::describe added; only when failed
    std::string log;      // the end of the early console's output
    PolicyKind policy = PolicyKind::Cooperative;
    u64 steps = 0;           // scheduling points
    u64 scenario_steps = 0;  // … since begin_exploring()
    u64 switches = 0;        // between CPUs
    u64 trace_hash = 0;      // of all that the machine decided
};

/// Runs `boot(argument)` on the boot CPU of a machine that was just switched on: interrupts off,
/// memory zero. CPUs take turns cooperatively until begin_exploring().
RunResult run(const RunOptions& options, void (*boot)(void*), void* argument);

// --- From inside a run ----------------------------------------------------------------------------

/// From here on the seed's policy decides about switches between CPUs.
void begin_exploring();
/// Back to cooperative turns, for checks at the end.
void end_exploring();
/// Ends the run; what the fibers still had to do is forgotten.
[[noreturn]] void finish_run();
/// Ends the run as failed.
[[noreturn]] void fail_run(std::string_view why);

/// A random number in [0, bound) from a stream of the seed that only the scenario draws from.
u64 random_below(u64 bound);
u64 run_seed();
bool run_is_traced();
u64 current_step();

/// Mixes a value into the trace hash, and prints it in a traced run.
void trace_mark(std::string_view what, u64 value);

/// A device pulls its interrupt line, which route_interrupt has connected. Ignored when masked.
void raise_interrupt_line(u32 gsi);

/// Whether the earliest timer of any CPU is armed; time jumps there when all CPUs are idle.
bool any_timer_armed();

/// A device behind I/O ports, of drivers that use arch::io_read8 and the like.
class PortDevice {
public:
    virtual u8 read8(u16 port) = 0;
    virtual void write8(u16 port, u8 value) = 0;
    /// Of 16 or 32 bits, lowest byte at the lowest port; one after the other unless the device knows better.
    virtual u32 read(u16 port, u32 bytes);
    virtual void write(u16 port, u32 bytes, u32 value);

protected:
    ~PortDevice() = default;
};
/// Connects it to `count` ports from `first`, until the end of the run or disconnect_ports(). Later
/// connections hide earlier ones.
void connect_ports(u16 first, u16 count, PortDevice& device);
void disconnect_ports(PortDevice& device);

/// Declares memory that was written without memory_unpoison, so that the next run finds it zero.
void note_memory_used(PhysicalRange range);

// --- User programs --------------------------------------------------------------------------------

/// What an instruction of a user program on this CPU does with memory. Also for kernel threads that play
/// one; those get false for a fault that the kernel did not resolve. A thread in user mode proper gets
/// a signal then, and the access is tried again when it comes back. Interrupts on. Programs written as
/// functions: arch/host/user_program.h.
bool user_load(VirtualAddress from, void* to, usize size);
bool user_store(VirtualAddress to, const void* from, usize size);
template <typename T>
std::optional<T> user_load(VirtualAddress from) {
    T value;
    return user_load(from, &value, sizeof value) ? std::optional<T>(value) : std::nullopt;
}
template <typename T>
bool user_store(VirtualAddress to, const T& value) {
    return user_store(to, &value, sizeof value);
}

/// How many TLB and paging-structure entries of all CPUs lead to the frame. Zero is what a
/// complete shoot-down leaves behind, also under tags that are not loaded.
u32 cached_translations_of(FrameNumber frame);

// --- Without a run (unit tests) -------------------------------------------------------------------

/// What monotonic_now() returns outside a simulation.
void set_clock(Nanoseconds now);
/// The deadline that arm_timer was last given outside a simulation.
Nanoseconds armed_deadline();

}  // namespace cairn::arch::host
