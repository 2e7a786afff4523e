#include "exec/vdso_mapping.h"

namespace cairn::exec {

Result<std::optional<u64>> map_vdso(mm::AddressSpace&) {
    return std::optional<u64>();
}

}  // namespace cairn::exec
