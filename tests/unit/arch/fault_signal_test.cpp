/// Exceptions and the signals that Linux makes of them, compared with the host's own numbers.

#include <gtest/gtest.h>
#include <signal.h>

#include "arch/arch.h"
#include "arch/long_mode/user_state.h"

namespace cairn::arch {
namespace {

FaultSignal classify(u32 number, u64 error_code = 0) {
    TrapFrame frame = initial_user_frame({0x4000}, {0x8000});
    return classify_fault({.number = number, .error_code = error_code, .fault_address = {}, .from_user = true}, frame);
}

void expect(const FaultSignal& found, int signal, int code, u64 address) {
    EXPECT_EQ(found.signal, signal);
    EXPECT_EQ(found.code, code);
    EXPECT_EQ(found.address, address);
}

TEST(FaultSignal, IsLinuxs) {
    constexpr u64 kHere = 0x4000;
    expect(classify(0), SIGFPE, FPE_INTDIV, kHere);
    expect(classify(3), SIGTRAP, SI_KERNEL, 0);
    expect(classify(4), SIGSEGV, SI_KERNEL, 0);
    expect(classify(5), SIGSEGV, SI_KERNEL, 0);
    expect(classify(6), SIGILL, ILL_ILLOPN, kHere);
    expect(classify(11), SIGBUS, SI_KERNEL, 0);
    expect(classify(12), SIGBUS, SI_KERNEL, 0);
    expect(classify(13), SIGSEGV, SI_KERNEL, 0);
    expect(classify(17), SIGBUS, BUS_ADRALN, 0);
    EXPECT_EQ(classify(2).signal, 0);
}

TEST(FaultSignal, DebugExceptionsTellTheirReason) {
    expect(classify(1, 1 << 14), SIGTRAP, TRAP_TRACE, 0x4000);
    expect(classify(1, 2), SIGTRAP, 4 /* TRAP_HWBKPT */, 0x4000);
    expect(classify(1, 0), SIGTRAP, TRAP_BRKPT, 0x4000);
}

TEST(FaultSignal, FloatingPointExceptionsThatAreUnmasked) {
    constexpr u32 kX87 = 16;
    constexpr u32 kSimd = 19;
    // Everything is masked: no signal.
    EXPECT_EQ(floating_point_code(kX87, {.control = 0x37f, .status = 0x3f, .mxcsr = 0}), 0);
    EXPECT_EQ(floating_point_code(kSimd, {.control = 0, .status = 0, .mxcsr = 0x1fbf}), 0);
    EXPECT_EQ(floating_point_code(kX87, {.control = 0x37e, .status = 0x41, .mxcsr = 0}), FPE_FLTINV);
    EXPECT_EQ(floating_point_code(kX87, {.control = 0x37b, .status = 0x3f, .mxcsr = 0}), FPE_FLTDIV);
    EXPECT_EQ(floating_point_code(kSimd, {.control = 0, .status = 0, .mxcsr = 0x1d84}), FPE_FLTDIV);
    EXPECT_EQ(floating_point_code(kSimd, {.control = 0, .status = 0, .mxcsr = 0x0008}), FPE_FLTOVF);
    EXPECT_EQ(floating_point_code(kSimd, {.control = 0, .status = 0, .mxcsr = 0x0010}), FPE_FLTUND);
    EXPECT_EQ(floating_point_code(kSimd, {.control = 0, .status = 0, .mxcsr = 0x0020}), FPE_FLTRES);
}

TEST(PageFault, ErrorCodeIsTakenApart) {
    TrapDetails details{.number = 14, .error_code = 0x17, .fault_address = {}, .from_user = true};
    EXPECT_TRUE(is_page_fault(details) && fault_is_present(details) && fault_is_write(details) &&
                fault_is_execute(details));
    details.error_code = 0x4;
    EXPECT_FALSE(fault_is_present(details) || fault_is_write(details) || fault_is_execute(details));
}

}  // namespace
}  // namespace cairn::arch
