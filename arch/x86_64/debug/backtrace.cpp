/// Backtraces. With frame pointers they follow those; the trap entries push what looks like a frame, so that a trace
/// passes through interrupts and faults. A kernel without them, which is a tenth faster, shows all words of the stack
/// that a call may have pushed: some may be left from calls that have returned.

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

/// Whether the instruction before `address` is a call: of a place, or through a register or memory.
bool follows_call(u64 address) {
    constexpr u64 kLongest = 7;
    if (!is_kernel_text(address) || !is_kernel_text(address - kLongest)) {
        return false;
    }
    // SAFETY: the kernel's text is mapped and never changes.
    const u8* code = reinterpret_cast<const u8*>(address);
    if (code[-5] == 0xe8) {
        return true;
    }
    constexpr int kLengths[] = {2, 3, 4, 6, 7};
    for (int length : kLengths) {
        if (code[-length] == 0xff && ((code[1 - length] >> 3) & 7) == 2) {
            return true;
        }
    }
    return false;
}

usize scan(std::span<VirtualAddress> out, u64 stack_pointer) {
    usize count = 0;
    for (u64 place = align_up(stack_pointer, 8); count < out.size() && may_be_kernel_stack(place); place += 8) {
        u64 word = 0;
        u64 next = 0;
        if (!read_frame(place, word, next)) {
            break;
        }
        if (follows_call(word)) {
            out[count++] = {word};
        }
    }
    return count;
}

}  // namespace

usize backtrace(std::span<VirtualAddress> out, VirtualAddress frame_pointer) {
    u64 frame = frame_pointer.value;
    if (frame == 0) {
        frame = reinterpret_cast<u64>(__builtin_frame_address(0));
    }
    if (CAIRN_FRAME_POINTERS == 0) {
        return scan(out, frame);
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
