/// From the trap entries to the kernel's upcalls (arch/upcalls.h).

#include "arch/upcalls.h"
#include "arch/x86_64/cpu/assembly_constants.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/cpu/vectors.h"
#include "arch/x86_64/traps/exceptions.h"
#include "kernel/base/assert.h"

namespace cairn::arch {

extern "C" [[noreturn]] void begin_user_mode(const TrapFrame* frame);

namespace {

void handle_interrupt(TrapFrame& frame) {
    PerCpu& cpu = this_cpu();  // interrupts are off, so it stays
    ++cpu.interrupt_depth;
    cpu.interrupted_user_mode = is_user_frame(frame);
    handle_interrupt_vector(frame);
    if (--cpu.interrupt_depth == 0 && preempt_state() == 0) {
        kernel_preempt();
    }
}

/// The reason of a debug exception stays in DR6 until somebody clears it (SDM vol. 3B, 17.2.3). The thread's debugger
/// gets to see it. A breakpoint on an instruction would strike again: its flag lets that be executed once.
u64 take_debug_status(TrapFrame& frame) {
    constexpr u64 kNothing = 0xffff'0ff0;
    constexpr u64 kBreakpoints = 0xf;
    u64 status = read_dr6();
    write_dr6(kNothing);
    ThreadContext* context = this_cpu().machine->context;
    if (context == nullptr) {
        return status;
    }
    DebugState& debug = context->debug;
    // What happened in between in the kernel is told with the next one.
    debug.status = (status ^ kNothing) | (is_user_frame(frame) ? 0 : debug.status);
    for (u32 i = 0; i < std::size(debug.address); ++i) {
        constexpr u32 kTypeShift = 16, kTypeBits = 4;
        if ((status >> i & 1) != 0 && (debug.control >> (kTypeShift + kTypeBits * i) & 3) == 0) {
            frame.rflags |= kFlagResume;
        }
    }
    return is_user_frame(frame) || (status & kBreakpoints) == 0 ? status : 0;
}

void handle_exception(TrapFrame& frame) {
    u64 error_code = frame.error_code;
    if (frame.vector == kDebugException) {
        error_code = take_debug_status(frame);
        if (error_code == 0) {
            return;  // a watchpoint on memory of the program's that the kernel has used for it
        }
    }
    TrapDetails details{.number = static_cast<u32>(frame.vector),
                        .error_code = error_code,
                        .fault_address = {frame.vector == kPageFault ? read_cr2() : 0},
                        .from_user = is_user_frame(frame)};
    // The exceptions with their own stacks must not be interrupted on them: the next one would start
    // at the top again.
    bool on_own_stack = !details.from_user && has_interrupt_stack(details.number);
    bool interruptible = (frame.rflags & kFlagInterrupt) != 0 && !on_own_stack;
    if (interruptible) {
        enable_interrupts();
    }
    resolve_exception(frame, details);
    if (interruptible) {
        disable_interrupts();
    }
}

/// What entry.asm relies on.
[[maybe_unused]] bool is_as_syscall_left_it(const TrapFrame& frame) {
    return frame.rip == frame.rcx && frame.rflags == frame.r11 && frame.cs == kUserCodeSelector &&
           frame.ss == kUserDataSelector && frame.rip <= kUserSpaceEnd;
}

}  // namespace

/// Called by entry.asm with the complete frame, interrupts off.
extern "C" void trap_dispatch(TrapFrame* frame) {
    if (frame->vector >= kFirstInterruptVector) {
        handle_interrupt(*frame);
    } else if (frame->vector == kNonMaskableInterrupt && handle_stop_nmi()) {
        park();
    } else {
        handle_exception(*frame);
    }
    if (is_user_frame(*frame)) {
        kernel_prepare_user_return(*frame);
    }
}

/// Called by entry.asm on SYSCALL, interrupts off.
extern "C" void system_call_dispatch(TrapFrame* frame) {
    kernel_syscall(*frame);
    kernel_prepare_user_return(*frame);
    DEBUG_ASSERT(frame->error_code < kRestoredMark || is_as_syscall_left_it(*frame));
}

/// Called by entry.asm on the way to a thread's first user code, interrupts off.
extern "C" void first_return_dispatch(TrapFrame* frame) {
    kernel_prepare_user_return(*frame);
}

void enter_user_mode(const TrapFrame& frame) {
    ASSERT(is_user_frame(frame));
    begin_user_mode(&frame);
}

}  // namespace cairn::arch
