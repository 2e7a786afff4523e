#include "mm/user_memory.h"

namespace cairn::mm {

Result<usize> UserCString::fetch(std::span<char> to) const {
    usize length = TRY(arch::copy_string_from_user(to.data(), address(), to.size()));
    if (length == to.size()) {
        return fail(Errno::enametoolong);
    }
    return length;
}

}  // namespace cairn::mm
