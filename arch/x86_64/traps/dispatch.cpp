/// From the trap entries to the kernel's upcalls (arch/upcalls.h).

#include "arch/upcalls.h"
#include "arch/x86_64/cpu/assembly_constants.h"
#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/cpu/vectors.h"
#include "arch/x86_64/traps/exceptions.h"

namespace cairn::arch {

extern "C" const u8 user_iretq[];

namespace {

bool from_user(const TrapFrame& frame) {
    constexpr u64 kPrivilegeMask = 3;
    return (frame.cs & kPrivilegeMask) != 0;
}

void handle_interrupt(TrapFrame& frame) {
    PerCpu& cpu = this_cpu();  // interrupts are off, so it stays
    ++cpu.interrupt_depth;
    handle_interrupt_vector(frame);
    if (--cpu.interrupt_depth == 0 && preempt_state() == 0) {
        kernel_preempt();
    }
}

/// Whether IRETQ to user mode refused the user's frame. What arrives on a stack of its own came by
/// chance at that instruction.
bool is_refused_return(const TrapFrame& frame) {
    return frame.rip == reinterpret_cast<u64>(user_iretq) && !from_user(frame) &&
           !has_interrupt_stack(static_cast<u32>(frame.vector));
}

/// The CPU has taken the fault of a refused return (a non-canonical address) in kernel mode: makes it
/// one of the user's, with the state that was to be restored. The general registers are the user's
/// already.
void blame_user_for_iretq(TrapFrame& frame) {
    // SAFETY: RSP of the faulting IRETQ points to the five words that it was reading.
    const u64* user = reinterpret_cast<const u64*>(frame.rsp);
    u64 rip = user[0];
    u64 cs = user[1];
    u64 rflags = user[2];
    u64 rsp = user[3];
    u64 ss = user[4];
    frame.rip = rip;
    frame.cs = cs;
    frame.rflags = rflags;
    frame.rsp = rsp;
    frame.ss = ss;
}

void handle_exception(TrapFrame& frame) {
    if (is_refused_return(frame)) {
        blame_user_for_iretq(frame);
    }
    TrapDetails details{.number = static_cast<u32>(frame.vector),
                        .error_code = frame.error_code,
                        .fault_address = {frame.vector == kPageFault ? read_cr2() : 0},
                        .from_user = from_user(frame)};
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
}

/// Called by entry.asm on SYSCALL, interrupts off. System calls run with interrupts on.
extern "C" void system_call_dispatch(TrapFrame* frame) {
    enable_interrupts();
    kernel_syscall(*frame);
    disable_interrupts();
}

}  // namespace cairn::arch
