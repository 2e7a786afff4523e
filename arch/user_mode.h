#pragma once
/// The part of arch/arch.h that concerns user mode. Include "arch/arch.h".
///
/// How a thread comes to user mode: a kernel thread that owns user registers (made with
/// context_add_vector_state) calls enter_user_mode; from then on it enters the kernel by system calls,
/// exceptions and interrupts, and every way back leads through the upcall
/// kernel_prepare_user_return. Its frame lies in one place all that time (user_frame).
///
/// The accessors of a frame (syscall_number, instruction_pointer, restart_syscall, in_syscall …)
/// are inline in arch/long_mode/frame.h; further inline parts of machine/machine.h:
///
///   u64 speculation_safe_index(u64 index, u64 limit)   index if it is below limit, else 0, also while
///                                      the processor guesses; for tables indexed by a program

#include <span>
#include <string_view>

#include "kernel/base/address.h"
#include "kernel/base/result.h"
#include "machine/machine.h"

namespace cairn::arch {

struct TrapDetails;

// --- Entering -----------------------------------------------------------------------------------

/// The frame of a new program: all general registers zero, no system call, interrupts on.
TrapFrame initial_user_frame(VirtualAddress entry, VirtualAddress stack);

/// Goes to user mode with a copy of `frame`, through kernel_prepare_user_return. What is on the
/// calling thread's stack is abandoned (destructors do not run): no lock may be held. `frame` may lie
/// on that stack. The thread owns vector state. Also the end of a system call that replaced the
/// program.
[[noreturn]] void enter_user_mode(const TrapFrame& frame);

/// The frame of a thread that is in the kernel and came from user mode, or is about to go there for the
/// first time (then only enter_user_mode has meaningful contents for it). Of the calling thread, or of
/// one that is stopped.
TrapFrame& user_frame(ThreadContext& context);

// --- User state beside the frame ----------------------------------------------------------------
// Thread-local storage bases, segment selectors and vector registers. `context` is the calling
// thread's or that of one that does not run, and which nobody else touches meanwhile.

u64 fs_base(ThreadContext& context);
u64 gs_base(ThreadContext& context);
/// EPERM beyond user space.
Result<void> set_fs_base(ThreadContext& context, u64 base);
Result<void> set_gs_base(ThreadContext& context, u64 base);

/// fork: `child`, which has not run, gets what `parent`, the calling thread, has at this moment.
/// ENOMEM if the child had no vector state yet.
Result<void> context_copy_user_state(ThreadContext& child, ThreadContext& parent);
/// exec: bases zero, vector registers in the ABI's initial state. Of the calling thread.
void context_reset_user_state(ThreadContext& context);

/// The vector registers as ptrace(2) and core files show them: XSAVE's standard format, with the mask
/// of enabled features at byte 464; its first 512 bytes are user_fpregs_struct.
u32 vector_state_size();
/// Writes the first out.size() bytes of that; returns how many there were.
usize read_vector_state(ThreadContext& context, std::span<std::byte> out);
/// From 512 bytes (x87 and SSE; the rest stays) or vector_state_size(). EINVAL for another size, for
/// features that are not there, and for reserved bits.
Result<void> write_vector_state(ThreadContext& context, std::span<const std::byte> in);

/// Linux's user_regs_struct.
struct UserRegisters {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    u64 rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, rflags, rsp, ss;
    u64 fs_base, gs_base, ds, es, fs, gs;
};
static_assert(sizeof(UserRegisters) == 27 * 8);

/// Of a thread that is in the kernel and came from user mode.
void read_user_registers(ThreadContext& context, UserRegisters& registers);
/// All or nothing. Flags that a program may not change keep their value; EIO for selectors and bases
/// that are not the user's. orig_rax -1 forgets the system call.
Result<void> write_user_registers(ThreadContext& context, const UserRegisters& registers);

/// Hardware breakpoints and watchpoints: DR0 to DR7 as ptrace(2) shows them. `context` is that of a thread that does
/// not run; what is written is in force when it runs next. Fork's child has none, exec removes them.
constexpr u32 kDebugRegisters = 8;
u64 read_debug_register(const ThreadContext& context, u32 index);
/// Zero or an error as Linux gives it: EINVAL for addresses that are not the user's and settings that a CPU does not
/// have, EIO for registers that there are not.
Result<void> write_debug_register(ThreadContext& context, u32 index, u64 value);

// --- Signals ------------------------------------------------------------------------------------

/// stack_t of sigaltstack(2), as it stands in memory.
struct SignalStack {
    u64 base = 0;
    i32 flags = 0;
    u32 padding = 0;
    u64 size = 0;
};
static_assert(sizeof(SignalStack) == 24);

/// The part of siginfo_t that can say something; the rest of its 128 bytes is zero.
constexpr usize kSignalInfoBytes = 48;

struct SignalFrameRequest {
    int signal;
    std::span<const std::byte, kSignalInfoBytes> siginfo;
    u64 handler;
    u64 restorer;                 // sa_restorer; zero is EFAULT, as on Linux
    u64 mask;                     // blocked signals, which sigreturn restores
    SignalStack alternate_stack;  // uc_stack: what sigaltstack said, with its present flags
    bool enter_alternate_stack;   // start at its upper end instead of below the interrupted stack
    bool confine_to_alternate;    // it is in use (now or from now on): EFAULT when the frame does not fit
    u64 trap_number = 0;          // of the thread's last exception, for the handler to read
    u64 trap_error_code = 0;
    u64 fault_address = 0;
};

/// Builds Linux's rt_sigframe (siginfo, ucontext with the frame's registers, XSAVE area) in user memory
/// and changes `frame`, the calling thread's, so that user mode goes on in the handler. Vector
/// registers are initial then. EFAULT leaves the frame as it was (the caller delivers SIGSEGV). May
/// sleep.
Result<void> push_signal_frame(TrapFrame& frame, const SignalFrameRequest& request);

struct SignalReturn {
    u64 mask;
    SignalStack alternate_stack;  // as a program wrote it; the caller judges it like sigaltstack(2)
};
/// rt_sigreturn: restores what push_signal_frame saved and the handler may have changed. What a
/// program must not have is refused (EFAULT: the caller delivers SIGSEGV, the registers are then
/// unspecified but harmless) or masked. The frame is no system call's afterwards. May sleep.
Result<SignalReturn> pop_signal_frame(TrapFrame& frame);

/// AT_MINSIGSTKSZ: the largest signal frame.
u32 minimum_signal_stack();

/// The signal that an exception of user mode means; number zero: none, resume. Page faults are for mm
/// to judge and not covered. Calling thread, before it sleeps or runs user code again.
struct FaultSignal {
    int signal = 0;
    int code = 0;  // si_code
    u64 address = 0;
};
FaultSignal classify_fault(const TrapDetails& details, const TrapFrame& frame);

// --- User memory --------------------------------------------------------------------------------
// Like copy_from_user and copy_to_user (arch.h): addresses of the loaded address space, faults go to
// kernel_trap first. With preemption or interrupts off a page that is not there is EFAULT at once.

/// Copies up to and including the first zero byte, at most `limit` bytes. Returns the length without
/// the zero; `limit` when there was none. Bytes of `to` behind the string may be overwritten. EFAULT.
Result<usize> copy_string_from_user(char* to, VirtualAddress from, usize limit);
/// Writes zeros; returns how many bytes could NOT be written.
usize clear_user(VirtualAddress to, usize size);

// Atomic accesses, for futexes. `address` is a multiple of four (else EINVAL). Sequentially consistent.
Result<u32> user_load_u32(VirtualAddress address);
/// Returns what was there; it was replaced if that is `expected`.
Result<u32> user_compare_exchange_u32(VirtualAddress address, u32 expected, u32 desired);
/// FUTEX_OP_… in their order.
enum class UserAtomicOperation : u8 { Set, Add, Or, AndNot, Xor };
/// Returns what was there before.
Result<u32> user_fetch_operation(VirtualAddress address, UserAtomicOperation operation, u32 operand);

// --- What programs are told about the machine ---------------------------------------------------

u64 hwcap();                       // AT_HWCAP
u64 hwcap2();                      // AT_HWCAP2
std::string_view platform_name();  // AT_PLATFORM

}  // namespace cairn::arch
