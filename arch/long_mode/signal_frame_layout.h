#pragma once
/// Linux's signal frame of x86-64 as it lies in user memory (arch/x86/include/uapi/asm/sigcontext.h and
/// ucontext.h). Debuggers, unwinders and language run-times know these offsets.

#include <cstddef>

#include "arch/arch.h"

namespace cairn::arch {

struct SignalContext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error_code, trap_number, old_mask, fault_address;
    u64 vector_state;  // address of the XSAVE area, zero: none
    u64 reserved[8];
};
static_assert(sizeof(SignalContext) == 256);
static_assert(offsetof(SignalContext, rip) == 128);
static_assert(offsetof(SignalContext, cs) == 144);
static_assert(offsetof(SignalContext, error_code) == 152);
static_assert(offsetof(SignalContext, vector_state) == 184);

struct UserContext {
    u64 flags;
    u64 link;
    SignalStack stack;
    SignalContext registers;
    u64 mask;
};
static_assert(sizeof(UserContext) == 304);
static_assert(offsetof(UserContext, stack) == 16);
static_assert(offsetof(UserContext, registers) == 40);
static_assert(offsetof(UserContext, mask) == 296);

constexpr u64 kContextHasXsave = 1;  // UC_FP_XSTATE
constexpr u64 kContextHasSs = 2;     // UC_SIGCONTEXT_SS
constexpr u64 kContextStrictSs = 4;  // UC_STRICT_RESTORE_SS

struct SignalFrame {
    u64 return_address;  // of the handler: sa_restorer
    UserContext context;
    std::byte siginfo[128];
};
static_assert(sizeof(SignalFrame) == 440);
static_assert(offsetof(SignalFrame, context) == 8);
static_assert(offsetof(SignalFrame, siginfo) == 312);

/// _fpx_sw_bytes: in the XSAVE area, where the processor leaves room for software.
struct SoftwareBytes {
    u32 magic1;
    u32 extended_size;  // of the area and the second magic number behind it
    u64 features;
    u32 state_size;
    u32 padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

constexpr u32 kVectorMagic1 = 0x4650'5853;  // FP_XSTATE_MAGIC1
constexpr u32 kVectorMagic2 = 0x4650'5845;
constexpr usize kMagic2Size = 4;

/// The psABI lets leaf functions use so much below the stack pointer (3.2.2).
constexpr u64 kRedZone = 128;

/// Flags that a handler may change: Linux's FIX_EFLAGS.
constexpr u64 kSignalFlags = 0x0005'0dd5;

}  // namespace cairn::arch
