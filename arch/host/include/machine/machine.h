#pragma once
/// The inline part of arch/arch.h on the simulated machine: CPUs are fibers of one host thread,
/// so that "this CPU" is a variable and nothing is atomic that need not be; a switch between CPUs
/// happens only inside interleave(), cpu_relax() and the functions of arch/host.
///
/// Without a simulation (plain unit tests) there is one CPU, interrupts are a flag, and
/// interleave() does nothing.

#include "arch/long_mode_format.h"
#include "kernel/base/address.h"
#include "kernel/base/per_cpu_forward.h"
#include "kernel/base/types.h"

namespace cairn::arch {

constexpr bool kKernelMappingsWork = false;

namespace host {
/// The state that the inline functions need; owned by arch/host/machine.cpp.
struct Current {
    PerCpu* cpu;              // never null: a static block stands in outside a simulation
    bool interrupts_enabled;  // the running CPU's interrupt flag
    bool simulating;          // a simulation runs; scheduling points are live
    u8* memory;               // host address of physical address 0
    u64 memory_size;
};
extern Current g_current;

void scheduling_point();
void relax();
void deliver_pending_interrupts();
sched::Thread* current_thread();
u32& preempt_state();
}  // namespace host

inline PerCpu& this_cpu() { return *host::g_current.cpu; }
inline sched::Thread* current_thread() { return host::current_thread(); }
inline u32 preempt_state() { return host::preempt_state(); }
inline void preempt_depth_increment() { ++host::preempt_state(); }
inline u32 preempt_depth_decrement() { return --host::preempt_state(); }
inline void set_reschedule_wanted() { host::preempt_state() &= 0x7fff'ffff; }
inline void clear_reschedule_wanted() { host::preempt_state() |= 0x8000'0000; }

struct InterruptState {
    bool enabled;
};
inline bool interrupts_enabled() { return host::g_current.interrupts_enabled; }
inline InterruptState disable_interrupts() {
    InterruptState state{host::g_current.interrupts_enabled};
    host::g_current.interrupts_enabled = false;
    return state;
}
/// Turning interrupts on is a window in which pending ones arrive.
inline void enable_interrupts() {
    host::g_current.interrupts_enabled = true;
    if (host::g_current.simulating) {
        host::deliver_pending_interrupts();
    }
}
inline void restore_interrupts(InterruptState state) {
    if (state.enabled) {
        enable_interrupts();
    }
}

inline void interleave() {
    if (host::g_current.simulating) {
        host::scheduling_point();
    }
}
inline void cpu_relax() {
    if (host::g_current.simulating) {
        host::relax();
    }
}

/// Freed memory: AddressSanitizer reports an access, and the software MMU a translation that
/// still leads there.
void memory_poison(void* memory, usize size);
void memory_unpoison(void* memory, usize size);

inline void* direct_map(PhysicalAddress address) { return host::g_current.memory + address.value; }
inline PhysicalAddress physical_address(const void* pointer) {
    return {static_cast<u64>(static_cast<const u8*>(pointer) - host::g_current.memory)};
}

/// The simulated MMU walks the same entries as a PC's.
using PageTableFormat = LongModeFormat;
inline bool has_gigabyte_pages() { return true; }

Nanoseconds monotonic_now();

struct TrapFrame {
    u64 instruction_pointer = 0;
};

/// A fiber. The callee-saved registers are on its stack.
struct ThreadContext {
    void* stack_pointer = nullptr;
    void* sanitizer_stack = nullptr;       // AddressSanitizer's fake stack while switched out
    const void* stack_bottom = nullptr;    // for AddressSanitizer
    usize stack_size = 0;
    void* vector_state = nullptr;
};

}  // namespace cairn::arch
