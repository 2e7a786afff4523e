#pragma once
/// TrapFrame: the registers of a thread that has entered the kernel, and what they mean. Both machines
/// have the registers of x86-64: a PC's entry code saves them, the simulated machine's user programs
/// keep their state in them. Included by machine/machine.h.
///
/// Frames of system calls and of other entries differ in one word: `error_code` is
/// kSystemCallMark in the former (no exception pushes that), and `vector` is the number of the call. Whoever changes
/// more of such a frame than general registers and the stack pointer says so (note_changed): a return by SYSRET
/// restores only what SYSCALL has left behind.

#include "kernel/base/address.h"
#include "kernel/base/types.h"

namespace cairn::arch {

/// Registers as the trap and system call entries save them, lowest address first.
struct TrapFrame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8;
    u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector;      // exception or interrupt number; for a system call its number
    u64 error_code;  // zero where the CPU pushes none; one of the marks below for a system call
    u64 rip, cs, rflags, rsp, ss;
};

// The highest two: SYSRET restores the frame.
constexpr u64 kSystemCallMark = ~u64{0};         // as SYSCALL has left it, but for the result
constexpr u64 kRestoredMark = ~u64{1};           // no system call's any more, but what one would have left
constexpr u64 kChangedSystemCallMark = ~u64{2};  // a system call's that was changed

/// Segment selectors of user mode, those of Linux.
constexpr u64 kUserCodeSegment = 0x33;
constexpr u64 kUserDataSegment = 0x2b;

/// What a user thread has beside frame and vector registers.
struct UserState {
    u64 fs_base = 0;
    u64 gs_base = 0;
    u16 ds = 0;
    u16 es = 0;
    u16 fs = 0;
    u16 gs = 0;
};

/// Hardware breakpoints of a user thread (debug_registers in arch/user_mode.h). In the CPU only while `control` has
/// some on, so that threads without any pay for one test.
struct DebugState {
    u64 address[4] = {};
    u64 control = 0;  // DR7 as it was written
    u64 status = 0;   // DR6's bits, of the last debug exception
};

/// Whether the frame is that of user mode, as opposed to an interrupted kernel.
inline bool is_user_frame(const TrapFrame& frame) {
    return (frame.cs & 3) != 0;
}

// --- System calls: number in RAX, arguments in RDI, RSI, RDX, R10, R8, R9, result in RAX -----------

/// Whether the thread entered by a system call that may still be restarted (Linux: orig_ax >= 0).
inline bool in_syscall(const TrapFrame& frame) {
    return (frame.error_code | (kSystemCallMark ^ kChangedSystemCallMark)) == kSystemCallMark;
}
/// RIP, RFLAGS, RCX, R11 or a segment is no longer as SYSCALL has left it.
inline void note_changed(TrapFrame& frame) {
    if (frame.error_code >= kRestoredMark) {
        frame.error_code = in_syscall(frame) ? kChangedSystemCallMark : 0;
    }
}
/// After sigreturn and exec: what the registers hold is no system call's any more.
inline void forget_syscall(TrapFrame& frame) {
    frame.error_code = 0;
    frame.vector = 0;
}
/// After that: a handler that interrupted a system call has gone back to behind it, mostly. `end`: user_space_end().
inline void note_restored(TrapFrame& frame, VirtualAddress end) {
    const bool as_by_syscall = frame.rip == frame.rcx && frame.rflags == frame.r11 && frame.rip < end.value &&
                               frame.cs == kUserCodeSegment && frame.ss == kUserDataSegment;
    frame.error_code = as_by_syscall ? kRestoredMark : frame.error_code;
}
/// The other way: what the registers hold is to be taken for that of call `number` (execve keeps its number).
inline void remember_syscall(TrapFrame& frame, u64 number) {
    frame.error_code = kChangedSystemCallMark;
    frame.vector = number;
}
/// The number as the program gave it; meaningful while in_syscall().
inline u64 syscall_number(const TrapFrame& frame) {
    return frame.vector;
}
/// `i` from 0 to 5.
inline u64 syscall_argument(const TrapFrame& frame, u32 i) {
    switch (i) {
        case 0:
            return frame.rdi;
        case 1:
            return frame.rsi;
        case 2:
            return frame.rdx;
        case 3:
            return frame.r10;
        case 4:
            return frame.r8;
        default:
            return frame.r9;
    }
}
inline u64 syscall_result(const TrapFrame& frame) {
    return frame.rax;
}
inline void set_syscall_result(TrapFrame& frame, u64 result) {
    frame.rax = result;
}
/// Back to the SYSCALL instruction (two bytes), so that user mode makes the call `number` again.
inline void restart_syscall(TrapFrame& frame, u64 number) {
    note_changed(frame);
    frame.rip -= 2;
    frame.rax = number;
}

// --- Where user mode goes on ------------------------------------------------------------------------

inline VirtualAddress instruction_pointer(const TrapFrame& frame) {
    return {frame.rip};
}
inline VirtualAddress stack_pointer(const TrapFrame& frame) {
    return {frame.rsp};
}
inline void set_instruction_pointer(TrapFrame& frame, VirtualAddress address) {
    note_changed(frame);
    frame.rip = address.value;
}
inline void set_stack_pointer(TrapFrame& frame, VirtualAddress address) {
    frame.rsp = address.value;
}

/// A trap after each instruction of user mode (RFLAGS.TF).
constexpr u64 kSingleStepFlag = 0x100;
enum class SingleStep : u8 { Off, On };
inline void single_step(TrapFrame& frame, SingleStep step) {
    note_changed(frame);
    frame.rflags = step == SingleStep::On ? frame.rflags | kSingleStepFlag : frame.rflags & ~kSingleStepFlag;
}
inline bool is_single_stepping(const TrapFrame& frame) {
    return (frame.rflags & kSingleStepFlag) != 0;
}

}  // namespace cairn::arch
