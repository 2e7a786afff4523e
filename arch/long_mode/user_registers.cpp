/// The user's registers as the rest of the kernel reads and writes them: bases, user_regs_struct, the
/// checks of vector images.

#include <cstring>

#include "arch/arch.h"
#include "arch/long_mode/user_state.h"

namespace cairn::arch {

namespace {

/// Flags that a debugger may change (Linux: FLAG_MASK): arithmetic flags, TF, DF, NT, RF, AC.
constexpr u64 kDebuggerFlags = 0x0005'4dd5;
constexpr u64 kInitialFlags = 0x202;  // interrupts on, and the bit that is always one

bool is_user_selector(u64 value) {
    return value == 0 || value == kUserDataSegment;
}

/// Interrupts are off from the fetch to the apply: a switch of threads in between would save what the CPU still has
/// over the change.
template <typename Change>
void change_user_state(ThreadContext& context, Change change) {
    const InterruptState interrupts = disable_interrupts();
    fetch_user_state(context);
    change(context.user);
    apply_user_state(context);
    restore_interrupts(interrupts);
}

}  // namespace

TrapFrame initial_user_frame(VirtualAddress entry, VirtualAddress stack) {
    TrapFrame frame{};
    frame.rip = entry.value;
    frame.rsp = stack.value;
    frame.cs = kUserCodeSegment;
    frame.ss = kUserDataSegment;
    frame.rflags = kInitialFlags;
    return frame;
}

u64 fs_base(ThreadContext& context) {
    fetch_user_state(context);
    return context.user.fs_base;
}
u64 gs_base(ThreadContext& context) {
    fetch_user_state(context);
    return context.user.gs_base;
}

Result<void> set_fs_base(ThreadContext& context, u64 base) {
    if (base >= user_space_end().value) {
        return fail(Errno::eperm);
    }
    change_user_state(context, [base](UserState& user) {
        user.fs = 0;
        user.fs_base = base;
    });
    return {};
}
Result<void> set_gs_base(ThreadContext& context, u64 base) {
    if (base >= user_space_end().value) {
        return fail(Errno::eperm);
    }
    change_user_state(context, [base](UserState& user) {
        user.gs = 0;
        user.gs_base = base;
    });
    return {};
}

void read_user_registers(ThreadContext& context, UserRegisters& registers) {
    fetch_user_state(context);
    const TrapFrame& frame = user_frame(context);
    const UserState& user = context.user;
    registers = {.r15 = frame.r15,
                 .r14 = frame.r14,
                 .r13 = frame.r13,
                 .r12 = frame.r12,
                 .rbp = frame.rbp,
                 .rbx = frame.rbx,
                 .r11 = frame.r11,
                 .r10 = frame.r10,
                 .r9 = frame.r9,
                 .r8 = frame.r8,
                 .rax = frame.rax,
                 .rcx = frame.rcx,
                 .rdx = frame.rdx,
                 .rsi = frame.rsi,
                 .rdi = frame.rdi,
                 .orig_rax = in_syscall(frame) ? frame.vector : ~u64{0},
                 .rip = frame.rip,
                 .cs = frame.cs,
                 .rflags = frame.rflags,
                 .rsp = frame.rsp,
                 .ss = frame.ss,
                 .fs_base = user.fs_base,
                 .gs_base = user.gs_base,
                 .ds = user.ds,
                 .es = user.es,
                 .fs = user.fs,
                 .gs = user.gs};
}

Result<void> write_user_registers(ThreadContext& context, const UserRegisters& registers) {
    u64 end = user_space_end().value;
    bool valid = registers.cs == kUserCodeSegment && registers.ss == kUserDataSegment && registers.fs_base < end &&
                 registers.gs_base < end && is_user_selector(registers.ds) && is_user_selector(registers.es) &&
                 is_user_selector(registers.fs) && is_user_selector(registers.gs);
    if (!valid) {
        return fail(Errno::eio);
    }
    TrapFrame& frame = user_frame(context);
    // The number is a 32-bit one to Linux, too.
    if (static_cast<u32>(registers.orig_rax) == ~u32{0}) {
        forget_syscall(frame);
    } else {
        remember_syscall(frame, registers.orig_rax);
    }
    frame.r15 = registers.r15;
    frame.r14 = registers.r14;
    frame.r13 = registers.r13;
    frame.r12 = registers.r12;
    frame.r11 = registers.r11;
    frame.r10 = registers.r10;
    frame.r9 = registers.r9;
    frame.r8 = registers.r8;
    frame.rbp = registers.rbp;
    frame.rdi = registers.rdi;
    frame.rsi = registers.rsi;
    frame.rdx = registers.rdx;
    frame.rcx = registers.rcx;
    frame.rbx = registers.rbx;
    frame.rax = registers.rax;
    frame.rip = registers.rip;
    frame.rsp = registers.rsp;
    frame.rflags = (frame.rflags & ~kDebuggerFlags) | (registers.rflags & kDebuggerFlags);
    change_user_state(context, [&registers](UserState& user) {
        user = {.fs_base = registers.fs_base,
                .gs_base = registers.gs_base,
                .ds = static_cast<u16>(registers.ds),
                .es = static_cast<u16>(registers.es),
                .fs = static_cast<u16>(registers.fs),
                .gs = static_cast<u16>(registers.gs)};
    });
    return {};
}

bool vector_image_is_valid(std::span<const std::byte> image) {
    u32 mxcsr = 0;
    std::memcpy(&mxcsr, image.data() + kMxcsrOffset, sizeof mxcsr);
    if ((mxcsr & ~mxcsr_mask()) != 0) {
        return false;
    }
    if (image.size() == kLegacyVectorSize) {
        return true;
    }
    // XSTATE_BV, then 56 bytes that are zero in the standard format (SDM vol. 1, 13.4.2).
    u64 header[kXsaveHeaderSize / sizeof(u64)];
    std::memcpy(header, image.data() + kLegacyVectorSize, sizeof header);
    u64 reserved = header[0] & ~vector_features();
    for (usize i = 1; i < std::size(header); ++i) {
        reserved |= header[i];
    }
    return reserved == 0;
}

}  // namespace cairn::arch
