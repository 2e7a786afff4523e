/// Backtraces by frame pointers: the kernel is compiled with them, and the trap entries push what
/// looks like a frame, so that a trace passes through interrupts and faults.

#include "arch/arch.h"
#include "arch/x86_64/memory/image.h"
#include "arch/x86_64/traps/fixup.h"

namespace cairn::arch {

namespace {

/// Reads two words of a stack that may be damaged or unmapped; false if they cannot be read.
bool read_frame(u64 address, u64& next, u64& return_address) {
    u64 failed = 1;
    // SAFETY: a fault leaves `failed` as it is and continues at label 3.
    asm volatile(
        "1: movq (%3), %0\n"
        "2: movq 8(%3), %1\n\t"
        "xorl %k2, %k2\n"
        "3:\n\t" FIXUP("1b", "3b") FIXUP("2b", "3b")
        : "=&r"(next), "=&r"(return_address), "+&r"(failed)
        : "r"(address)
        : "memory", "cc");
    return failed == 0;
}

}  // namespace

usize backtrace(std::span<VirtualAddress> out, VirtualAddress frame_pointer) {
    u64 frame = frame_pointer.value;
    if (frame == 0) {
        frame = reinterpret_cast<u64>(__builtin_frame_address(0));
    }
    usize count = 0;
    while (count < out.size() && is_aligned(frame, 8) && may_be_kernel_stack(frame)) {
        u64 next = 0;
        u64 return_address = 0;
        if (!read_frame(frame, next, return_address) || !is_kernel_text(return_address)) {
            break;
        }
        out[count++] = {return_address};
        // A frame's caller lies above it, except where an interrupt stack meets another stack. Equality
        // would be a loop; longer loops end with `out`.
        if (next == frame) {
            break;
        }
        frame = next;
    }
    return count;
}

}  // namespace cairn::arch
