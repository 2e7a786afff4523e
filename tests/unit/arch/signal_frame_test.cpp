/// The layouts that programs see, compared with the host's headers, which are those of Linux.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/user.h>
#include <ucontext.h>

#include <cstddef>
#include <cstring>

#include "arch/long_mode/signal_frame_layout.h"

namespace cairn::arch {
namespace {

constexpr usize register_offset(int which) {
    return offsetof(ucontext_t, uc_mcontext.gregs) + static_cast<usize>(which) * 8;
}
constexpr usize kRegisters = offsetof(UserContext, registers);

static_assert(offsetof(UserContext, stack) == offsetof(ucontext_t, uc_stack));
static_assert(offsetof(UserContext, mask) == offsetof(ucontext_t, uc_sigmask));
static_assert(kRegisters + offsetof(SignalContext, r8) == register_offset(REG_R8));
static_assert(kRegisters + offsetof(SignalContext, rdi) == register_offset(REG_RDI));
static_assert(kRegisters + offsetof(SignalContext, rax) == register_offset(REG_RAX));
static_assert(kRegisters + offsetof(SignalContext, rsp) == register_offset(REG_RSP));
static_assert(kRegisters + offsetof(SignalContext, rip) == register_offset(REG_RIP));
static_assert(kRegisters + offsetof(SignalContext, rflags) == register_offset(REG_EFL));
static_assert(kRegisters + offsetof(SignalContext, cs) == register_offset(REG_CSGSFS));
static_assert(kRegisters + offsetof(SignalContext, error_code) == register_offset(REG_ERR));
static_assert(kRegisters + offsetof(SignalContext, trap_number) == register_offset(REG_TRAPNO));
static_assert(kRegisters + offsetof(SignalContext, fault_address) == register_offset(REG_CR2));
static_assert(kRegisters + offsetof(SignalContext, vector_state) == offsetof(ucontext_t, uc_mcontext.fpregs));
static_assert(offsetof(SignalStack, base) == offsetof(stack_t, ss_sp));
static_assert(offsetof(SignalStack, flags) == offsetof(stack_t, ss_flags));
static_assert(offsetof(SignalStack, size) == offsetof(stack_t, ss_size));

static_assert(sizeof(UserRegisters) == sizeof(user_regs_struct));
static_assert(offsetof(UserRegisters, rbx) == offsetof(user_regs_struct, rbx));
static_assert(offsetof(UserRegisters, orig_rax) == offsetof(user_regs_struct, orig_rax));
static_assert(offsetof(UserRegisters, rip) == offsetof(user_regs_struct, rip));
static_assert(offsetof(UserRegisters, rflags) == offsetof(user_regs_struct, eflags));
static_assert(offsetof(UserRegisters, fs_base) == offsetof(user_regs_struct, fs_base));
static_assert(offsetof(UserRegisters, gs) == offsetof(user_regs_struct, gs));

/// The frame that this Linux pushed, read with our structure.
struct Seen {
    u64 return_address = 0;
    u64 alignment = 1;
    u64 gap = 0;  // between ucontext and siginfo
    SoftwareBytes software = {};
    u32 magic2 = 0;
    u64 flags = 0;
    u64 cs = 0;
};
Seen seen;

void look(int, siginfo_t* information, void* context) {
    const auto* ours = static_cast<const UserContext*>(context);
    const auto* start = static_cast<const std::byte*>(context) - offsetof(SignalFrame, context);
    std::memcpy(&seen.return_address, start, sizeof seen.return_address);
    seen.alignment = reinterpret_cast<u64>(start) % 16;
    seen.gap = static_cast<u64>(reinterpret_cast<const std::byte*>(information) - start);
    seen.flags = ours->flags;
    seen.cs = ours->registers.cs;
    const auto* area = reinterpret_cast<const std::byte*>(ours->registers.vector_state);
    std::memcpy(&seen.software, area + 464, sizeof seen.software);
    std::memcpy(&seen.magic2, area + seen.software.state_size, sizeof seen.magic2);
}

TEST(SignalFrame, IsThatOfLinux) {
    struct sigaction action = {};
    struct sigaction old = {};
    action.sa_sigaction = look;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &old, nullptr);
    EXPECT_NE(seen.return_address, 0u);
    EXPECT_EQ(seen.alignment, 8u);
    EXPECT_EQ(seen.gap, offsetof(SignalFrame, siginfo));
    EXPECT_EQ(seen.flags, kContextHasXsave | kContextHasSs | kContextStrictSs);
    EXPECT_EQ(seen.cs, kUserCodeSegment);
    EXPECT_EQ(seen.software.magic1, kVectorMagic1);
    EXPECT_EQ(seen.software.extended_size, seen.software.state_size + kMagic2Size);
    EXPECT_EQ(seen.magic2, kVectorMagic2);
}

}  // namespace
}  // namespace cairn::arch
