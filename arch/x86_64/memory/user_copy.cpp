/// Copies between kernel and user memory. Faults on the user's side are resolved by kernel_trap or
/// end the copy early through the fix-up table.

#include "arch/arch.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/traps/fixup.h"

namespace cairn::arch {

namespace {

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

bool in_user_space(VirtualAddress start, usize size) {
    return start <= user_space_end() && size <= user_space_end() - start;
}

/// Returns how many bytes were not copied.
usize copy(u64 to, u64 from, usize size) {
    UserAccess access;
    // SAFETY: one side is the caller's kernel object of `size` bytes, the other was tested to be user
    // space; a fault leaves in RCX what is left to do.
    asm volatile(
        "1:\n\t"
        "rep movsb\n"
        "2:\n\t" FIXUP("1b", "2b")
        : "+D"(to), "+S"(from), "+c"(size)
        :
        : "memory");
    return size;
}

}  // namespace

usize copy_from_user(void* to, VirtualAddress from, usize size) {
    return in_user_space(from, size) ? copy(reinterpret_cast<u64>(to), from.value, size) : size;
}

usize copy_to_user(VirtualAddress to, const void* from, usize size) {
    return in_user_space(to, size) ? copy(to.value, reinterpret_cast<u64>(from), size) : size;
}

}  // namespace cairn::arch
