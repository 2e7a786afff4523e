#pragma once
/// The inline part of arch/arch.h on the simulated machine: CPUs are fibers of one host thread,
/// so that "this CPU" is a variable and nothing is atomic that need not be; a switch between CPUs
/// happens only inside interleave(), cpu_relax(), interrupt windows and the functions of arch/host.
///
/// Without a simulation (plain unit tests) there is one CPU, interrupts are a flag, and
/// interleave() only counts. docs/simulated-machine.md explains the whole.

#include "arch/long_mode/frame.h"
#include "arch/long_mode_format.h"
#include "kernel/base/address.h"
#include "kernel/base/per_cpu_forward.h"
#include "kernel/base/types.h"

namespace cairn::arch {

constexpr bool kKernelMappingsWork = false;

namespace host {

/// The state that the inline functions need: the running CPU's part is exchanged at every switch
/// between CPUs. Owned by arch/host/simulator.cpp.
struct Current {
    PerCpu* cpu;              // never null: a static block stands in outside a simulation
    u32* preempt_state;       // &cpu->preempt_state
    sched::Thread** thread;   // &cpu->current
    bool interrupts_enabled;  // the running CPU's interrupt flag
    bool interrupts_pending;  // the running CPU has interrupts that wait for the flag or for their delay
    bool simulating;          // a simulation runs; scheduling points are live
    u64 step;                 // scheduling points passed in this run, over all CPUs
    u64 next_event;           // the step at which scheduling_event() has something to do
    u8* memory;               // host address of physical address 0
    u64 memory_size;          // in bytes
};
extern Current g_current;

/// What is due at g_current.next_event: timers, interrupts, a switch to another CPU.
void scheduling_event();
/// Interrupts were turned on while some were waiting.
void interrupt_window();
void relax();

/// A stack that is not running and where on it to continue. The callee-saved registers are on it.
struct Fiber {
    void* stack_pointer = nullptr;
    void* sanitizer_stack = nullptr;     // AddressSanitizer's fake stack while switched out
    const void* stack_bottom = nullptr;  // lowest address; known once prepared or switched out
    usize stack_size = 0;
};

}  // namespace host

inline PerCpu& this_cpu() {
    return *host::g_current.cpu;
}
inline sched::Thread* current_thread() {
    return *host::g_current.thread;
}
inline u32 preempt_state() {
    return *host::g_current.preempt_state;
}
inline void preempt_depth_increment() {
    ++*host::g_current.preempt_state;
}
inline bool preempt_state_is_zero() {
    return preempt_state() == 0;
}
inline bool preempt_depth_decrement() {
    return --*host::g_current.preempt_state == 0;
}
inline void set_reschedule_wanted() {
    *host::g_current.preempt_state &= 0x7fff'ffff;
}
inline void clear_reschedule_wanted() {
    *host::g_current.preempt_state |= 0x8000'0000;
}

/// Outside a simulation next_event is never reached.
inline void interleave() {
    if (++host::g_current.step >= host::g_current.next_event) [[unlikely]] {
        host::scheduling_event();
    }
}
inline void cpu_relax() {
    if (host::g_current.simulating) {
        host::relax();
    }
}

struct InterruptState {
    bool enabled;
};
inline bool interrupts_enabled() {
    return host::g_current.interrupts_enabled;
}
inline InterruptState disable_interrupts() {
    InterruptState state{host::g_current.interrupts_enabled};
    host::g_current.interrupts_enabled = false;
    return state;
}
inline void forbid_interrupts() {
    host::g_current.interrupts_enabled = false;
}
/// Turning interrupts on is a window in which pending ones arrive.
inline void enable_interrupts() {
    host::g_current.interrupts_enabled = true;
    if (host::g_current.interrupts_pending) [[unlikely]] {
        host::interrupt_window();
    } else {
        interleave();
    }
}
inline void restore_interrupts(InterruptState state) {
    if (state.enabled) {
        enable_interrupts();
    }
}

/// Freed memory: AddressSanitizer reports an access, and the software MMU a translation that
/// still leads to a frame that is freed as a whole.
void memory_poison(void* memory, usize size);
void memory_unpoison(void* memory, usize size);

inline void* direct_map(PhysicalAddress address) {
    return host::g_current.memory + address.value;
}
inline PhysicalAddress physical_address(const void* pointer) {
    return {static_cast<u64>(static_cast<const u8*>(pointer) - host::g_current.memory)};
}

/// The simulated MMU walks the same entries as a PC's.
using PageTableFormat = LongModeFormat;
inline bool has_gigabyte_pages() {
    return true;
}

/// Virtual time. In a simulation it is also a scheduling point, so that a loop that waits for a
/// moment ends; outside one it is what host::set_clock last said.
Nanoseconds monotonic_now();
u64 tick_counter();
inline Nanoseconds time_of_ticks(u64 ticks) {
    return {ticks};
}
struct Moment {
    Nanoseconds now;
    u64 ticks;
};
inline Moment moment() {
    const Nanoseconds now = monotonic_now();
    return {now, now.value};
}

namespace host {

/// How far a thread is in its user program; see arch/host/user_mode.cpp.
struct UserMode {
    bool in_user = false;       // user code, as opposed to the kernel on its behalf
    bool executing = false;     // … inside a function of the program
    u64 function = 0;           // the entry address of that function
    u32 handlers_to_start = 0;  // signal frames whose handlers have not begun
};

}  // namespace host

/// A thread that does not run is a fiber.
struct ThreadContext {
    host::Fiber fiber;
    u64* vector_pattern = nullptr;  // what its vector registers hold; null for a thread without
    u64* canary = nullptr;          // lowest word of the stack, checked when the thread is switched out
    void* stack_top = nullptr;
    usize stack_size = 0;
    UserState user;
    DebugState debug;
    TrapFrame frame{};  // the registers of its user program
    host::UserMode mode;
};

inline u64 speculation_safe_index(u64 index, u64 limit) {
    return index < limit ? index : 0;
}

}  // namespace cairn::arch
