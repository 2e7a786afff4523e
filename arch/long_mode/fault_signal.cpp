/// Which signal an exception of user mode is (Linux: arch/x86/kernel/traps.c).

#include "arch/arch.h"
#include "arch/long_mode/user_state.h"

namespace cairn::arch {

namespace {

// signal(7) and sigaction(2).
constexpr int kSigill = 4;
constexpr int kSigtrap = 5;
constexpr int kSigbus = 7;
constexpr int kSigfpe = 8;
constexpr int kSigsegv = 11;
constexpr int kSiKernel = 0x80;
constexpr int kIllOpn = 2;
constexpr int kTrapBrkpt = 1;
constexpr int kTrapTrace = 2;
constexpr int kTrapHwbkpt = 4;
constexpr int kBusAdraln = 1;
constexpr int kFpeIntdiv = 1;
constexpr int kFpeFltdiv = 3;
constexpr int kFpeFltovf = 4;
constexpr int kFpeFltund = 5;
constexpr int kFpeFltres = 6;
constexpr int kFpeFltinv = 7;
constexpr int kSegvCperr = 10;

// Vectors (SDM vol. 3A, table 6-1).
constexpr u32 kDivideError = 0;
constexpr u32 kDebug = 1;
constexpr u32 kNonMaskable = 2;
constexpr u32 kBreakpointTrap = 3;
constexpr u32 kInvalidOpcode = 6;
constexpr u32 kCoprocessorOverrun = 9;
constexpr u32 kNotPresent = 11;
constexpr u32 kStackFault = 12;
constexpr u32 kX87Error = 16;
constexpr u32 kAlignment = 17;
constexpr u32 kVectorError = 19;
constexpr u32 kControlProtection = 21;

/// DR6 (SDM vol. 3B, 17.2.3).
int debug_code(u64 status) {
    constexpr u64 kBreakpoints = 0xf;
    constexpr u64 kSingleStep = 1 << 14;
    constexpr u64 kTaskSwitch = 1 << 15;
    if ((status & (kSingleStep | kTaskSwitch)) != 0) {
        return kTrapTrace;
    }
    return (status & kBreakpoints) != 0 ? kTrapHwbkpt : kTrapBrkpt;
}

}  // namespace

int floating_point_code(u32 vector, const FloatingPointStatus& status) {
    // Flags and masks have the same order in both units (SDM vol. 1, 8.1.3 and 10.2.3).
    constexpr u32 kMaskShift = 7;
    u32 raised =
        vector == kX87Error ? u32{status.status} & ~u32{status.control} : status.mxcsr & ~(status.mxcsr >> kMaskShift);
    constexpr struct {
        u32 flags;
        int code;
    } kCodes[] = {
        {1 << 0, kFpeFltinv},           // invalid operation
        {1 << 2, kFpeFltdiv},           // division by zero
        {1 << 3, kFpeFltovf},           // overflow
        {1 << 1 | 1 << 4, kFpeFltund},  // denormal operand, underflow
        {1 << 5, kFpeFltres},           // inexact result
    };
    for (const auto& row : kCodes) {
        if ((raised & row.flags) != 0) {
            return row.code;
        }
    }
    return 0;
}

FaultSignal classify_fault(const TrapDetails& details, const TrapFrame& frame) {
    switch (details.number) {
        case kDivideError:
            return {kSigfpe, kFpeIntdiv, frame.rip};
        case kDebug:
            return {kSigtrap, debug_code(details.error_code), frame.rip};
        case kNonMaskable:
            return {};
        case kBreakpointTrap:
            return {kSigtrap, kSiKernel, 0};
        case kInvalidOpcode:
            return {kSigill, kIllOpn, frame.rip};
        case kCoprocessorOverrun:
            return {kSigfpe, kSiKernel, 0};
        case kNotPresent:
        case kStackFault:
            return {kSigbus, kSiKernel, 0};
        case kX87Error:
        case kVectorError: {
            int code = floating_point_code(details.number, floating_point_status());
            return code == 0 ? FaultSignal{} : FaultSignal{kSigfpe, code, frame.rip};
        }
        case kAlignment:
            return {kSigbus, kBusAdraln, 0};
        case kControlProtection:
            return {kSigsegv, kSegvCperr, 0};
        default:
            return {kSigsegv, kSiKernel, 0};
    }
}

}  // namespace cairn::arch
