/// Accesses of the kernel to user memory. Faults are resolved by kernel_trap or end the access early through
/// the fix-up table.

#include <algorithm>

#include "arch/x86_64/memory/user_access.h"
#include "arch/x86_64/traps/fixup.h"

namespace cairn::arch {

namespace {

/// Returns how many bytes were not copied. User memory is open.
[[gnu::always_inline]] inline usize copy(u64 to, u64 from, usize size) {
    usize rest = size % sizeof(u64);
    usize count = size / sizeof(u64);
    // SAFETY: one side is the caller's kernel object of `size` bytes, the other was tested to be user
    // space. A fault among the words lets the bytes up to the bad one follow one by one; a fault there
    // leaves in RCX what is left to do.
    asm volatile(
        "1:\n\t"
        "rep movsq\n\t"
        "movq %[rest], %%rcx\n"
        "3:\n\t"
        "rep movsb\n"
        "4:\n\t"
        ".pushsection .text.unlikely, \"ax\"\n"
        "2:\n\t"
        "leaq (%[rest], %%rcx, 8), %%rcx\n\t"
        "jmp 3b\n\t"
        ".popsection\n\t" FIXUP("1b", "2b") FIXUP("3b", "4b")
        : "+D"(to), "+S"(from), "+c"(count)
        : [rest] "r"(rest)
        : "memory");
    return count;
}

/// One move of a word, for the sizes that system calls copy most. User memory is open. False: not all was copied.
template <usize kSize>
[[gnu::always_inline]] inline bool copy_word(u64 to, u64 from) {
    // SAFETY: as above; a fault that nobody resolves continues at `failed`.
    if constexpr (kSize == sizeof(u64)) {
        asm goto("1:\n\tmovq (%1), %%r8\n2:\n\tmovq %%r8, (%0)\n\t" FIXUP("1b", "%l[failed]") FIXUP("2b", "%l[failed]")
                 :
                 : "r"(to), "r"(from)
                 : "memory", "r8"
                 : failed);
    } else if constexpr (kSize == sizeof(u32)) {
        asm goto("1:\n\tmovl (%1), %%r8d\n2:\n\tmovl %%r8d, (%0)\n\t" FIXUP("1b", "%l[failed]")
                     FIXUP("2b", "%l[failed]")
                 :
                 : "r"(to), "r"(from)
                 : "memory", "r8"
                 : failed);
    } else {
        static_assert(kSize == sizeof(u8));
        asm goto("1:\n\tmovb (%1), %%r8b\n2:\n\tmovb %%r8b, (%0)\n\t" FIXUP("1b", "%l[failed]")
                     FIXUP("2b", "%l[failed]")
                 :
                 : "r"(to), "r"(from)
                 : "memory", "r8"
                 : failed);
    }
    return true;
failed:
    return false;
}

/// A word that straddles two pages may be half there: the bytes tell.
[[gnu::always_inline]] inline usize copy_any(u64 to, u64 from, usize size) {
    UserAccess access;
    bool copied = false;
    if (size == sizeof(u64)) [[likely]] {
        copied = copy_word<sizeof(u64)>(to, from);
    } else if (size < sizeof(u64)) {
        copied = (size == sizeof(u32) && copy_word<sizeof(u32)>(to, from)) ||
                 (size == sizeof(u8) && copy_word<sizeof(u8)>(to, from));
    }
    return copied ? 0 : copy(to, from, size);
}

}  // namespace

usize copy_from_user(void* to, VirtualAddress from, usize size) {
    return in_user_space(from, size) ? copy_any(reinterpret_cast<u64>(to), safe_user_address(from, size), size) : size;
}

usize copy_to_user(VirtualAddress to, const void* from, usize size) {
    return in_user_space(to, size) ? copy_any(safe_user_address(to, size), reinterpret_cast<u64>(from), size) : size;
}

bool copy_field_to_user(VirtualAddress to, const u16* from, usize count) {
    constexpr usize kRecord = 8;
    // A count too large for the product is too large for user space, too.
    const usize size = std::min(count, ~usize{0} / kRecord) * kRecord - (kRecord - sizeof(u16));
    if (count == 0 || !in_user_space(to, size)) {
        return count == 0;
    }
    const u64 to_end = safe_user_address(to, size) + count * kRecord;
    const u64 from_end = reinterpret_cast<u64>(from) + count * kRecord;
    i64 left = -static_cast<i64>(count);
    u32 word;
    UserAccess access;
    // SAFETY: one side is the caller's array, the other was tested to be user space; the index runs up to zero.
    asm volatile(
        "1:\n\t"
        "movzwl (%[from], %[left], 8), %[word]\n"
        "2:\n\t"
        "movw %w[word], (%[to], %[left], 8)\n\t"
        "incq %[left]\n\t"
        "jnz 1b\n"
        "3:\n\t" FIXUP("2b", "3b")
        : [left] "+r"(left), [word] "=&r"(word)
        : [to] "r"(to_end), [from] "r"(from_end)
        : "memory", "cc");
    return left == 0;
}

usize clear_user(VirtualAddress to, usize size) {
    if (!in_user_space(to, size)) {
        return size;
    }
    UserAccess access;
    u64 at = safe_user_address(to, size);
    usize rest = size % sizeof(u64);
    usize count = size / sizeof(u64);
    // SAFETY: as for copy().
    asm volatile(
        "1:\n\t"
        "rep stosq\n\t"
        "movq %[rest], %%rcx\n\t"
        "jmp 3f\n"
        "2:\n\t"
        "leaq (%[rest], %%rcx, 8), %%rcx\n"
        "3:\n\t"
        "rep stosb\n"
        "4:\n\t" FIXUP("1b", "2b") FIXUP("3b", "4b")
        : "+D"(at), "+c"(count)
        : "a"(u64{0}), [rest] "r"(rest)
        : "memory");
    return count;
}

// --- Atomic accesses ------------------------------------------------------------------------------

namespace {

Result<u64> word_address(VirtualAddress address) {
    if (!is_aligned(address.value, sizeof(u32))) {
        return fail(Errno::einval);
    }
    return in_user_space(address, sizeof(u32)) ? Result<u64>(safe_user_address(address, sizeof(u32)))
                                               : fail(Errno::efault);
}

Result<u32> result_of(u32 failed, u32 value) {
    return failed == 0 ? Result<u32>(value) : fail(Errno::efault);
}

Result<u32> exchange(u64 at, u32 value) {
    u32 failed = 1;
    UserAccess access;
    // SAFETY: one locked instruction on user memory.
    asm volatile(
        "1:\n\t"
        "xchgl %[value], (%[at])\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed), [value] "+r"(value)
        : [at] "r"(at)
        : "memory", "cc");
    return result_of(failed, value);
}

Result<u32> fetch_add(u64 at, u32 value) {
    u32 failed = 1;
    UserAccess access;
    // SAFETY: one locked instruction on user memory.
    asm volatile(
        "1:\n\t"
        "lock xaddl %[value], (%[at])\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed), [value] "+r"(value)
        : [at] "r"(at)
        : "memory", "cc");
    return result_of(failed, value);
}

u32 combine(UserAtomicOperation operation, u32 old, u32 operand) {
    switch (operation) {
        case UserAtomicOperation::Or:
            return old | operand;
        case UserAtomicOperation::AndNot:
            return old & ~operand;
        case UserAtomicOperation::Xor:
            return old ^ operand;
        default:
            return operand;
    }
}

}  // namespace

Result<u32> user_load_u32(VirtualAddress address) {
    u64 at = TRY(word_address(address));
    u32 value = 0;
    u32 failed = 1;
    UserAccess access;
    // SAFETY: one load from user memory.
    asm volatile(
        "1:\n\t"
        "movl (%[at]), %[value]\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed), [value] "=&r"(value)
        : [at] "r"(at)
        : "memory", "cc");
    return result_of(failed, value);
}

Result<u32> user_compare_exchange_u32(VirtualAddress address, u32 expected, u32 desired) {
    u64 at = TRY(word_address(address));
    u32 failed = 1;
    UserAccess access;
    // SAFETY: one locked instruction on user memory; EAX is what was there.
    asm volatile(
        "1:\n\t"
        "lock cmpxchgl %[desired], (%[at])\n\t"
        "movl $0, %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed), "+a"(expected)
        : [at] "r"(at), [desired] "r"(desired)
        : "memory", "cc");
    return result_of(failed, expected);
}

Result<u32> user_fetch_operation(VirtualAddress address, UserAtomicOperation operation, u32 operand) {
    u64 at = TRY(word_address(address));
    if (operation == UserAtomicOperation::Set) {
        return exchange(at, operand);
    }
    if (operation == UserAtomicOperation::Add) {
        return fetch_add(at, operand);
    }
    // Others succeed whenever this one fails, so that it ends; a program that writes all the time only
    // delays its own call.
    u32 old = TRY(user_load_u32(address));
    for (;;) {
        u32 found = TRY(user_compare_exchange_u32(address, old, combine(operation, old, operand)));
        if (found == old) {
            return old;
        }
        old = found;
    }
}

}  // namespace cairn::arch
