#pragma once
/// The boot information of PVH: hvm_start_info (Xen, public/arch-x86/hvm/start_info.h), as QEMU's
/// -kernel, Firecracker and cloud-hypervisor leave it. Version 0 has no memory map and expects
/// hypercalls of Xen instead; it is refused.

#include "kernel/boot/information.h"

namespace cairn::boot {

/// Errors as of parse_handover.
Result<void> read_pvh(PhysicalReader& memory, PhysicalAddress address, Information& information);

}  // namespace cairn::boot
