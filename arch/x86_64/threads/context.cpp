/// Threads' contexts: the stack switch, and user registers for threads that own some.
///
/// A thread's kernel registers and, if it has them, the user's that lie in no frame (vector registers,
/// FS and GS) are saved when it is switched away from and loaded when it is switched to; nothing is lazy,
/// so no register file ever holds another thread's secrets while user code runs.

#include "arch/arch.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/threads/user_registers.h"
#include "kernel/base/heap.h"

namespace cairn::arch {

extern "C" const u8 thread_start[];

namespace {

/// What switch_stacks and thread_start pop, lowest address first.
struct InitialStack {
    u64 return_address = 0;
    u64 entry = 0;
    u64 argument = 0;
    u64 alignment = 0;
};
static_assert(sizeof(InitialStack) % 16 == 0);

/// Stores the stack pointer and continues on another stack where that one was left. All other registers are dead
/// behind it: the compiler saves what it needs on the stack, and what is saved at a function's begin anyway is not
/// saved twice.
inline void switch_stacks(u64& save_here, u64 to) {
    u64* place = &save_here;
    // SAFETY: the other stack was left here, or is that of context_initialize. RBP may be a frame pointer, which an asm
    // block must not name.
    asm volatile(
        "pushq %%rbp\n\t"
        "call switch_stacks\n\t"
        "popq %%rbp"
        : "+D"(place), "+S"(to)
        :
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

}  // namespace

void context_initialize(ThreadContext& context, void* stack_top, usize, void (*entry)(void*), void* argument) {
    u64 top = align_down(reinterpret_cast<u64>(stack_top), 16);
    // SAFETY: the stack is the caller's, unused, and larger than this.
    InitialStack* stack = reinterpret_cast<InitialStack*>(top) - 1;
    *stack = {.return_address = reinterpret_cast<u64>(thread_start),
              .entry = reinterpret_cast<u64>(entry),
              .argument = reinterpret_cast<u64>(argument)};
    context.stack_pointer = reinterpret_cast<u64>(stack);
    context.stack_top = top;
}

Result<void> context_add_vector_state(ThreadContext& context) {
    u32 size = cpu_features().vector_state_size;
    u8* area = static_cast<u8*>(heap_allocate(size, kVectorAlignment));
    if (area == nullptr) {
        return fail(Errno::enomem);
    }
    initialize_vector_area(area);
    context.user = {};
    context.vector_state = area;
    return {};
}

void context_destroy(ThreadContext& context) {
    heap_free(context.vector_state, cpu_features().vector_state_size, kVectorAlignment);
    context.vector_state = nullptr;
}

void context_switch(ThreadContext& from, ThreadContext& to) {
    PerCpu& cpu = this_cpu();
    const CpuFeatures& features = cpu.machine->features;
    if (from.vector_state != nullptr && to.vector_state != nullptr) {
        save_vector_state(from.vector_state, features);
        load_vector_state(to.vector_state, features);
        exchange_user_state(from.user, to.user, features);
    } else if (from.vector_state != nullptr) {
        save_vector_state(from.vector_state, features);
        save_user_state(from.user);
    } else if (to.vector_state != nullptr) {
        load_vector_state(to.vector_state, features);
        load_user_state(to.user);
    }
    if ((from.debug.control | to.debug.control) != 0) [[unlikely]] {
        load_debug_state(to.debug);
    }
    cpu.machine->context = &to;
    // A CPU's first thread runs on a stack that context_initialize never saw; initialize_cpu put its
    // top into the task state.
    TaskState& task_state = cpu.machine->task_state;
    if (from.stack_top == 0) {
        from.stack_top = task_state.rsp[0];
    }
    task_state.rsp[0] = to.stack_top;
    cpu.kernel_stack_top = to.stack_top;
    switch_stacks(from.stack_pointer, to.stack_pointer);
}

}  // namespace cairn::arch
