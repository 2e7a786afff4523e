/// The simulated machine: the state behind the inline functions of machine.h.

#include "machine/machine.h"

#include <cstdio>
#include <cstdlib>

#include "arch/arch.h"

namespace cairn::arch {

namespace {

/// Stands in for a CPU while no simulation runs.
constinit PerCpu plain_cpu;

}  // namespace

namespace host {

constinit Current g_current = {&plain_cpu, true, false, nullptr, 0};

sched::Thread* current_thread() { return g_current.cpu->current; }
u32& preempt_state() { return g_current.cpu->preempt_state; }
void scheduling_point() {}
void relax() {}
void deliver_pending_interrupts() {}

}  // namespace host

void memory_poison(void*, usize) {}
void memory_unpoison(void*, usize) {}

void early_console_write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }
void park() { std::abort(); }

Nanoseconds monotonic_now() { return {0}; }
void send_interrupt(const PerCpu&, InterprocessorInterrupt) {}
void arm_timer(Nanoseconds) {}

}  // namespace cairn::arch
