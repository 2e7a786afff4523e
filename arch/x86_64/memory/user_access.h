#pragma once
/// What all instructions of the kernel that touch user memory need.

#include "arch/arch.h"
#include "arch/x86_64/cpu/cpu_state.h"

namespace cairn::arch {

/// Lets the kernel touch user pages for a scope, on CPUs that forbid it otherwise (SMAP). RFLAGS.AC
/// is saved and cleared by traps and belongs to the thread, so that sleeping in a fault is fine.
class UserAccess {
public:
    UserAccess() : guarded_(cpu_features().smap) {
        if (guarded_) {
            // SAFETY: sets RFLAGS.AC; the CPU has the instruction.
            asm volatile("stac" : : : "memory", "cc");
        }
    }
    ~UserAccess() {
        if (guarded_) {
            // SAFETY: clears RFLAGS.AC.
            asm volatile("clac" : : : "memory", "cc");
        }
    }
    UserAccess(const UserAccess&) = delete;
    UserAccess& operator=(const UserAccess&) = delete;

private:
    bool guarded_;
};

/// To be followed by speculation_safe_index(start, user_space_end()): a processor that guesses the outcome
/// must not read kernel memory either (Spectre, variant 1).
inline bool in_user_space(VirtualAddress start, usize size) {
    return start <= user_space_end() && size <= user_space_end() - start;
}

}  // namespace cairn::arch
