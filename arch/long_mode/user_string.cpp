/// Strings of user memory.

#include <algorithm>
#include <cstring>

#include "arch/arch.h"

namespace cairn::arch {

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
        if (const void* zero = std::memchr(to + done, 0, piece); zero != nullptr) {
            return static_cast<usize>(static_cast<const char*>(zero) - to);
        }
        done += piece;
    }
    return limit;
}

}  // namespace cairn::arch
