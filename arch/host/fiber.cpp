/// The stack switch, and what AddressSanitizer has to be told about it.

#include "arch/host/fiber.h"

#include "arch/host/sanitizer.h"
#include "kernel/base/panic.h"

// SAFETY: saves exactly the registers that the System V ABI (x86-64 psABI, 3.2.1) makes the callee
// preserve; all others are dead across the call. MXCSR and the x87 control word are never changed.
// rdi: where to store the old stack pointer; rsi: the new one.
asm(R"(
    .text
    .type cairn_fiber_switch, @function
cairn_fiber_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size cairn_fiber_switch, . - cairn_fiber_switch

    .type cairn_fiber_begin, @function
cairn_fiber_begin:
    movq %r12, %rdi
    movq %r13, %rsi
    call *%rbx
    ud2
    .size cairn_fiber_begin, . - cairn_fiber_begin
)");

extern "C" {
void cairn_fiber_switch(void** old_stack_pointer, void* new_stack_pointer);
void cairn_fiber_begin();
}

namespace cairn::arch::host {

namespace {

/// Who made the switch that is under way: AddressSanitizer tells its stack's bounds to the other side.
[[maybe_unused]] constinit Fiber* switching_from = nullptr;

void before_switch([[maybe_unused]] Fiber* from, [[maybe_unused]] const Fiber& to) {
#if CAIRN_ADDRESS_SANITIZER
    switching_from = from;
    // A null first argument tells that the old stack is given up.
    __sanitizer_start_switch_fiber(from == nullptr ? nullptr : &from->sanitizer_stack, to.stack_bottom, to.stack_size);
#endif
}

void after_switch([[maybe_unused]] void* sanitizer_stack) {
#if CAIRN_ADDRESS_SANITIZER
    Fiber* from = switching_from;
    const void* bottom = nullptr;
    usize size = 0;
    __sanitizer_finish_switch_fiber(sanitizer_stack, &bottom, &size);
    if (from != nullptr) {
        from->stack_bottom = bottom;
        from->stack_size = size;
    }
#endif
}

/// First code on a new fiber.
[[noreturn]] void begin(void (*entry)(void*), void* argument) {
    after_switch(nullptr);
    entry(argument);
    panic("the entry function of a fiber returned");
}

}  // namespace

void fiber_prepare(Fiber& fiber, void* stack_top, usize stack_size, void (*entry)(void*), void* argument) {
    u8* bottom = static_cast<u8*>(stack_top) - stack_size;
    forget_stack_contents(bottom, stack_size);
    // SAFETY: the words below stack_top belong to the new fiber; the layout is the one that
    // cairn_fiber_switch pops. stack_top is aligned to 16, so that `call` in cairn_fiber_begin
    // enters the function as the ABI wants it.
    u64* words = reinterpret_cast<u64*>(align_down(reinterpret_cast<u64>(stack_top), 16));
    *--words = 0;  // ends a debugger's backtrace
    *--words = 0;
    *--words = reinterpret_cast<u64>(&cairn_fiber_begin);
    *--words = 0;                                // rbp
    *--words = reinterpret_cast<u64>(&begin);    // rbx
    *--words = reinterpret_cast<u64>(entry);     // r12
    *--words = reinterpret_cast<u64>(argument);  // r13
    *--words = 0;                                // r14
    *--words = 0;                                // r15
    fiber = {.stack_pointer = words, .sanitizer_stack = nullptr, .stack_bottom = bottom, .stack_size = stack_size};
}

void fiber_switch(Fiber& from, const Fiber& to) {
    before_switch(&from, to);
    cairn_fiber_switch(&from.stack_pointer, to.stack_pointer);
    after_switch(from.sanitizer_stack);
}

void fiber_leave(const Fiber& to) {
    before_switch(nullptr, to);
    void* unused = nullptr;
    cairn_fiber_switch(&unused, to.stack_pointer);
    __builtin_unreachable();
}

void forget_stack_contents(void* memory, usize size) {
    sanitizer_unpoison(memory, size);
}

}  // namespace cairn::arch::host
