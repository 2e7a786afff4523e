/// User mode of the simulated machine.
///
/// The registers of a thread's user program are its ThreadContext::frame, which the kernel gets as the
/// frame of system calls and traps. Only the instruction pointer means something to the machine: after
/// each way through the kernel it tells how user mode goes on. It is where the running function left
/// user mode: that function goes on. Two bytes before that: the system call is made again. A signal
/// frame was pushed: the handler is called, on the same stack, and then rt_sigreturn. Anything else
/// (a new program, a handler that changed its ucontext) is a jump: the stack is started anew.
///
/// A function's entry address is followed by a few more that stand for places inside it.

#include "arch/host/user_program.h"

#include <vector>

#include "arch/host/simulator.h"
#include "arch/long_mode/user_state.h"
#include "arch/upcalls.h"

namespace cairn::arch {
namespace host {

namespace {

constexpr u64 kRtSigreturn = 15;

// Places inside a function, as distances from its entry.
constexpr u64 kBehindSyscall = 0x12;
constexpr u64 kInterrupted = 0x20;
constexpr u64 kFunctionSize = 0x40;
constexpr u64 kSyscallLength = 2;

constexpr u64 kCodeStart = 0x40'1000;
struct Program {
    UserFunction function;
    const char* name;
    bool moves = false;
};
/// Filled by tests, also before main() and between runs.
std::vector<Program>& programs() {
    static std::vector<Program> all;
    return all;
}

const Program* find_program(u64 address) {
    u64 distance = address - kCodeStart;
    if (address >= kCodeStart && distance < programs().size() * kFunctionSize) {
        return distance % kFunctionSize == 0 ? &programs()[distance / kFunctionSize] : nullptr;
    }
    // An image that was moved by whole pages.
    const Program* found = nullptr;
    bool ambiguous = false;
    for (usize i = 0; i < programs().size(); ++i) {
        if (i * kFunctionSize % kPageSize == address % kPageSize) {
            const Program& program = programs()[i];
            if (found == nullptr || program.moves > found->moves) {
                found = &program;
                ambiguous = false;
            } else if (program.moves == found->moves) {
                ambiguous = true;
            }
        }
    }
    if (ambiguous) {
        fail_run("more than one user function may be meant by an address");
    }
    return found;
}

/// Calls the function at the instruction pointer.
void execute(ThreadContext& context, const Program& program) {
    u64 interrupted_function = std::exchange(context.mode.function, context.frame.rip);
    UserMachine machine(context);
    context.mode.executing = true;
    interleave();
    program.function(machine);
    context.mode.executing = false;
    context.mode.function = interrupted_function;
}

/// Nothing is at the instruction pointer.
void raise_fetch_fault(ThreadContext& context) {
    constexpr u32 kUserExecute = 1u << 2 | 1u << 4;
    raise_user_exception(context, {.number = kPageFaultNumber,
                                   .error_code = kUserExecute,
                                   .fault_address = {context.frame.rip},
                                   .from_user = true});
}

/// The kernel's part of a system call. The caller looks where user mode goes on.
void make_system_call(ThreadContext& context, u64 number, u64 behind) {
    TrapFrame& frame = context.frame;
    context.mode.in_user = false;
    frame.rip = behind;
    frame.rax = number;
    frame.rcx = behind;
    frame.r11 = frame.rflags;
    frame.vector = number;
    frame.error_code = kSystemCallMark;
    g_simulator.trace("system call", number);
    if (g_simulator.options().on_syscall != nullptr) {
        g_simulator.options().on_syscall(frame);
    } else {
        disable_interrupts();
        kernel_syscall(frame);
    }
    disable_interrupts();
    leave_kernel(context);
    enable_interrupts();
}

/// The newest signal frame's handler, and the sigreturn behind it.
void run_handler(ThreadContext& context) {
    u32 others = --context.mode.handlers_to_start;
    const Program* handler = find_program(context.frame.rip);
    if (handler == nullptr) {
        raise_fetch_fault(context);
        return;
    }
    u64 stack = context.frame.rsp;
    u64 behind = context.frame.rip + kBehindSyscall;
    context.mode.handlers_to_start = 0;
    execute(context, *handler);
    context.mode.handlers_to_start = others;
    context.frame.rsp = stack + sizeof(u64);  // its return took the return address
    make_system_call(context, kRtSigreturn, behind);
}

/// Begins, or begins again, what the instruction pointer says, with an empty stack.
[[noreturn]] void run_from_instruction_pointer(void* argument) {
    ThreadContext& context = *static_cast<ThreadContext*>(argument);
    // The functions that left the stack in its midst did so with red zones around their locals.
    u8* bottom = static_cast<u8*>(context.stack_top) - context.stack_size;
    forget_stack_contents(bottom, static_cast<usize>(static_cast<u8*>(__builtin_frame_address(0)) - bottom));
    if (!context.mode.in_user) {
        leave_kernel(context);
        enable_interrupts();
    }
    for (;;) {
        if (context.mode.handlers_to_start > 0) {
            run_handler(context);
        } else if (const Program* program = find_program(context.frame.rip)) {
            execute(context, *program);
            fail_run("a user function returned that is no signal handler");
        } else {
            raise_fetch_fault(context);
        }
    }
}

[[noreturn]] void abandon_stack(ThreadContext& context) {
    Fiber fresh;
    fiber_prepare(fresh, context.stack_top, context.stack_size, run_from_instruction_pointer, &context);
    fiber_leave(fresh);
}

/// Returns when the running function can go on at `place`.
void go_on(ThreadContext& context, u64 place) {
    context.mode.executing = false;
    for (;;) {
        if (context.mode.handlers_to_start > 0) {
            run_handler(context);
        } else if (context.frame.rip == place) {
            context.mode.executing = true;
            return;
        } else if (context.frame.rip == place - kSyscallLength) {
            make_system_call(context, context.frame.rax, place);
        } else {
            abandon_stack(context);
        }
    }
}

}  // namespace

VirtualAddress register_user_function(UserFunction function, const char* name) {
    usize index = 0;
    while (index < programs().size() && programs()[index].function != function) {
        ++index;
    }
    if (index == programs().size()) {
        programs().push_back({function, name});
    }
    return {kCodeStart + index * kFunctionSize};
}

void expect_moved_user_function(VirtualAddress address) {
    programs()[(address.value - kCodeStart) / kFunctionSize].moves = true;
}

UserCodeRange user_code_range() {
    return {{kCodeStart}, {align_up(kCodeStart + programs().size() * kFunctionSize, kPageSize)}};
}

ThreadContext* user_mode_context() {
    ThreadContext* context = g_simulator.current().context;
    return context != nullptr && context->mode.in_user ? context : nullptr;
}

void enter_kernel(ThreadContext& context) {
    context.mode.in_user = false;
    // Where a handler is about to start, its beginning is what is interrupted.
    if (context.mode.executing && context.mode.handlers_to_start == 0) {
        context.frame.rip = context.mode.function + kInterrupted;
    }
    forget_syscall(context.frame);
}

void leave_kernel(ThreadContext& context) {
    if (g_simulator.options().on_user_return != nullptr) {
        g_simulator.options().on_user_return(context.frame);
    } else {
        kernel_prepare_user_return(context.frame);
    }
    if (g_current.interrupts_enabled) {
        fail_run("kernel_prepare_user_return left interrupts on");
    }
    if (preempt_state() << 1 != 0) {
        fail_run("a return to user mode with preemption off");
    }
    if (preempt_state() == 0) {
        fail_run("a return to user mode although the CPU was asked to reschedule");
    }
    context.mode.in_user = true;
}

void resume_user_code(ThreadContext& context) {
    // Otherwise user mode was between two functions, and whoever was about to look where it goes on will.
    if (context.mode.executing) {
        go_on(context, context.mode.function + kInterrupted);
    }
}

bool raise_user_exception(ThreadContext& context, const TrapDetails& details) {
    enter_kernel(context);
    context.frame.vector = details.number;
    context.frame.error_code = details.error_code;
    bool resolved = true;
    if (g_simulator.options().on_page_fault != nullptr) {
        resolved = g_simulator.options().on_page_fault(details);
    } else if (kernel_trap(context.frame, details) == TrapOutcome::Unhandled) {
        fail_run("the kernel has no answer to an exception of user mode");
    }
    disable_interrupts();
    leave_kernel(context);
    enable_interrupts();
    resume_user_code(context);
    return resolved;
}

// --- What a user function sees --------------------------------------------------------------------

UserMachine::UserMachine(ThreadContext& context) : context_(&context), stack_pointer_{context.frame.rsp} {
    for (u32 i = 0; i < std::size(arguments_); ++i) {
        arguments_[i] = syscall_argument(context.frame, i);
    }
}

void UserMachine::set_arguments(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
    // Interrupts before the call find the registers of before.
    interleave();
    TrapFrame& frame = context_->frame;
    frame.rdi = a;
    frame.rsi = b;
    frame.rdx = c;
    frame.r10 = d;
    frame.r8 = e;
    frame.r9 = f;
}

i64 UserMachine::make_call(u64 number, VirtualAddress child) {
    u64 behind = child == VirtualAddress{} ? context_->mode.function + kBehindSyscall : child.value;
    context_->mode.executing = false;
    make_system_call(*context_, number, behind);
    go_on(*context_, behind);
    return static_cast<i64>(syscall_result(context_->frame));
}

void UserMachine::load_bytes(VirtualAddress from, void* to, usize size) {
    while (!user_load(from, to, size)) {
        if (from.value >= user_space_end().value) {
            constexpr u32 kGeneralProtection = 13;
            raise_exception(kGeneralProtection);
        }
    }
}

void UserMachine::store_bytes(VirtualAddress to, const void* from, usize size) {
    while (!user_store(to, from, size)) {
        if (to.value >= user_space_end().value) {
            constexpr u32 kGeneralProtection = 13;
            raise_exception(kGeneralProtection);
        }
    }
}

void UserMachine::pause() {
    interleave();
}

void UserMachine::raise_exception(u32 number, u64 error_code) {
    interleave();
    raise_user_exception(*context_,
                         {.number = number, .error_code = error_code, .fault_address = {}, .from_user = true});
}

void UserMachine::jump(VirtualAddress function) {
    context_->mode.executing = false;
    context_->frame.rip = function.value;
    abandon_stack(*context_);
}

TrapFrame& UserMachine::registers() {
    return context_->frame;
}

u64 UserMachine::fs_base() {
    return context_->user.fs_base;
}

}  // namespace host

void note_signal_frame() {
    ++host::g_simulator.current().context->mode.handlers_to_start;
}

void enter_user_mode(const TrapFrame& frame) {
    disable_interrupts();
    ThreadContext* context = host::g_simulator.current().context;
    ASSERT(context != nullptr && context->vector_pattern != nullptr && is_user_frame(frame));
    context->frame = frame;
    context->mode = {};
    host::abandon_stack(*context);
}

}  // namespace cairn::arch
