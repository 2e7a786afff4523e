#include "mm/user_memory.h"

#include <algorithm>
#include <cstring>

namespace cairn::mm {

/// Page by page, so that a text that ends just before an unmapped page is read.
Result<usize> UserCString::fetch(std::span<char> to) const {
    usize done = 0;
    while (done < to.size()) {
        const VirtualAddress from = address() + done;
        const usize part = std::min(to.size() - done, kPageSize - from.value % kPageSize);
        const usize copied = part - arch::copy_from_user(to.data() + done, from, part);
        if (const void* end = std::memchr(to.data() + done, 0, copied)) {
            return static_cast<usize>(static_cast<const char*>(end) - to.data());
        }
        if (copied != part) {
            return fail(Errno::efault);
        }
        done += part;
    }
    return fail(Errno::enametoolong);
}

}  // namespace cairn::mm
