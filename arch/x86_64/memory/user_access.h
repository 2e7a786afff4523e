#pragma once
/// What all instructions of the kernel that touch user memory need.

#include "arch/arch.h"

namespace cairn::arch {

/// Lets the kernel touch user pages for a scope, on CPUs that forbid it otherwise (SMAP). RFLAGS.AC
/// is saved and cleared by traps and belongs to the thread, so that sleeping in a fault is fine.
class UserAccess {
public:
    // SAFETY: if this CPU has them, the instructions set and clear RFLAGS.AC; all CPUs have them, or none.
    UserAccess() {
        asm volatile("cmpl $0, %%gs:%c0\n\tje 1f\n\tstac\n1:" : : "i"(kPerCpuGuardsUserMemory) : "memory", "cc");
    }
    ~UserAccess() {
        asm volatile("cmpl $0, %%gs:%c0\n\tje 1f\n\tclac\n1:" : : "i"(kPerCpuGuardsUserMemory) : "memory", "cc");
    }
    UserAccess(const UserAccess&) = delete;
    UserAccess& operator=(const UserAccess&) = delete;
};

/// The first address from which on `size` bytes are not all user space.
inline u64 user_space_limit(usize size) {
    return size <= user_space_end().value ? user_space_end().value - size + 1 : 0;
}
/// To be followed by safe_user_address().
inline bool in_user_space(VirtualAddress start, usize size) {
    return start.value < user_space_limit(size);
}
/// The address itself, of what is in_user_space(): a processor that guesses the outcome must not read kernel memory
/// either (Spectre, variant 1).
inline u64 safe_user_address(VirtualAddress start, usize size) {
    return speculation_safe_index(start.value, user_space_limit(size));
}

}  // namespace cairn::arch
