#pragma once
/// User programs of the simulated machine: C++ functions that stand for code at user addresses.
///
/// A function is the code from its entry address on; user mode gets there by enter_user_mode (a new
/// program, the child of a fork), by a jump, or as a signal handler. It does what it does to the machine
/// through its UserMachine, whose methods are the scheduling points at which interrupts, and so signals,
/// arrive.
///
/// The thread's kernel stack carries these functions, too. Exec, exit and jumps abandon what is on it,
/// so locals of user functions must be trivial: plain numbers, no strings, no references counted.

#include <type_traits>

#include "arch/host/run.h"

namespace cairn::arch::host {

class UserMachine;
using UserFunction = void (*)(UserMachine&);

/// The entry address of `function`, the same for the life of the process; for an ELF header's e_entry,
/// an instruction pointer, a signal handler. Addresses lie in the range that user_code_range() tells, 64 to
/// a page, and are found again by their place in the page if an image was moved.
VirtualAddress register_user_function(UserFunction function, const char* name);

/// The function is the entry of an image that is loaded elsewhere: it is preferred where an address in such an image
/// may mean several.
void expect_moved_user_function(VirtualAddress address);

/// The pages on which all entry addresses registered so far lie; what an ELF image has to map.
struct UserCodeRange {
    VirtualAddress start;
    VirtualAddress end;
};
UserCodeRange user_code_range();

/// What a user function sees of its CPU.
class UserMachine {
public:
    /// A system call; returns what is in RAX when user mode goes on behind it, after handlers of signals
    /// that came in between, and after restarts. Returns in the caller of a fork, too; the child would
    /// go on where there is no function: see fork_into.
    template <typename... Arguments>
    i64 syscall(u64 number, Arguments... arguments) {
        set_arguments(word(arguments)...);
        return make_call(number, {});
    }
    /// A system call that makes a new thread or process, which goes on at `child` (a registered address)
    /// with the same registers otherwise.
    template <typename... Arguments>
    i64 fork_into(VirtualAddress child, u64 number, Arguments... arguments) {
        set_arguments(word(arguments)...);
        return make_call(number, child);
    }

    /// Memory; unresolved faults become signals, and the access is tried again after their handlers.
    template <typename T>
    T load(VirtualAddress from) {
        static_assert(std::is_trivially_copyable_v<T>);
        T value;
        load_bytes(from, &value, sizeof value);
        return value;
    }
    template <typename T>
    void store(VirtualAddress to, const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        store_bytes(to, &value, sizeof value);
    }
    void load_bytes(VirtualAddress from, void* to, usize size);
    void store_bytes(VirtualAddress to, const void* from, usize size);

    /// An instruction without any effect, where interrupts may come.
    void pause();
    /// An exception, such as 0 for a division by zero.
    void raise_exception(u32 number, u64 error_code = 0);
    /// Goes on in another function, with the registers as they are. What is on the stack is abandoned.
    [[noreturn]] void jump(VirtualAddress function);

    /// The first argument registers as the function found them: RDI, RSI, RDX, R10, R8, R9. A signal
    /// handler has the signal's number, siginfo and ucontext in the first three.
    u64 argument(u32 i) const { return arguments_[i]; }
    /// Where the function found the stack: argc for a new program.
    VirtualAddress stack_pointer() const { return stack_pointer_; }
    /// All registers at this moment.
    TrapFrame& registers();
    u64 fs_base();

    /// For user_mode.cpp.
    explicit UserMachine(ThreadContext& context);

private:
    template <typename T>
    static u64 word(T value) {
        if constexpr (std::is_same_v<T, VirtualAddress>) {
            return value.value;
        } else if constexpr (std::is_signed_v<T>) {
            return static_cast<u64>(static_cast<i64>(value));
        } else {
            return static_cast<u64>(value);
        }
    }
    void set_arguments(u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0);
    i64 make_call(u64 number, VirtualAddress child);

    ThreadContext* context_;
    u64 arguments_[6];
    VirtualAddress stack_pointer_;
};

}  // namespace cairn::arch::host
