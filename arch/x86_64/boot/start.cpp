/// The first C++ code: hands what the boot loader left over to the kernel.

#include "arch/upcalls.h"
#include "arch/x86_64/debug/early_console.h"

namespace cairn::arch {

/// Called by entry.asm on the boot stack, in long mode, interrupts off.
extern "C" [[noreturn]] void boot_start(u64 protocol, u64 information) {
    early_console_initialize();
    kernel_boot({static_cast<BootProtocol>(protocol), PhysicalAddress{information}});
}

}  // namespace cairn::arch
