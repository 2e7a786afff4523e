/// Strings of user memory.

#include <algorithm>
#include <bit>
#include <cstring>

#include "arch/arch.h"

namespace cairn::arch {

namespace {

/// Where the first zero byte is; `size` when there is none. Eight bytes at a time (Warren, "Hacker's Delight", 6-1).
usize find_zero(const char* text, usize size) {
    constexpr u64 kOnes = 0x0101'0101'0101'0101;
    constexpr u64 kTops = kOnes << 7;
    usize at = 0;
    for (; size - at >= sizeof(u64); at += sizeof(u64)) {
        u64 word;
        std::memcpy(&word, text + at, sizeof word);
        if (const u64 zeros = (word - kOnes) & ~word & kTops; zeros != 0) {
            return at + static_cast<usize>(std::countr_zero(zeros)) / 8;
        }
    }
    while (at < size && text[at] != 0) {
        ++at;
    }
    return at;
}

}  // namespace

Result<usize> copy_string_from_user(char* to, VirtualAddress from, usize limit) {
    // Pieces do not cross pages: behind the string's end there need be nothing.
    constexpr usize kPiece = 64;
    usize done = 0;
    while (done < limit) {
        VirtualAddress at = from + done;
        usize piece = std::min({kPiece, limit - done, kPageSize - at.value % kPageSize});
        if (copy_from_user(to + done, at, piece) != 0) {
            return fail(Errno::efault);
        }
        const usize zero = find_zero(to + done, piece);
        done += zero;
        if (zero != piece) {
            return done;
        }
    }
    return limit;
}

}  // namespace cairn::arch
