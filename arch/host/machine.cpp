/// arch/arch.h on the simulated machine: CPUs, threads, image, console and power. Without a
/// simulation these do what a unit test needs of one CPU.

#include "arch/arch.h"

#include <cstdlib>

#include "arch/host/simulator.h"
#include "kernel/base/heap.h"
#include "kernel/base/panic.h"

namespace cairn::arch {

namespace host {

namespace {

constinit Nanoseconds plain_now{0};
constinit Nanoseconds plain_deadline = Nanoseconds::never();

/// A secondary CPU's stack is at least this large; arch::start_cpu is told its top only.
constexpr usize kSecondaryStackSize = 16 * kKiB;

/// At the lowest word of a thread's stack, which no thread may reach.
constexpr u64 kStackCanary = 0x5ca1'ab1e'0ddb'a115;

}  // namespace

Nanoseconds plain_clock() {
    return plain_now;
}
void plain_arm_timer(Nanoseconds deadline) {
    plain_deadline = deadline;
}
void set_clock(Nanoseconds now) {
    plain_now = now;
}
Nanoseconds armed_deadline() {
    return plain_deadline;
}

}  // namespace host

// --- CPUs -------------------------------------------------------------------------------------

void initialize_cpu(PerCpu& cpu) {
    cpu.self = &cpu;
    if (host::g_current.simulating) {
        host::g_simulator.adopt_block(cpu);
    } else {
        host::g_current.cpu = &cpu;
        host::g_current.preempt_state = &cpu.preempt_state;
        host::g_current.thread = &cpu.current;
    }
}

Result<void> start_cpu(PerCpu& cpu, void* stack_top, PhysicalAddress root, void (*entry)(PerCpu&)) {
    if (!host::g_current.simulating || cpu.index.value >= host::g_simulator.cpus().size()) {
        return fail(Errno::etimedout);
    }
    CpuState& state = host::g_simulator.cpu(cpu.index.value);
    cpu.machine = &state;
    state.block = &cpu;
    state.entry = entry;
    state.mmu.load_root(root, 0, true);
    state.fiber = {.stack_pointer = stack_top, .stack_size = host::kSecondaryStackSize};
    host::g_simulator.start_cpu(state);
    return {};
}

void stop_other_cpus() {
    if (host::g_current.simulating) {
        host::g_simulator.stop_others();
    }
}

void park() {
    if (host::g_current.simulating) {
        host::fail_run(host::last_panic());
    }
    std::abort();
}

void wait_for_interrupt() {
    if (host::g_current.simulating) {
        host::g_simulator.halt();
    } else {
        enable_interrupts();
    }
}

std::string_view initialize_clock(const PlatformDescription&, MapRegisters) {
    return "simulated clock, simulated timer";
}

// --- Threads ----------------------------------------------------------------------------------

void context_initialize(ThreadContext& context, void* stack_top, usize stack_size, void (*entry)(void*),
                        void* argument) {
    host::fiber_prepare(context.fiber, stack_top, stack_size, entry, argument);
    context.stack_top = stack_top;
    context.stack_size = stack_size;
    context.canary = reinterpret_cast<u64*>(static_cast<u8*>(stack_top) - stack_size);
    *context.canary = host::kStackCanary;
}

Result<void> context_add_vector_state(ThreadContext& context) {
    context.vector_pattern = static_cast<u64*>(heap_allocate(sizeof(u64), alignof(u64)));
    if (context.vector_pattern == nullptr) {
        return fail(Errno::enomem);
    }
    *context.vector_pattern = 0;
    context.user = {};
    return {};
}

void fill_vector_registers(u64 pattern) {
    this_cpu().machine->vector_pattern = pattern;
}
bool vector_registers_hold(u64 pattern) {
    return this_cpu().machine->vector_pattern == pattern;
}

void context_destroy(ThreadContext& context) {
    heap_free(context.vector_pattern, sizeof(u64), alignof(u64));
    if (context.fiber.stack_bottom != nullptr) {
        host::forget_stack_contents(const_cast<void*>(context.fiber.stack_bottom), context.fiber.stack_size);
    }
    context = {};
}

void context_switch(ThreadContext& from, ThreadContext& to) {
    if (from.canary != nullptr && *from.canary != host::kStackCanary) {
        panic("kernel stack overflow");
    }
    if (from.vector_pattern != nullptr) {
        *from.vector_pattern = this_cpu().machine->vector_pattern;
    }
    if (to.vector_pattern != nullptr) {
        this_cpu().machine->vector_pattern = *to.vector_pattern;
    }
    this_cpu().machine->context = &to;
    host::g_simulator.note_progress();
    host::fiber_switch(from.fiber, to.fiber);
}

// --- Image ------------------------------------------------------------------------------------

std::span<const ImageSegment> kernel_image() {
    return {};
}
PhysicalRange kernel_image_range() {
    return {};
}
PhysicalAddress boot_mapped_limit() {
    return {host::g_current.memory_size};
}
VirtualRange kernel_mapping_area() {
    return {{0xffff'c000'0000'0000}, {0xffff'c100'0000'0000}};
}

// --- Console, debugging, power ----------------------------------------------------------------

void early_console_write(std::string_view text) {
    host::console_write(text);
}

usize backtrace(std::span<VirtualAddress>, VirtualAddress) {
    return 0;
}
Symbol symbolize(VirtualAddress) {
    return {};
}
void print_registers(const TrapFrame*, void (*)(std::string_view)) {}

void power_off() {
    if (host::g_current.simulating) {
        host::g_simulator.end(host::Ending::PoweredOff, {});
    }
    std::abort();
}

void reboot() {
    power_off();
}

}  // namespace cairn::arch
