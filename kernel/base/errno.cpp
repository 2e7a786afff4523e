#include "kernel/base/errno.h"

namespace cairn {

namespace {

struct ErrnoName {
    Errno error;
    std::string_view name;
};

constexpr ErrnoName kNames[] = {
#define X(name, number) {Errno::name, #name},
    CAIRN_ERRNO_TABLE(X)
#undef X
};

}  // namespace

std::string_view errno_name(Errno error) {
    for (const ErrnoName& row : kNames) {
        if (row.error == error) {
            return row.name;
        }
    }
    return "e?";
}

}  // namespace cairn
