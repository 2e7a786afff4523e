/// Strings of user memory.

#include <algorithm>
#include <bit>

#include "arch/x86_64/memory/user_access.h"
#include "arch/x86_64/traps/fixup.h"

namespace cairn::arch {

namespace {

struct CopiedWords {
    usize bytes;  // in words before the one with a zero byte
    u64 zeros;    // of that word: the lowest bit that is set is in its first zero byte; no bit: all words were copied
    bool failed;
};

/// Copies `size` bytes, whole words and at least one, but none behind the first one with a zero byte (Warren, "Hacker's
/// Delight", 6-1).
[[gnu::always_inline]] inline CopiedWords copy_words(u64 to, u64 from, usize size) {
    constexpr u64 kOnes = 0x0101'0101'0101'0101;
    usize at = 0;
    u64 zeros;
    u64 word;
    u32 failed = 1;
    UserAccess access;
    // SAFETY: one side is the caller's kernel object of `size` bytes, the other was tested to be user space; the index
    // runs up to `size`.
    asm volatile(
        "1:\n\t"
        "movq (%[from], %[at]), %[word]\n\t"
        "movq %[word], (%[to], %[at])\n\t"
        "leaq (%[word], %[less_ones]), %[zeros]\n\t"
        "notq %[word]\n\t"
        "andq %[word], %[zeros]\n\t"
        "andq %[tops], %[zeros]\n\t"
        "jnz 2f\n\t"
        "addq $8, %[at]\n\t"
        "cmpq %[size], %[at]\n\t"
        "jb 1b\n"
        "2:\n\t"
        "xorl %[failed], %[failed]\n"
        "3:\n\t" FIXUP("1b", "3b")
        : [at] "+r"(at), [zeros] "=&r"(zeros), [word] "=&r"(word), [failed] "+r"(failed)
        : [to] "r"(to), [from] "r"(from), [size] "r"(size), [less_ones] "r"(0 - kOnes), [tops] "r"(kOnes << 7)
        : "memory", "cc");
    return {at, zeros, failed != 0};
}

/// From `done` bytes on.
[[gnu::noinline]] Result<usize> copy_rest(char* to, VirtualAddress from, usize done, usize limit) {
    while (done < limit) {
        const VirtualAddress at = from + done;
        // Pieces do not cross pages: behind the string's end there need be nothing.
        usize piece = std::min(limit - done, kPageSize - at.value % kPageSize);
        if (!in_user_space(at, piece)) {
            return fail(Errno::efault);
        }
        if (piece >= sizeof(u64)) {
            piece -= piece % sizeof(u64);
            const u64 safe = speculation_safe_index(at.value, user_space_end().value);
            const CopiedWords copied = copy_words(reinterpret_cast<u64>(to + done), safe, piece);
            if (copied.failed) {
                return fail(Errno::efault);
            }
            if (copied.zeros != 0) {
                return done + copied.bytes + static_cast<usize>(std::countr_zero(copied.zeros)) / 8;
            }
            done += piece;
            continue;
        }
        if (copy_from_user(to + done, at, piece) != 0) {
            return fail(Errno::efault);
        }
        for (const usize end = done + piece; done < end; ++done) {
            if (to[done] == 0) {
                return done;
            }
        }
    }
    return limit;
}

}  // namespace

/// Most strings are short, and end before their page does.
Result<usize> copy_string_from_user(char* to, VirtualAddress from, usize limit) {
    const usize piece = std::min(limit, kPageSize - from.value % kPageSize) & ~(sizeof(u64) - 1);
    if (piece == 0 || !in_user_space(from, piece)) [[unlikely]] {
        return copy_rest(to, from, 0, limit);
    }
    const u64 safe = speculation_safe_index(from.value, user_space_end().value);
    const CopiedWords copied = copy_words(reinterpret_cast<u64>(to), safe, piece);
    if (copied.failed || copied.zeros == 0) [[unlikely]] {
        return copied.failed ? fail(Errno::efault) : copy_rest(to, from, piece, limit);
    }
    return copied.bytes + static_cast<usize>(std::countr_zero(copied.zeros)) / 8;
}

}  // namespace cairn::arch
