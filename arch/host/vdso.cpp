/// Programs of the simulated machine ask the kernel for the time: there is no code to map.

#include "arch/arch.h"

namespace cairn::arch {

std::span<const std::byte> vdso_image() {
    return {};
}
void start_vdso_data(PhysicalAddress) {}
void set_vdso_wall_offset(Nanoseconds) {}

}  // namespace cairn::arch
