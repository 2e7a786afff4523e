/// The simulated processor has no generator of its own: a run must depend on its seed alone.

#include "arch/arch.h"

namespace cairn::arch {

std::optional<u64> hardware_random() {
    return std::nullopt;
}

}  // namespace cairn::arch
