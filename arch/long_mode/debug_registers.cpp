/// Hardware breakpoints as ptrace(2) sets them: what Linux's ptrace_write_dr7 and ptrace_set_breakpoint_addr take and
/// refuse. The processor's part is in arch/x86_64/threads.

#include "arch/arch.h"

namespace cairn::arch {

namespace {

constexpr u32 kAddresses = 4, kStatus = 6, kControl = 7;
constexpr u64 kStatusPolarity = 0xffff'0ff0;  // DR6 without anything to tell
constexpr u64 kTaskSizeMax = (u64{1} << 47) - kPageSize;

/// Whether breakpoint `i` of `control` is one that a CPU has and that stays in user space.
bool is_possible(u64 control, u32 i, u64 address) {
    constexpr u32 kEnableBits = 2, kTypeShift = 16, kTypeBits = 4, kExecute = 0, kInputOutput = 2;
    if ((control >> (i * kEnableBits) & 3) == 0) {
        return true;
    }
    const u64 setting = control >> (kTypeShift + i * kTypeBits);
    const u64 type = setting & 3;
    constexpr u64 kSizeMasks[] = {0, 1, 7, 3};
    const u64 size_mask = kSizeMasks[setting >> 2 & 3];
    return type != kInputOutput && !(type == kExecute && size_mask != 0) && (address & size_mask) == 0 &&
           address + size_mask < kTaskSizeMax;
}

}  // namespace

u64 read_debug_register(const ThreadContext& context, u32 index) {
    const DebugState& debug = context.debug;
    if (index < kAddresses) {
        return debug.address[index];
    }
    return index == kControl ? debug.control : index == kStatus ? debug.status ^ kStatusPolarity : 0;
}

Result<void> write_debug_register(ThreadContext& context, u32 index, u64 value) {
    DebugState& debug = context.debug;
    if (index < kAddresses) {
        if (value >= kTaskSizeMax || !is_possible(debug.control, index, value)) {
            return fail(Errno::einval);
        }
        debug.address[index] = value;
    } else if (index == kStatus) {
        debug.status = value ^ kStatusPolarity;
    } else if (index == kControl) {
        for (u32 i = 0; i < kAddresses; ++i) {
            if (!is_possible(value, i, debug.address[i])) {
                return fail(Errno::einval);
            }
        }
        debug.control = value;
    } else {
        return fail(Errno::eio);
    }
    return {};
}

}  // namespace cairn::arch
